// The WebSocket handshake of a subscriber: whether a request is one, by the v1 wire's rules, and the 101 answer, which
// is ws's. No extension is ever agreed, no sub-protocol but one that the route names, any origin is welcome. Used by the routes of subscribers.

import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import { SubscriberSocket } from '../session/subscriber-socket.ts';
import { WebSocketServer } from '../websocket.ts';
import { filterTextBytesMax } from '../wire/wanted-filter.ts';

/** Fragments of one client message: 10 MB in pieces of 2.5 KB. */
const fragmentsMax = 4096;
/** Bytes of a message in the smallest TCP segment seen, of 512 with what may come before them. */
const segmentBytesMin = 488;
/** Socket chunks gathered for one client message: the longest in such. */
const bufferedChunksMax = Math.ceil(filterTextBytesMax / segmentBytesMin);

/** Sixteen bytes of base64. */
const keyPattern = /^[+/0-9A-Za-z]{22}==$/;

/** Whether a GET request is a WebSocket handshake. Lists are accepted where HTTP allows them. */
export function isHandshake(request: IncomingMessage): boolean {
  return asksForWebSocket(request) && hasKey(request);
}

/** Whether it asks for a WebSocket, of the version that there is; its key may be none. */
export function asksForWebSocket({ headers }: IncomingMessage): boolean {
  return (
    hasToken(headers.connection, 'upgrade') &&
    hasToken(headers.upgrade, 'websocket') &&
    hasToken(headers['sec-websocket-version'] as string | undefined, '13')
  );
}

function hasKey({ headers }: IncomingMessage): boolean {
  return keyPattern.test(headers['sec-websocket-key'] ?? '');
}

function hasToken(list: string | undefined, token: string): boolean {
  return list?.split(',').some((item) => item.trim().toLowerCase() === token) === true;
}

const server = new WebSocketServer<typeof SubscriberSocket>({
  noServer: true,
  clientTracking: false,
  perMessageDeflate: false,
  // Pongs are the session's, which bounds them.
  autoPong: false,
  maxPayload: filterTextBytesMax,
  maxFragments: fragmentsMax,
  maxBufferedChunks: bufferedChunksMax,
  WebSocket: SubscriberSocket,
});

/** Whether a client offers a sub-protocol, spelled exactly so. */
export function offers({ headers }: IncomingMessage, subprotocol: string): boolean {
  const offered = headers['sec-websocket-protocol'];
  return offered?.split(',').some((token) => token.trim() === subprotocol) === true;
}

/**
 * Answers a request that `isHandshake` has accepted with 101 and hands its WebSocket to `accepted`, in the same tick;
 * not at all when the client has gone. @param subprotocol one that the client offers, to be agreed.
 */
export function acceptHandshake(
  request: IncomingMessage,
  socket: Socket,
  head: Buffer,
  accepted: (ws: SubscriberSocket) => void,
  subprotocol?: string,
): void {
  // What is left to ws is spelled the one way it knows; other sub-protocols are not to be looked at.
  request.headers.upgrade = 'websocket';
  request.headers['sec-websocket-version'] = '13';
  delete request.headers['sec-websocket-protocol'];
  if (subprotocol !== undefined) request.headers['sec-websocket-protocol'] = subprotocol;
  server.handleUpgrade(request, socket, head, accepted);
}

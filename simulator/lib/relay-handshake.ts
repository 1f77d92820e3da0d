// What a reader asks for in its handshake, and how the simulated relay says no. Faults that need time or the socket's
// end are the server's business.

import type { Duplex } from 'node:stream';

const streamPath = '/xrpc/com.atproto.sync.subscribeRepos';

/** An HTTP answer instead of a stream. */
export interface Refusal {
  readonly status: number;
  readonly error: string;
}

/** A request for the stream, or why there is none. */
export interface Handshake {
  readonly refusal?: Refusal;
  /** Undefined for live. */
  readonly cursor: number | undefined;
}

/** Reads a request target. @param refuseStatus answers this whatever is asked; 0 to judge by the request. */
export function readHandshake(target: string, refuseStatus: number, full: boolean): Handshake {
  const url = new URL(target, 'http://relay');
  const text = url.searchParams.get('cursor') ?? undefined;
  const cursor = text === undefined ? undefined : Number(text);
  if (refuseStatus > 0) {
    return { cursor, refusal: { status: refuseStatus, error: 'Refused' } };
  }
  if (url.pathname !== streamPath) {
    return { cursor, refusal: { status: 404, error: 'NotFound' } };
  }
  if (text !== undefined && !(/^-?\d+$/.test(text) && Number.isSafeInteger(cursor))) {
    return { cursor, refusal: { status: 400, error: 'InvalidRequest' } };
  }
  return full ? { cursor, refusal: { status: 503, error: 'TooManyConnections' } } : { cursor };
}

/** Sends a refusal and ends the socket. */
export function refuse(socket: Duplex, { status, error }: Refusal): void {
  const body = JSON.stringify({ error });
  const head = `HTTP/1.1 ${status} ${error}\r\nContent-Type: application/json\r\nConnection: close`;
  socket.end(`${head}\r\nContent-Length: ${body.length}\r\n\r\n${body}`);
}

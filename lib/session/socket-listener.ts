// What happens on a subscriber's socket, handed to its session. The functions that listen are the same for all sessions. What
// follows is the session's.

import type { Socket } from 'node:net';
import type { ClosedBy, SubscriberSocket } from './subscriber-socket.ts';

/** Who is told. */
export interface SocketListener {
  /** A data message; it shares memory with what is read. */
  message(data: Buffer, isBinary: boolean): void;
  /** The client has broken the protocol. */
  violated(error: Error): void;
  pinged(payload: Buffer): void;
  /** This side has handed its close frame to the socket. */
  closing(by: ClosedBy, code: number | undefined): void;
  /** What has come has been read. */
  received(): void;
  /** Nothing more comes. */
  ended(): void;
  /** The socket takes bytes again. */
  drained(): void;
  /** The connection is no more. */
  gone(): void;
}

/** Where sockets keep their session, so that listeners are the same functions for all: ten closures would be 1 KB each. */
const sessionKey = Symbol('session');

function sessionOf(socket: object): SocketListener {
  return (socket as { [sessionKey]: SocketListener })[sessionKey];
}

const on = {
  message(this: object, data: Buffer, isBinary: boolean): void {
    sessionOf(this).message(data, isBinary);
  },
  error(this: object, error: Error): void {
    sessionOf(this).violated(error);
  },
  ping(this: object, payload: Buffer): void {
    sessionOf(this).pinged(payload);
  },
  close(this: object): void {
    sessionOf(this).gone();
  },
  closing(this: object, by: ClosedBy, code: number | undefined): void {
    sessionOf(this).closing(by, code);
  },
  data(this: object): void {
    sessionOf(this).received();
  },
  end(this: object): void {
    sessionOf(this).ended();
  },
  drain(this: object): void {
    sessionOf(this).drained();
  },
};

/** From now on `session` is told; once for each pair of sockets. @param socket the one under `ws`. */
export function listen(ws: SubscriberSocket, socket: Socket, session: SocketListener): void {
  Object.assign(ws, { [sessionKey]: session });
  Object.assign(socket, { [sessionKey]: session });
  ws.onClosing = on.closing;
  ws.on('message', on.message);
  ws.on('error', on.error);
  ws.on('ping', on.ping);
  ws.on('close', on.close);
  // After the listener of ws, which has read the frames by then.
  socket.on('data', on.data);
  socket.on('end', on.end);
  socket.on('drain', on.drain);
}

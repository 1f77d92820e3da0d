// How far the system has got with what was written to a socket. Used by websocket-session.ts, to tell a slow client from
// one that does not read.

import type { Socket } from 'node:net';

/** What node:net itself looks at for its timeouts. */
interface Handle {
  /** Bytes of all writes that were begun. */
  readonly bytesWritten: number;
  /** Bytes of those that the system has not taken. */
  readonly writeQueueSize?: number;
}

/** Bytes that the system has taken since the socket's start; of a write under way too, where node:net lets that be known. */
export function bytesTaken(socket: Socket): number {
  const handle = (socket as { _handle?: Handle | null })._handle;
  if (handle?.writeQueueSize !== undefined) return handle.bytesWritten - handle.writeQueueSize;
  return socket.bytesWritten - socket.writableLength;
}

// A subscriber's socket without a network: bytes in, in pieces of any size; what it read and what it answered out, in the form of
// the model of frames.

import { Duplex } from 'node:stream';
import { setImmediate as turn } from 'node:timers/promises';
import { SubscriberSocket } from '../../lib/session/subscriber-socket.ts';
import type { End, Reading } from './frame-model.ts';
import { frameLimits } from './websocket-inputs.ts';

/** What ws has no types for. */
interface Internals {
  setSocket(socket: Duplex, head: Uint8Array, options: object): void;
}

/** Has a socket read the pieces. @param ends what a message ends it with. */
export async function socketReading(
  pieces: readonly Buffer[],
  ends: (data: Buffer, isBinary: boolean) => End | undefined,
): Promise<Reading> {
  const messages: { isBinary: boolean; data: Buffer }[] = [];
  const pings: Buffer[] = [];
  let end: End | undefined;
  const socket = new Duplex({ read: () => {}, write: (_bytes, _encoding, done) => done() });
  socket.on('error', () => {});
  const ws = Reflect.construct(SubscriberSocket, [null, undefined, { autoPong: false }]) as SubscriberSocket;
  const { messageBytesMax, piecesMax } = frameLimits;
  (ws as unknown as Internals).setSocket(socket, Buffer.alloc(0), {
    ...{
      allowSynchronousEvents: true,
      maxPayload: messageBytesMax,
      maxFragments: piecesMax,
      skipUTF8Validation: false,
    },
  });
  ws.onClosing = (by, code) => {
    end ??= { by, code };
  };
  ws.on('message', (data: Buffer, isBinary: boolean) => {
    if (end !== undefined) return;
    messages.push({ isBinary, data });
    const fault = ends(data, isBinary);
    if (fault !== undefined) ws.close(fault.code, '');
  });
  ws.on('ping', (payload: Buffer) => {
    if (end === undefined) pings.push(Buffer.from(payload));
  });
  ws.on('error', (error) => ws.answerViolation(error));
  for (const piece of pieces) socket.emit('data', piece);
  // Streams tell of errors a moment later.
  await turn();
  ws.terminate();
  socket.destroy();
  return { messages, pings, end };
}

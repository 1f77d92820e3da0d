// A client that goes on to send when it has its answer, and reads that only then: closed at once, it would get a reset in its place.

import { connect } from 'node:net';
import { setImmediate as turn } from 'node:timers/promises';
import { expect, onTestFinished } from 'vitest';
import { parseAnswer } from './raw-client.ts';

/** Sends a request, and more once the server has answered it; reads only then. Resolves with what came, and what was wrong. */
export async function sendingOn(port: number, request: string, hasAnswered: () => boolean, more: Buffer[]) {
  const socket = connect({ port, host: '127.0.0.1', noDelay: true });
  onTestFinished(() => void socket.destroy());
  let error: string | undefined;
  socket.on('error', ({ code }: NodeJS.ErrnoException) => {
    error ??= code;
  });
  socket.pause();
  socket.write(request, 'latin1');
  await expect.poll(hasAnswered).toBe(true);
  for (const bytes of more) {
    // To whom has closed, the first of these is answered with a reset, and the next fails.
    await new Promise((done) => socket.write(bytes, done));
    await turn();
  }
  let text = '';
  const closed = new Promise((done) => socket.once('close', done));
  socket.setEncoding('latin1').on('data', (chunk: string) => {
    text += chunk;
  });
  socket.resume().end();
  await closed;
  return { answer: parseAnswer(text), error };
}

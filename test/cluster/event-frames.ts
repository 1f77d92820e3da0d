// The compressed frames that a node sends for its whole log, as one digest: they have to be the same bytes everywhere.

import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { zstdDecompressSync } from 'node:zlib';
import { WebSocket } from 'ws';
import { defaultDictionaryPath } from '../../lib/codec/dictionary.ts';
import { timeUsOf } from '../crash/event-trail.ts';

const dictionary = readFileSync(defaultDictionaryPath());

/** Of all events up to the one at `endUs`. */
export async function digestFrames(address: string, endUs: number): Promise<string> {
  const hash = createHash('sha256');
  const socket = new WebSocket(`${address}/subscribe?cursor=0&compress=true`, { perMessageDeflate: false });
  await new Promise<void>((done, failed) => {
    socket.on('error', failed);
    socket.on('close', () => failed(new Error('the connection has ended')));
    socket.on('message', (data: Buffer) => {
      hash.update(data);
      if (timeUsOf(zstdDecompressSync(data, { dictionary })) >= endUs) done();
    });
  });
  socket.removeAllListeners('close');
  socket.terminate();
  return hash.digest('hex');
}

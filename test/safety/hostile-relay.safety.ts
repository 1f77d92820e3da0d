// A relay that sends what no relay should, as fast as it can, to a daemon that goes on answering clients, and that takes
// good frames right after. What single frames do to the decoder is in test/decode, what connections do in test/upstream.

import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, it, onTestFinished } from 'vitest';
import { type WebSocket, WebSocketServer } from 'ws';
import { frameMaxBytes } from '../../lib/upstream/limits.ts';
import { SyntheticNetwork } from '../../simulator/lib/network.ts';
import { Daemon } from '../crash/daemon.ts';
import { type Attacker, sessions } from './attackers.ts';
import { admitsInTime, residentBytes } from './target.ts';

const attackMs = 400;
const memoryBytesMax = 300 * 2 ** 20;
/** Head and body of a frame, as CBOR: `{op: 1, t: "#commit"}` and arrays in arrays, 100,000 deep. */
const deepFrame = Buffer.concat([
  Buffer.from('a2626f7001617467', 'hex'),
  Buffer.from('#commit'),
  Buffer.from('a16173', 'hex'),
  Buffer.alloc(100_000, 0x81),
  Buffer.from([0]),
]);
/** A map that says it has four billion entries. */
const hollowFrame = Buffer.concat([deepFrame.subarray(0, 15), Buffer.from('bafffffffff6', 'hex')]);

it.each<[string, Uint8Array]>([
  ['frames of one byte', Buffer.from([0xa0])],
  ['empty frames', Buffer.alloc(0)],
  ['frames of random bytes', Buffer.from(Array.from({ length: 3000 }, (_, at) => (at * 7919) % 251))],
  ['frames that nest deep', deepFrame],
  ['maps that claim four billion entries', hollowFrame],
  ['megabytes of zeros', Buffer.alloc(4 * 2 ** 20)],
  ['frames over the limit', Buffer.alloc(frameMaxBytes + 1)],
])('%s are dropped, and the next good ones taken', async (_name, bytes) => {
  const relay = new WebSocketServer({ port: 0, host: '127.0.0.1', perMessageDeflate: false });
  await once(relay, 'listening');
  const dataDir = await mkdtemp(join(tmpdir(), 'slipstream-safety-'));
  const relayUrl = `ws://127.0.0.1:${(relay.address() as AddressInfo).port}`;
  let isHostile = true;
  const network = new SyntheticNetwork({ seed: 'relay', accounts: 4 });
  const frames = [await network.next(), await network.next(), await network.next(), await network.next()];
  const serve = async (socket: WebSocket): Promise<void> => {
    socket.on('error', () => {});
    while (isHostile && socket.readyState === socket.OPEN) {
      for (let sent = 0; sent < 100 && socket.bufferedAmount < 2 ** 20; sent++) socket.send(bytes);
      await sleep(0);
    }
    for (const frame of frames) socket.send(frame.bytes);
  };
  relay.on('connection', (socket) => void serve(socket));
  const daemon = new Daemon({ dataDir, relayUrl, flags: ['--workers', '0'] });
  onTestFinished(async () => {
    isHostile = false;
    await daemon.kill();
    for (const client of relay.clients) client.terminate();
    relay.close();
    await rm(dataDir, { recursive: true, force: true });
  });
  const address = await daemon.started;
  const port = Number(new URL(address as string).port);
  let most = 0;
  for (const endMs = performance.now() + attackMs; performance.now() < endMs; await sleep(20)) {
    most = Math.max(most, residentBytes(daemon.pid));
  }
  let client: Attacker | undefined;
  await admitsInTime([daemon.pid], async () => {
    [client] = await sessions(port, 1, 'cursor=0');
  });
  expect(client?.status).toBe(101);
  isHostile = false;
  expect(await client?.receives(/"kind":"commit"/)).toBe(true);
  expect(daemon.exit, daemon.lines.join('\n')).toBeUndefined();
  expect(most).toBeLessThan(memoryBytesMax);
});

// A client that is let go for want of room while others are being sent something, because one of them has not taken what it was sent:
// the others get everything once.

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test, vi } from 'vitest';
import { Fanout } from '../../lib/fanout/fanout.ts';
import { LevelLog } from '../../lib/log/level-log.ts';
import type { WebSocket } from '../../lib/websocket.ts';
import { listening } from '../http/listening.ts';
import { addressTable } from '../support/addresses.ts';
import { fakeCompressor, SampleLog, seededRandom } from '../support/events.ts';

const kibibyte = 1024;
/** A message that has begun: a frame of a megabyte, of which so many bytes are there. */
const unfinished = Buffer.concat([
  Buffer.from('81ff000000000010000000000000', 'hex'),
  Buffer.alloc(700 * kibibyte),
]);

async function opened() {
  const dataDir = await mkdtemp(join(tmpdir(), 'slipstream-shed-'));
  onTestFinished(() => rm(dataDir, { recursive: true }));
  const options = { dataDir, retentionBytes: 0, tailBytesMax: 10_000_000, fsync: false };
  const log = await LevelLog.open({ ...options, compressor: fakeCompressor });
  onTestFinished(() => log.close());
  const sample = new SampleLog(seededRandom(1), { didHashKey: log.didHashKey, textBytesMax: 30_000 });
  const fanout = new Fanout(log, addressTable(), (error) => expect.unreachable(String(error)));
  const heldLimits = {
    connectionBytesMax: 2_000 * kibibyte,
    addressBytesMax: 2_000 * kibibyte,
    bytesMax: 750 * kibibyte,
  };
  const server = await listening({ source: fanout, heldLimits });
  const publish = async () => {
    const block = sample.block(20);
    await log.append(block);
    fanout.publish([block]);
  };
  return { ...server, fanout, sample, publish };
}

function timesOf(client: WebSocket): number[] {
  const times: number[] = [];
  client.on('message', (data) => times.push(JSON.parse(data.toString()).time_us));
  return times;
}

test('who is live gets each block once', async () => {
  const { fanout, listener, sample, publish, raw, client } = await opened();
  const holding = await raw('/subscribe');
  const first = timesOf(await client('/subscribe'));
  const stalled = await raw('/subscribe');
  stalled.socket.pause();
  const last = timesOf(await client('/subscribe'));
  expect(fanout.stats().live).toBe(4);
  holding.socket.write(unfinished);
  await vi.waitFor(() => expect(listener.held.bytes.message).toBe(700 * kibibyte));
  // Until the kernel takes no more for it.
  for (let blocks = 0; listener.held.shed.all === 0 && blocks < 200; blocks++) {
    await publish();
    await vi.waitFor(() =>
      expect([first.length, last.length]).toEqual([sample.events.length, sample.events.length]),
    );
  }
  expect(listener.held.shed.all).toBe(1);
  await publish();
  const times = sample.events.map(({ time_us }) => time_us);
  await vi.waitFor(() => expect(last.length).toBeGreaterThanOrEqual(times.length));
  expect(last).toEqual(times);
  expect(first).toEqual(times);
  await vi.waitFor(() => expect(fanout.stats().subscribers).toBe(3));
});

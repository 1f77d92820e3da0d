// Whether a log that is there can go on as a copy of the stream.

import { existsSync, readdirSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { ClusterCounts } from '../../lib/cluster/cluster-counts.ts';
import { StreamFollower } from '../../lib/cluster/stream-follower.ts';
import { LevelLog } from '../../lib/log/level-log.ts';
import type { LevelLogOptions } from '../../lib/log/opened-log.ts';
import { openSharedLog, type SharedLog } from '../../lib/service/shared-log.ts';
import { FakeClock, FakeEngine } from '../cluster/fake-engine.ts';
import { SampleStream, streamId } from '../cluster/sample-stream.ts';
import { fakeCompressor, SampleLog, seededRandom } from '../support/events.ts';

const didHashKey = Buffer.from('0011223344556677', 'hex');
let dataDir: string;
let engine: FakeEngine;
let stream: SampleStream;
let shared: SharedLog;
let lines: string[];

beforeEach(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'slipstream-shared-'));
  engine = new FakeEngine();
  stream = new SampleStream(engine, 6, didHashKey);
  shared = { role: 'serve', engine, identity: { streamId, didHashKey }, emptySequence: 0 };
  lines = [];
});
afterEach(() => rm(dataDir, { recursive: true }));

function options(own: Partial<LevelLogOptions> = {}): LevelLogOptions {
  return {
    ...{ dataDir, retentionBytes: 0, tailBytesMax: 0, fsync: false, compressor: fakeCompressor, didHashKey },
    ...own,
  };
}

async function open(): Promise<LevelLog> {
  const note = (_: object, message: string): void => void lines.push(message);
  return openSharedLog(options(), shared, { info: note, warn: note, error: note, debug: note } as never);
}

/** Copies so many messages into the log of this node. */
async function copy(messages: number): Promise<void> {
  const log = await open();
  const follower = new StreamFollower({
    ...{ engine, counts: new ClusterCounts(), streamId, compressor: fakeCompressor },
    ...{ sequence: 0, lastTimeUs: 0, clock: new FakeClock() },
    push: (block) => (appended = appended.then(() => log.append(block))),
    failed: (error) => expect.unreachable(String(error)),
  });
  let appended = Promise.resolve();
  follower.start();
  await expect.poll(() => follower.sequence).toBe(messages);
  await follower.stop();
  await appended;
  await log.close();
}

async function stored(log: LevelLog): Promise<number> {
  const { storedEvents } = log.stats();
  await log.close();
  return storedEvents;
}

test('an empty log begins where the stream does', async () => {
  for (let made = 0; made < 5; made++) stream.write(2);
  engine.trimmedTo = 3;
  const log = await open();
  expect(shared.emptySequence).toBe(3);
  expect(await stored(log)).toBe(0);
});

test('one that was away goes on', async () => {
  for (let made = 0; made < 5; made++) stream.write(2);
  await copy(5);
  for (let made = 0; made < 5; made++) stream.write(2);
  expect(await stored(await open())).toBe(10);
  // All that it has is gone from the stream, and nothing is missing.
  engine.trimmedTo = 5;
  expect(await stored(await open())).toBe(10);
  expect(lines).toEqual([]);
});

test('one that was away for longer than the stream keeps starts over, and says so', async () => {
  for (let made = 0; made < 5; made++) stream.write(2);
  await copy(5);
  for (let made = 0; made < 5; made++) stream.write(2);
  engine.trimmedTo = 6;
  expect(await stored(await open())).toBe(0);
  expect(lines).toEqual([expect.stringContaining('longer than the stream keeps')]);
  expect(readdirSync(dataDir).filter((name) => name.startsWith('forked'))).toEqual([]);
});

test('one that has what the stream has lost is set aside, and the stream is copied', async () => {
  for (let made = 0; made < 5; made++) stream.write(2);
  await copy(5);
  engine.forget(2);
  stream.write(2);
  stream.write(2);
  expect(await stored(await open())).toBe(0);
  expect(lines).toEqual([expect.stringContaining('has lost what this node has')]);
  const [aside] = readdirSync(dataDir).filter((name) => name.startsWith('forked'));
  expect(existsSync(join(dataDir, aside, 'blocks', 'CURRENT'))).toBe(true);
  const before = await LevelLog.open(options({ dataDir: join(dataDir, aside) }));
  expect(await stored(before)).toBe(10);
});

test('the log of a single daemon, or of another cluster, is refused', async () => {
  stream.write(2);
  for (const key of [undefined, didHashKey]) {
    await rm(dataDir, { recursive: true });
    const alone = await LevelLog.open(options({ didHashKey: key }));
    await alone.append(new SampleLog(seededRandom(1), { didHashKey: alone.didHashKey }).block(3));
    await alone.close();
    await expect(open()).rejects.toMatchObject({ code: 'CLUSTER_OTHER_LOG', exitCode: 2 });
    // It is as it was.
    expect(await stored(await LevelLog.open(options({ didHashKey: key })))).toBe(3);
  }
});

test('a log that ends in the middle of a message goes on, one that ends in the middle of a block has to go', async () => {
  stream.write(2);
  await copy(1);
  const blocks = stream.writeTogether([3, 3, 3]);
  const log = await open();
  await log.append(blocks[0]);
  expect(await stored(log)).toBe(5);
  expect(await stored(await open())).toBe(5);
  expect(lines).toEqual([]);
  // The stream has lost that message, and has another one there.
  engine.forget(1);
  stream.writeTogether([3, 3, 3]);
  expect(await stored(await open())).toBe(0);
  expect(lines).toEqual([expect.stringContaining('has lost what this node has')]);
});

test('a log of nothing but the beginning of the first message goes on', async () => {
  const blocks = stream.writeTogether([3, 3]);
  const log = await open();
  await log.append(blocks[0]);
  expect(await stored(log)).toBe(3);
  expect(await stored(await open())).toBe(3);
  expect(lines).toEqual([]);
});

test('a log that is set aside is closed once, also when there is no other in its place', async () => {
  stream.write(2);
  await copy(1);
  engine.forget(1);
  stream.write(2);
  const first = await LevelLog.open(options());
  const close = vi.spyOn(first, 'close');
  const opening = vi.spyOn(LevelLog, 'open').mockResolvedValueOnce(first);
  opening.mockRejectedValueOnce(new Error('no second one'));
  await expect(open()).rejects.toThrow('no second one');
  opening.mockRestore();
  expect(close).toHaveBeenCalledTimes(1);
});

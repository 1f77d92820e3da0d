import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { sequenceIn } from '../../lib/cluster/block-message.ts';
import { ClusterCounts } from '../../lib/cluster/cluster-counts.ts';
import { ClusterLog } from '../../lib/cluster/cluster-log.ts';
import { StreamFollower } from '../../lib/cluster/stream-follower.ts';
import { StreamWriter } from '../../lib/cluster/stream-writer.ts';
import { CodedError } from '../../lib/errors.ts';
import { BlockQueue } from '../../lib/ingest/block-queue.ts';
import type { Block } from '../../lib/log/block.ts';
import { LevelLog } from '../../lib/log/level-log.ts';
import { fakeCompressor, SampleLog, seededRandom } from '../support/events.ts';
import { FakeClock, FakeEngine } from './fake-engine.ts';
import { streamId, textsOf } from './sample-stream.ts';

const didHashKey = Buffer.from('0011223344556677', 'hex');
let dataDir: string;
let local: LevelLog;
let engine: FakeEngine;
let sample: SampleLog;

async function open(folder: string): Promise<LevelLog> {
  return LevelLog.open({
    ...{ dataDir: join(dataDir, folder), retentionBytes: 0, tailBytesMax: 0, fsync: false },
    ...{ compressor: fakeCompressor, didHashKey },
  });
}

beforeEach(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'slipstream-cluster-'));
  local = await open('writer');
  engine = new FakeEngine();
  sample = new SampleLog(seededRandom(4), { textBytesMax: 500, didHashKey });
});
afterEach(async () => {
  await local.close();
  await rm(dataDir, { recursive: true });
});

function clusterLog(options: Partial<ConstructorParameters<typeof ClusterLog>[0]> = {}): ClusterLog {
  const writer = new StreamWriter(engine, new ClusterCounts(), new FakeClock());
  return new ClusterLog({
    ...{ log: local, writer, streamId, termId: 'own.1', sequence: 0 },
    messageBytesMax: engine.messageBytesMax,
    tooLarge: () => {},
    ...options,
  });
}

/** Stores a block the way ingest does. */
async function write(log: ClusterLog, block: Block): Promise<void> {
  await log.append(await log.resolve(block));
}

test('a new log has the key that others share', () => {
  expect(Buffer.compare(local.didHashKey, didHashKey)).toBe(0);
});

test('a block is in the stream, then in the log, at the same place; followers have the same', async () => {
  const log = clusterLog();
  for (let made = 0; made < 20; made++) await write(log, sample.block(1 + (made % 5)));
  expect(log.sequence).toBe(20);
  expect(sequenceIn(local.positions, streamId)).toBe(20);
  expect(log.positions).toEqual(new Map([['relay.test', 20]]));
  const copy = await open('follower');
  const unreachable = (error: unknown): void => expect.unreachable(String(error));
  const queue = new BlockQueue(
    {
      log: {
        append: (block) => copy.append(block),
        resolve: (block) => block,
        recover: () => copy.recover(),
        get lastTimeUs() {
          return copy.lastTimeUs;
        },
      },
      ...{ publish: () => undefined, written: () => {}, stalled: () => {}, failed: unreachable },
    },
    { setPaused: () => {}, drained: () => {} },
  );
  const follower = new StreamFollower({
    ...{ engine, counts: new ClusterCounts(), streamId, compressor: fakeCompressor },
    ...{ sequence: 0, lastTimeUs: 0, clock: new FakeClock() },
    push: (block) => queue.push(block, undefined),
    failed: unreachable,
  });
  follower.start();
  await expect.poll(() => follower.sequence).toBe(20);
  await follower.stop();
  await queue.stop();
  const [one, other] = await Promise.all([local, copy].map((log) => log.read(0, 'json', 1e9)));
  expect(other.slices.flatMap(({ index, messages }) => textsOf({ index, json: messages } as Block))).toEqual(
    one.slices.flatMap(({ index, messages }) => textsOf({ index, json: messages } as Block)),
  );
  expect(copy.positions).toEqual(local.positions);
  await copy.close();
});

test('while the engine is away it says so, and the same block goes on', async () => {
  engine.appendFaults.push(...Array(300).fill('no_leader'), 'lost');
  const log = clusterLog({ patienceMs: 0 });
  const block = sample.block(3);
  await expect(write(log, block)).rejects.toMatchObject({
    ...{ code: 'CLUSTER_ENGINE_UNAVAILABLE', retryable: true },
  });
  await log.recover();
  await write(log, block);
  expect(engine.stored).toHaveLength(1);
  expect(local.lastTimeUs).toBe(block.index.lastTimeUs);
});

test('when only the local log fails, the stream gets the block once', async () => {
  const full = new CodedError('LOG_DISK_FULL', 'full', { retryable: true });
  let failures = 2;
  let recoveries = 0;
  const failing = new Proxy(local, {
    get(target, name) {
      if (name === 'recover') return async () => void recoveries++;
      if (name !== 'append' || failures-- <= 0) {
        const value = Reflect.get(target, name, target);
        return typeof value === 'function' ? value.bind(target) : value;
      }
      return () => Promise.reject(full);
    },
  });
  const log = clusterLog({ log: failing });
  const block = sample.block(3);
  await expect(write(log, block)).rejects.toBe(full);
  await log.recover();
  await expect(write(log, block)).rejects.toBe(full);
  await log.recover();
  await write(log, block);
  expect(recoveries).toBe(2);
  expect(engine.stored).toHaveLength(1);
  await write(log, sample.block(2));
  expect(log.sequence).toBe(2);
});

test('another writer ends it, and nothing of the block is stored here', async () => {
  const log = clusterLog();
  await write(log, sample.block(3));
  const { lastTimeUs } = local;
  engine.appendFaults.push('foreign');
  await expect(write(log, sample.block(3))).rejects.toMatchObject({ code: 'CLUSTER_FENCED' });
  expect(local.lastTimeUs).toBe(lastTimeUs);
});

test('an engine that has lost what it had acknowledged ends it', async () => {
  const log = clusterLog();
  for (let made = 0; made < 5; made++) await write(log, sample.block(3));
  engine.forget(3);
  await expect(write(log, sample.block(3))).rejects.toMatchObject({ code: 'CLUSTER_STREAM_FORKED' });
});

test('closed while the engine is away, it ends', async () => {
  engine.appendFaults.push(...Array(100_000).fill('no_leader'));
  const log = clusterLog({ patienceMs: 0 });
  const block = sample.block(3);
  await expect(write(log, block)).rejects.toMatchObject({ retryable: true });
  await log.close();
  await log.recover();
  await expect(write(log, block)).rejects.toMatchObject({ code: 'LOG_CLOSED' });
});

test('events that no message can hold are left out everywhere, and the ledger says so', async () => {
  let left = 0;
  const log = clusterLog({ messageBytesMax: 4_000, tooLarge: (events) => (left += events) });
  await write(log, sample.block(3));
  const large = await log.resolve(
    new SampleLog(seededRandom(9), { textBytesMax: 50_000, didHashKey }).block(90),
  );
  expect(left).toBe(90);
  expect(large.index.count).toBe(0);
  await log.append(large);
  expect(engine.stored).toHaveLength(2);
  const row = { reason: 'frame_dropped', relay: 'relay.test', detail: 'too_large' };
  expect(local.coverage.newest(9)).toMatchObject([{ ...row, toUs: large.index.lastTimeUs }]);
  await write(log, sample.block(2));
  expect(log.sequence).toBe(3);
});

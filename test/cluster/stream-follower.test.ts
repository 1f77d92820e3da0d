import { expect, test } from 'vitest';
import { ClusterCounts, followNotes } from '../../lib/cluster/cluster-counts.ts';
import { StreamFollower } from '../../lib/cluster/stream-follower.ts';
import type { Block } from '../../lib/log/block.ts';
import { SeededRandom } from '../../lib/seeded-random.ts';
import { fakeCompressor } from '../support/events.ts';
import { type BatchFault, type BellFault, FakeClock, FakeEngine, type ReadFault } from './fake-engine.ts';
import { SampleStream, streamId, textsOf } from './sample-stream.ts';

function rig(seed?: number) {
  const engine = new FakeEngine();
  const stream = new SampleStream(engine, seed);
  const counts = new ClusterCounts();
  const blocks: Block[] = [];
  const failure = Promise.withResolvers<unknown>();
  let follower: StreamFollower | undefined;
  const start = (sequence = 0, lastTimeUs = 0): StreamFollower => {
    follower = new StreamFollower({
      engine,
      counts,
      streamId,
      compressor: fakeCompressor,
      sequence,
      lastTimeUs,
      push: (block) => blocks.push(block),
      failed: failure.resolve,
      clock: new FakeClock(),
    });
    follower.start();
    return follower;
  };
  return {
    ...{ engine, stream, counts, blocks, start, failed: failure.promise },
    texts: () => blocks.flatMap(textsOf),
    async [Symbol.asyncDispose]() {
      await follower?.stop();
    },
  };
}

test('what is there is copied in large blocks, what comes is taken as it comes', async () => {
  await using it = rig();
  it.engine.batchMax = 500;
  for (let made = 0; made < 200; made++) it.stream.write(3);
  const follower = it.start();
  await expect.poll(() => follower.isCaughtUp).toBe(true);
  expect(it.texts()).toEqual(it.stream.texts);
  // Full ones, and the rest as they are.
  expect(it.blocks.map(({ index }) => index.count).filter((events) => events > 3)).toEqual([258, 258]);
  expect(it.blocks).toHaveLength(2 + 28);
  expect(it.blocks.at(-1)?.positions.get(`stream:${streamId}`)).toBe(200);
  it.blocks.length = 0;
  const block = it.stream.write(2);
  await expect.poll(() => it.blocks.length).toBe(1);
  expect(textsOf(it.blocks[0])).toEqual(textsOf(block));
  expect(follower).toMatchObject({ sequence: 201, behind: 0, newestId: 'writer.201' });
  const { doorbell = 0, batch = 0 } = Object.fromEntries(it.counts.follows);
  expect(doorbell + batch).toBe(201);
});

test('blocks are full across the ends of batches, and the next one is on its way while one is stored', async () => {
  await using it = rig();
  for (let made = 0; made < 200; made++) it.stream.write(3);
  const { batch } = it.engine;
  // What had been pushed when a batch was asked for.
  const pushedAt: number[] = [];
  it.engine.batch = (...asked) => {
    pushedAt.push(it.blocks.length);
    return batch.apply(it.engine, asked);
  };
  const follower = it.start();
  await expect.poll(() => follower.isCaughtUp).toBe(true);
  expect(it.texts()).toEqual(it.stream.texts);
  expect(it.blocks.map(({ index }) => index.count).filter((events) => events > 3)).toEqual([258, 258]);
  expect(it.blocks).toHaveLength(2 + 28);
  // Batches have 50 messages: 86 make a block, which the second one ends.
  expect(pushedAt.slice(0, 4)).toEqual([0, 0, 0, 1]);
  expect(it.engine.batchesAtOnce).toBe(1);
});

test('who has stopped has no batch on its way', async () => {
  await using it = rig();
  for (let made = 0; made < 200; made++) it.stream.write(3);
  const follower = it.start();
  await expect.poll(() => follower.sequence).toBeGreaterThan(0);
  await follower.stop();
  await it.engine.batch(1, 1, () => {});
  expect(it.engine.batchesAtOnce).toBe(1);
});

test('who has stopped has handed on all that it says it has', async () => {
  await using it = rig();
  for (let made = 0; made < 200; made++) it.stream.write(3);
  const { batch } = it.engine;
  const second = Promise.withResolvers<void>();
  it.engine.batch = async (...asked) => {
    if (asked[0] > 1) await second.promise;
    return batch.apply(it.engine, asked);
  };
  const follower = it.start();
  await expect.poll(() => follower.sequence).toBe(50);
  const stopped = follower.stop();
  second.resolve();
  await stopped;
  expect(it.texts()).toEqual(it.stream.texts.slice(0, 150));
  expect(it.blocks.at(-1)?.positions.get(`stream:${streamId}`)).toBe(follower.sequence);
});

test('of blocks without events few wait', async () => {
  await using it = rig();
  for (let made = 0; made < 800; made++) it.stream.write(0);
  const { batch } = it.engine;
  let mostWaiting = 0;
  it.engine.batch = (...asked) => {
    mostWaiting = Math.max(mostWaiting, asked[0] - 1 - it.blocks.length);
    return batch.apply(it.engine, asked);
  };
  const follower = it.start();
  await expect.poll(() => follower.isCaughtUp).toBe(true);
  // With those of the batch that is asked for meanwhile.
  expect(mostWaiting).toBeLessThan(256 + 100);
  expect(it.blocks.map(({ positions }) => positions.get(`stream:${streamId}`))).toEqual(
    Array.from({ length: 800 }, (_, at) => at + 1),
  );
});

test('it goes on where the log ends', async () => {
  await using it = rig();
  const old = Array.from({ length: 9 }, () => it.stream.write(4)).at(-1) as Block;
  const follower = it.start(9, old.index.lastTimeUs);
  const block = it.stream.write(1);
  await expect.poll(() => follower.sequence).toBe(10);
  expect(it.texts()).toEqual(textsOf(block));
});

test('whoever has enough is not given more', async () => {
  await using it = rig();
  const follower = it.start();
  await expect.poll(() => follower.isCaughtUp).toBe(true);
  follower.setPaused(true);
  // What is being asked for is taken.
  await new Promise((resolve) => setTimeout(resolve, 20));
  for (let made = 0; made < 20; made++) it.stream.write(3);
  await expect.poll(() => follower.behind).toBe(20);
  expect(it.blocks).toHaveLength(0);
  follower.setPaused(false);
  await expect.poll(() => it.texts()).toEqual(it.stream.texts);
});

test('a stream that has let go of the next message ends it', async () => {
  await using it = rig();
  for (let made = 0; made < 9; made++) it.stream.write(4);
  it.engine.trimmedTo = 7;
  it.start(4, 1);
  expect(await it.failed).toMatchObject({ code: 'CLUSTER_TOO_OLD' });
  expect(it.blocks).toHaveLength(0);
});

test('so does one whose newest messages are gone, and nothing comes any more', async () => {
  await using it = rig();
  for (let made = 0; made < 9; made++) it.stream.write(4);
  it.engine.trimmedTo = 9;
  it.start(4, 1);
  expect(await it.failed).toMatchObject({ code: 'CLUSTER_TOO_OLD' });
});

test('an empty log begins where the stream does', async () => {
  await using it = rig();
  for (let made = 0; made < 9; made++) it.stream.write(4);
  it.engine.trimmedTo = 7;
  const follower = it.start(7);
  await expect.poll(() => follower.sequence).toBe(9);
  expect(it.texts()).toEqual(it.stream.texts.slice(7 * 4));
});

test('a message that is missing for good ends it: it is never stepped over', async () => {
  await using it = rig();
  for (let made = 0; made < 9; made++) it.stream.write(4);
  it.engine.stored.splice(4, 1);
  it.start();
  expect(await it.failed).toMatchObject({ code: 'CLUSTER_STREAM_HOLE' });
  expect(it.texts()).toEqual(it.stream.texts.slice(0, 16));
  expect(it.counts.follows.get('hole')).toBe(3);
});

test('one that the leader has is taken from there', async () => {
  await using it = rig();
  it.stream.write(4);
  it.stream.write(4);
  it.engine.batchFaults.push('jump');
  const follower = it.start();
  await expect.poll(() => follower.isCaughtUp).toBe(true);
  expect(it.texts()).toEqual(it.stream.texts);
  expect(it.counts.follows.get('leader')).toBe(1);
});

test('a damaged message is read from the leader; if that is damaged too, it ends', async () => {
  await using it = rig();
  it.stream.write(4);
  it.engine.batchFaults.push('damaged');
  const follower = it.start();
  await expect.poll(() => follower.isCaughtUp).toBe(true);
  expect(it.texts()).toEqual(it.stream.texts);
  expect(it.counts.follows.get('repaired')).toBe(1);
  it.engine.store({ id: 'x', bytes: Buffer.from('no block') });
  expect(await it.failed).toMatchObject({ code: 'LOG_CORRUPT' });
  expect(follower.sequence).toBe(1);
});

test('a stream that has lost what this node has ends it, once it has said so for long', async () => {
  await using it = rig();
  for (let made = 0; made < 9; made++) it.stream.write(4);
  const follower = it.start();
  await expect.poll(() => follower.isCaughtUp).toBe(true);
  it.engine.forget(3);
  expect(await it.failed).toMatchObject({ code: 'CLUSTER_STREAM_FORKED' });
  expect(it.counts.follows.get('short_stream')).toBeGreaterThan(1);
});

test('a leader that says so for a moment does not', async () => {
  await using it = rig();
  for (let made = 0; made < 12; made++) it.stream.write(4);
  const follower = it.start();
  await expect.poll(() => follower.isCaughtUp).toBe(true);
  it.engine.readFaults.push('forgetful', 'forgetful');
  await expect.poll(() => it.counts.follows.get('short_stream')).toBe(2);
  await expect.poll(() => follower.isCaughtUp).toBe(true);
});

test('a message that follows another one than ours ends it', async () => {
  await using it = rig();
  it.stream.write(4);
  const follower = it.start();
  await expect.poll(() => follower.sequence).toBe(1);
  it.stream.write(4, 12345);
  expect(await it.failed).toMatchObject({ code: 'CLUSTER_STREAM_FORKED' });
  expect(follower.sequence).toBe(1);
});

test('one whose writer knew nothing of what was before is taken', async () => {
  await using it = rig();
  it.stream.write(4);
  it.stream.write(4, 0);
  const follower = it.start();
  await expect.poll(() => follower.sequence).toBe(2);
});

test('whatever is missed, late, doubled or damaged, the copy is the stream', async () => {
  const total = new ClusterCounts();
  const random = new SeededRandom('11', 'follower');
  const bells: BellFault[] = ['missed', 'missed', 'twice', 'late', 'damaged', 'ok', 'ok'];
  const batches: BatchFault[] = ['behind', 'behind', 'silent', 'broken', 'jump', 'damaged'];
  const reads: ReadFault[] = ['silent', 'forgetful', 'ok'];
  const one = <T>(from: readonly T[]): T => from[Math.floor(random.float() * from.length)];
  for (let round = 0; round < 12; round++) {
    await using it = rig(round);
    it.engine.batchMax = 1 + Math.floor(random.float() * 20);
    for (let made = 0; made < 30; made++) it.stream.write(2);
    const follower = it.start();
    for (let made = 0; made < 120; made++) {
      if (random.float() < 0.6) it.engine.bellFaults.push(one(bells));
      if (random.float() < 0.5) it.engine.batchFaults.push(one(batches));
      if (random.float() < 0.3) it.engine.readFaults.push(one(reads));
      it.stream.write(1 + Math.floor(random.float() * 4));
      if (random.float() < 0.5) await new Promise((resolve) => setImmediate(resolve));
    }
    await expect.poll(() => follower.sequence).toBe(it.engine.lastSequence);
    expect(it.texts(), `round ${round}`).toEqual(it.stream.texts);
    for (const name of followNotes) {
      const sum = (total.follows.get(name) ?? 0) + (it.counts.follows.get(name) ?? 0);
      total.follows.set(name, sum);
    }
  }
  for (const [name, sum] of total.follows) expect(sum, name).toBeGreaterThan(0);
});

// What waits to be kept: copied, bounded, and never waited for.

import { expect, test } from 'vitest';
import { Frame } from '../../lib/decode/frame.ts';
import { collectionTest, ProofQueue } from '../../lib/proofs/proof-queue.ts';
import { keyOfTime, type ProofRow } from '../../lib/proofs/proof-segment.ts';
import { encodeMessage, recordLink } from '../../simulator/lib/frame-encoder.ts';

/** A store that keeps what it gets, when it is told to go on. */
class SlowStore {
  readonly rows: ProofRow[] = [];
  isResting = false;
  answer = true;
  #going = Promise.withResolvers<void>();

  async append(rows: ProofRow[]): Promise<boolean> {
    await this.#going.promise;
    if (this.answer) this.rows.push(...rows);
    return this.answer;
  }

  go(): void {
    this.#going.resolve();
    this.#going = Promise.withResolvers();
    this.#going.resolve();
  }
}

function frameOf(blocksBytes: number, paths: readonly string[] = ['app.bsky.feed.post/a'], fill = 1): Frame {
  const cid = recordLink(Buffer.alloc(32, 1));
  const frame = new Frame();
  const bytes = encodeMessage('#commit', {
    ...{ seq: 1, repo: 'did:plc:a', rev: '3aaaaaaaaaaaa', time: '2026-01-01T00:00:00Z', commit: cid },
    ops: paths.map((path) => ({ action: 'create', path, cid })),
    blocks: Buffer.alloc(blocksBytes, fill),
  });
  expect(frame.read(bytes)).toBeUndefined();
  return frame;
}

test('commits are copied, and written together; the events of one share its row', async () => {
  const store = new SlowStore();
  const queue = new ProofQueue(store, undefined);
  const frame = frameOf(1000);
  queue.keep(frame, Float64Array.of(5));
  frame.bytes.fill(0);
  queue.keep(frameOf(200_000, ['a.b.c/1', 'a.b.c/2'], 2), Float64Array.of(6, 7));
  queue.keep(frameOf(10), new Float64Array(0));
  store.go();
  await queue.close();
  queue.keep(frameOf(10), Float64Array.of(8));
  expect(store.rows.map(({ key, value }) => [Buffer.from(key).readUInt32BE(4), value.length])).toEqual([
    [5, 1000],
    [6, 200_000],
    [7, 8],
  ]);
  expect(Buffer.from(store.rows[0].value)).toEqual(Buffer.alloc(1000, 1));
  expect(Buffer.from(store.rows[2].value)).toEqual(keyOfTime(6));
  expect(queue.totals).toEqual({ kept: 2, keptBytes: 201_000, overflow: 0, failed: 0 });
  expect(queue.waitingBytes).toBe(0);
});

test('a store that does not come along costs commits, and nothing else', async () => {
  const store = new SlowStore();
  const queue = new ProofQueue(store, undefined);
  const frame = frameOf(1_000_000);
  for (let at = 1; at <= 40; at++) queue.keep(frame, Float64Array.of(at));
  expect(queue.totals.overflow).toBe(24);
  expect(queue.waitingBytes).toBeLessThan(17 * 2 ** 20);
  store.go();
  await queue.close();
  expect(store.rows).toHaveLength(16);
  expect(queue.totals).toEqual({ kept: 16, keptBytes: 16_000_000, overflow: 24, failed: 0 });
});

test('a frame of thousands of events counts what its rows take', () => {
  const queue = new ProofQueue(new SlowStore(), undefined);
  const frame = frameOf(100);
  const timesUs = Float64Array.from({ length: 8000 }, (_, at) => at + 1);
  for (let at = 0; at < 20; at++) queue.keep(frame, timesUs);
  expect(queue.totals.overflow).toBeGreaterThan(10);
});

test('a store that fails, and one that rests', async () => {
  const store = new SlowStore();
  const queue = new ProofQueue(store, undefined);
  store.answer = false;
  queue.keep(frameOf(10), Float64Array.of(1));
  store.isResting = true;
  queue.keep(frameOf(10), Float64Array.of(2));
  store.go();
  await queue.close();
  expect(queue.totals).toEqual({ kept: 0, keptBytes: 0, overflow: 0, failed: 2 });
});

test('collections', async () => {
  expect(collectionTest([])).toBeUndefined();
  const store = new SlowStore();
  const queue = new ProofQueue(store, collectionTest(['app.bsky.feed.post', 'com.example.*']));
  const paths = [
    ['app.bsky.feed.post/a'],
    ['app.bsky.feed.postgate/a'],
    ['app.bsky.feed.like/a'],
    ['app.bsky.feed.like/a', 'com.example.one/b'],
    ['com.example/a'],
    ['com.example.one.two/a'],
    [],
  ];
  for (const [at, each] of paths.entries()) queue.keep(frameOf(10, each), Float64Array.of(at + 1));
  store.go();
  await queue.close();
  expect(store.rows.map(({ key }) => Buffer.from(key).readUInt32BE(4))).toEqual([1, 4, 6]);
});

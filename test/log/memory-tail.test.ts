import { expect, test } from 'vitest';
import type { Block } from '../../lib/log/block.ts';
import { compactBlocks } from '../../lib/log/compaction.ts';
import { MemoryTail } from '../../lib/log/memory-tail.ts';
import { SampleLog, seededRandom } from '../support/events.ts';

test('finds the block of the next event, and says when it does not know', () => {
  const sample = new SampleLog(seededRandom(1));
  const old = sample.block(3);
  const blocks = Array.from({ length: 100 }, () => sample.block(3));
  const tail = new MemoryTail(1e9, old.index.lastTimeUs);
  for (const block of blocks) tail.push(block);
  expect(tail.after(0)).toBeUndefined();
  expect(tail.after(old.index.lastTimeUs - 1)).toBeUndefined();
  expect(tail.after(old.index.lastTimeUs)).toBe(blocks[0]);
  for (const [at, block] of blocks.entries()) {
    expect(tail.after(block.index.firstTimeUs - 1)).toBe(block);
    expect(tail.after(block.index.lastTimeUs - 1)).toBe(block);
    expect(tail.after(block.index.lastTimeUs)).toBe(blocks[at + 1]);
  }
});

test('holds no more than its bytes, and always the newest block', () => {
  const sample = new SampleLog(seededRandom(2));
  const tail = new MemoryTail(200_000, 0);
  let previous = sample.block(20);
  tail.push(previous);
  for (let made = 0; made < 300; made++) {
    const block = sample.block(20);
    tail.push(block);
    const held = block.json.length + block.zstd.length + 2048;
    expect(tail.bytes).toBeLessThanOrEqual(Math.max(200_000, held));
    expect(tail.after(previous.index.lastTimeUs)).toBe(block);
    previous = block;
  }
  expect(tail.after(sample.events[0].time_us)).toBeUndefined();
});

test('forgets what is trimmed, as a whole block at a time', () => {
  const sample = new SampleLog(seededRandom(3));
  const blocks = Array.from({ length: 100 }, () => sample.block(3));
  const tail = new MemoryTail(1e9, 0);
  for (const block of blocks) tail.push(block);
  const { bytes } = tail;
  tail.trimTo(blocks[39].index.lastTimeUs - 1);
  expect(tail.after(0)).toBeUndefined();
  expect(tail.after(blocks[38].index.lastTimeUs)).toBe(blocks[39]);
  tail.trimTo(blocks[39].index.lastTimeUs);
  expect(tail.after(blocks[38].index.lastTimeUs)).toBeUndefined();
  for (let at = 40; at < 100; at++) expect(tail.after(blocks[at - 1].index.lastTimeUs)).toBe(blocks[at]);
  expect(tail.bytes).toBeLessThan(bytes * 0.7);
  tail.trimTo(blocks[0].index.lastTimeUs);
  expect(tail.after(blocks[39].index.lastTimeUs)).toBe(blocks[40]);
});

/** Small blocks come and are compacted, ten at a time; `reading` sees each compacted block in its place. */
function goThrough(
  rounds: number,
  reading: (compacted: Block, tail: MemoryTail, round: number) => void,
): void {
  const sample = new SampleLog(seededRandom(4));
  const tail = new MemoryTail(6_000_000, 0);
  for (let round = 0; round < rounds; round++) {
    const small = Array.from({ length: 10 }, () => sample.block(8));
    for (const block of small) tail.push(block);
    const compacted = compactBlocks(small, (bytes) => tail.memoryFor(bytes));
    expect(Buffer.compare(compacted.json, Buffer.concat(small.map(({ json }) => json)))).toBe(0);
    expect(Buffer.compare(compacted.zstd, Buffer.concat(small.map(({ zstd }) => zstd)))).toBe(0);
    tail.replace(small.length, compacted);
    reading(compacted, tail, round);
  }
}

test('the memory of compacted blocks that have fallen out is used again', () => {
  const memories = new Set<ArrayBufferLike>();
  goThrough(60, ({ json, zstd }) => {
    memories.add(json.buffer);
    expect(zstd.buffer).toBe(json.buffer);
  });
  expect(memories.size).toBeLessThan(50);
});

test('what somebody has asked for keeps its bytes for good', () => {
  const asked = new Map<Block, Buffer>();
  const memories = new Set<ArrayBufferLike>();
  goThrough(60, (compacted, tail, round) => {
    memories.add(compacted.json.buffer);
    if (round % 3 !== 0) return;
    expect(tail.after(compacted.index.firstTimeUs - 1)).toBe(compacted);
    asked.set(compacted, Buffer.concat([compacted.json, compacted.zstd]));
  });
  expect(new Set([...asked.keys()].map(({ json }) => json.buffer)).size).toBe(asked.size);
  for (const [{ json, zstd }, bytes] of asked)
    expect(Buffer.compare(Buffer.concat([json, zstd]), bytes)).toBe(0);
  expect(memories.size).toBeLessThan(60);
});

test('blocks in the tail have memory of their own, those that came too late for it too', () => {
  const sample = new SampleLog(seededRandom(5));
  const tail = new MemoryTail(100_000, 0);
  const small = Array.from({ length: 10 }, () => sample.block(8));
  for (const block of small) tail.push(block);
  const late = compactBlocks(small, (bytes) => tail.memoryFor(bytes));
  for (let made = 0; made < 100; made++) tail.push(sample.block(8));
  tail.replace(small.length, late);
  const kept: Block[] = [];
  for (let made = 0; made < 3; made++) {
    const blocks = Array.from({ length: 2 }, () => sample.block(8));
    for (const block of blocks) tail.push(block);
    const compacted = compactBlocks(blocks, (bytes) => tail.memoryFor(bytes));
    tail.replace(blocks.length, compacted);
    kept.push(compacted);
  }
  expect(new Set(kept.map(({ json }) => json.buffer)).size).toBe(kept.length);
});

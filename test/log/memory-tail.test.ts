import { expect, test } from 'vitest';
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

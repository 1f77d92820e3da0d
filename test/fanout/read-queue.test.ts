import { expect, test } from 'vitest';
import { ReadQueue } from '../../lib/fanout/read-queue.ts';

const nowMs = { value: 0 };

/** A queue with four places, and all that may begin now. */
function queue(...waiting: readonly string[]): { reads: ReadQueue<string>; begun: () => string[] } {
  nowMs.value = 0;
  const reads = new ReadQueue<string>(4, () => nowMs.value);
  for (const item of waiting) reads.push(item[0], item);
  return {
    reads,
    begun: () => {
      const items: string[] = [];
      for (let item = reads.next(); item !== undefined; item = reads.next()) items.push(item);
      return items;
    },
  };
}

test('an address alone has all places', () => {
  const { reads, begun } = queue('a1', 'a2', 'a3', 'a4', 'a5', 'a6');
  expect(begun()).toEqual(['a1', 'a2', 'a3', 'a4']);
  reads.done('a');
  expect(begun()).toEqual(['a5']);
});

test('of several that read each has one, and turns go round', () => {
  const { reads, begun } = queue('a1', 'a2', 'a3', 'b1', 'b2', 'c1', 'd1', 'e1');
  expect(begun()).toEqual(['a1', 'b1', 'c1', 'd1']);
  reads.done('a');
  expect(begun()).toEqual(['e1']);
  reads.done('b');
  expect(begun()).toEqual(['a2']);
});

test('one that has just read still counts: it comes again when it has written what it got', () => {
  const { reads, begun } = queue('a1', 'a2', 'a3', 'b1');
  expect(begun()).toEqual(['a1', 'b1']);
  nowMs.value = 10;
  reads.done('b');
  expect(begun()).toEqual([]);
  reads.push('b', 'b2');
  expect(begun()).toEqual(['b2']);
  reads.done('b');
  nowMs.value = 59;
  expect(begun()).toEqual([]);
  nowMs.value = 60;
  expect(begun()).toEqual(['a2', 'a3']);
});

import { expect, test } from 'vitest';
import { SeededRandom } from '../lib/seeded-random.ts';

function drawn(seed: string, purpose: string): number[] {
  const random = new SeededRandom(seed, purpose);
  return Array.from({ length: 100 }, () => random.uint32());
}

test('draws the same for a seed and a purpose, and otherwise for another of either', () => {
  expect(drawn('a', 'b')).toEqual(drawn('a', 'b'));
  expect(drawn('a', 'b')).not.toEqual(drawn('b', 'b'));
  expect(drawn('a', 'b')).not.toEqual(drawn('a', 'a'));
});

// Frames, samples and dictionaries that were made with a seed stay what they are.
test('draws what it always drew', () => {
  expect(drawn('1', 'network').slice(0, 3)).toEqual([44_696_310, 3_929_392_648, 3_648_631_916]);
});

test('spreads its draws evenly', () => {
  const random = new SeededRandom('even', 'test');
  const counts = Array<number>(10).fill(0);
  for (let draw = 0; draw < 10_000; draw++) counts[random.int(10)]++;
  // 1,000 are expected of each; the standard deviation is 30.
  for (const count of counts) expect(Math.abs(count - 1_000)).toBeLessThan(150);
  const edges = new Set(Array.from({ length: 200 }, () => random.between(3, 5)));
  expect([...edges].toSorted()).toEqual([3, 4, 5]);
});

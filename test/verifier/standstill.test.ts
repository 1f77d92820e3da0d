// How much of its time a thread stands still for verdicts, on a clock of the test.

import { expect, test } from 'vitest';
import { Standstill } from '../../lib/verifier/standstill.ts';

/** Blocks of the window, one after the other. @param tookMs of the verdicts of each. @returns the times that it stood still, by block. */
function stood(
  standstill: Standstill,
  blocks: number,
  tookMs: (block: number) => number,
  frames = 8,
  windowMs = 16,
  fromMs = 0,
): number[] {
  return Array.from({ length: blocks }, (_, block) => {
    const msMax = standstill.msFor(frames, fromMs + block * windowMs);
    if (msMax === 0) return 0;
    const ms = Math.min(tookMs(block), msMax);
    standstill.stood(ms, tookMs(block) <= msMax);
    return ms;
  });
}

const sum = (of: readonly number[]): number => of.reduce((one, other) => one + other, 0);

test('verdicts that come soon are waited for, every time', () => {
  expect(stood(new Standstill(), 1_000, () => 1.5)).toEqual(Array(1_000).fill(1.5));
});

test('an eighth of the time is the most, however long each takes and however often blocks come', () => {
  for (const windowMs of [1, 4, 16])
    for (const tookMs of [0.5, 2.5, 4]) {
      const all = stood(new Standstill(), 4_000, () => tookMs, 8, windowMs);
      expect(sum(all)).toBeLessThanOrEqual((4_000 * windowMs) / 8 + 12);
      // And no second of it is much worse than another.
      for (let from = 0; from < 4_000; from += 1_000 / windowMs)
        expect(sum(all.slice(from, from + 1_000 / windowMs))).toBeLessThanOrEqual(1_000 / 8 + 12);
    }
});

test('what was not used for long is not made up for', () => {
  const standstill = new Standstill();
  expect(standstill.msFor(8, 0)).toBeGreaterThan(0);
  const all = Array.from({ length: 100 }, () => {
    const ms = standstill.msFor(8, 1_000_000);
    standstill.stood(ms, true);
    return ms;
  });
  expect(sum(all)).toBeLessThanOrEqual(12);
});

test('never for longer than four milliseconds, and not for a large batch', () => {
  const standstill = new Standstill();
  expect(standstill.msFor(12, 0)).toBe(4);
  expect(standstill.msFor(13, 16)).toBe(0);
  expect(standstill.msFor(12, 32)).toBe(4);
});

test('verdicts that do not come are waited for ever more seldom, and as before once they come', () => {
  const standstill = new Standstill();
  const never = stood(standstill, 20_000, () => 100);
  const times = never.flatMap((ms, block) => (ms > 0 ? [block] : []));
  const pauses = times.slice(1).map((block, at) => block - times[at] - 1);
  expect(pauses.slice(0, 10)).toEqual([4, 8, 16, 32, 64, 128, 256, 512, 1_024, 1_024]);
  // However long that goes on.
  expect(pauses.at(-1)).toBe(1_024);
  const again = stood(standstill, 4_000, () => 1, 8, 16, 1_000_000);
  expect(again.slice(-1_000)).toEqual(Array(1_000).fill(1));
  expect(standstill.msFor(8, 2_000_000)).toBe(4);
  standstill.stood(4, false);
  // All that was held against it is forgotten.
  expect(Array.from({ length: 5 }, (_, at) => standstill.msFor(8, 2_000_016 + 16 * at))).toEqual([
    0, 0, 0, 0, 4,
  ]);
});

test('where every second time does not pay it is not tried for most blocks', () => {
  const all = stood(new Standstill(), 4_000, (block) => (block % 2 === 0 ? 100 : 1));
  expect(all.filter((ms) => ms > 0).length).toBeLessThan(2_000);
});

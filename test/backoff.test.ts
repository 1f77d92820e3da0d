// The shape of the back-off: floor, ceiling, spread.

import { expect, test } from 'vitest';
import { retryDelayMs } from '../lib/backoff.ts';
import { defaultTiming } from '../lib/upstream/limits.ts';

const almostOne = 1 - Number.EPSILON;

test('the ceiling doubles up to the cap, the floor stays', () => {
  const ceilings = [0, 1, 2, 3, 4, 5, 6, 7, 2000].map((failures) =>
    retryDelayMs(failures, () => almostOne, defaultTiming),
  );
  expect(ceilings).toEqual([500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000, 30_000]);
  for (const failures of [0, 5, 2000]) expect(retryDelayMs(failures, () => 0, defaultTiming)).toBe(100);
});

test('jitter is full: it spreads evenly between floor and ceiling, in whole milliseconds', () => {
  const delays = [0, 0.25, 0.5, 0.75].map((random) => retryDelayMs(1, () => random, defaultTiming));
  expect(delays).toEqual([100, 325, 550, 775]);
  expect(retryDelayMs(1, () => 1 / 3, defaultTiming)).toBe(400);
});

test('a floor above the ceiling wins', () => {
  expect(retryDelayMs(0, () => 0.9, { retryMinMs: 50, retryFirstMs: 10, retryMaxMs: 20 })).toBe(50);
});

// When batches are looked for, on a clock of the test.

import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { BatchWatch } from '../../lib/verifier/batch-watch.ts';

let nowMs: number;
/** When the batch that is there came. */
let thereMs: number | undefined;
let wakes: PromiseWithResolvers<void> | undefined;
let sleeps: number;
let taken: number[];
let watch: BatchWatch;

beforeEach(() => {
  vi.useFakeTimers();
  nowMs = 0;
  sleeps = 0;
  taken = [];
  thereMs = wakes = undefined;
  const source = {
    get hasNext() {
      return thereMs !== undefined;
    },
    sleep() {
      if (thereMs !== undefined) return undefined;
      sleeps++;
      wakes = Promise.withResolvers<void>();
      return wakes.promise;
    },
    wake() {
      wakes = undefined;
    },
  };
  watch = new BatchWatch(
    source,
    () => {
      taken.push(nowMs - (thereMs as number));
      thereMs = undefined;
      watch.next();
    },
    () => nowMs,
  );
  watch.next();
});
afterEach(() => {
  vi.useRealTimers();
});

async function pass(ms: number): Promise<void> {
  for (let passed = 0; passed < ms; passed++) {
    nowMs++;
    await vi.advanceTimersByTimeAsync(1);
  }
}

async function batch(afterMs: number): Promise<void> {
  await pass(afterMs);
  thereMs = nowMs;
  wakes?.resolve();
  await vi.advanceTimersByTimeAsync(0);
}

test('whoever sends a batch every window wakes nobody, and none waits for long', async () => {
  for (let sent = 0; sent < 100; sent++) await batch(16 + (sent % 2));
  const asleep = sleeps;
  for (let sent = 0; sent < 400; sent++) await batch(16 + (sent % 3));
  expect(sleeps).toBe(asleep);
  expect(taken.length).toBeGreaterThanOrEqual(499);
  expect(Math.max(...taken.slice(100))).toBeLessThanOrEqual(3);
});

test('when batches stay away it is woken', async () => {
  for (let sent = 0; sent < 10; sent++) await batch(10);
  await pass(100);
  expect(wakes).toBeDefined();
  const asleep = sleeps;
  await pass(10_000);
  expect(sleeps).toBe(asleep);
  expect(vi.getTimerCount()).toBe(0);
  await batch(1);
  expect(taken.at(-1)).toBe(0);
});

test('batches that come seldom wake it at once', async () => {
  for (let sent = 0; sent < 10; sent++) await batch(100);
  expect(taken.slice(1)).toEqual(Array(9).fill(0));
  expect(vi.getTimerCount()).toBe(0);
});

test('a batch that is there is taken at once', async () => {
  await batch(5);
  thereMs = nowMs;
  watch.next();
  expect(taken).toEqual([0, 0]);
});

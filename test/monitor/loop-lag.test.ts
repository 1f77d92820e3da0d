import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { LoopLag } from '../../lib/monitor/loop-lag.ts';

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setInterval'] });
});
afterEach(() => {
  vi.useRealTimers();
});

/** Values by the middle of their names; undefined where there is none. */
function valuesOf(lag: LoopLag): Record<string, number | undefined> {
  return Object.fromEntries(
    lag
      .metrics()
      .map(({ name, read }) => [
        name.slice('nodejs_eventloop_lag_'.length, -'_seconds'.length),
        [...read()][0]?.[1],
      ]),
  );
}

test('delays are those since the last scrape, without the interval', () => {
  let nowMs = 1000;
  const lag = new LoopLag(() => nowMs);
  expect(vi.getTimerCount()).toBe(0);
  lag.take();
  expect(valuesOf(lag)).toMatchObject({ min: undefined, max: undefined, p99: undefined });
  for (const lateMs of [0, 1, 2, 50]) {
    nowMs += 250 + lateMs;
    vi.advanceTimersByTime(250);
  }
  lag.take();
  expect(vi.getTimerCount()).toBe(1);
  const { min, max, mean, p50, p99 } = valuesOf(lag) as Record<string, number>;
  expect(min).toBeLessThan(1e-6);
  expect(max).toBeCloseTo(0.05, 3);
  expect(mean).toBeCloseTo(0.01325, 3);
  expect(p50).toBeCloseTo(0.001, 4);
  expect(p99).toBe(max);
  nowMs += 251;
  vi.advanceTimersByTime(250);
  lag.take();
  expect(valuesOf(lag).max).toBeCloseTo(0.001, 4);
});

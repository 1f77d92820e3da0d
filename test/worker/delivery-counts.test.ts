import { expect, test } from 'vitest';
import { type DeliveryCounts, noCounts, sumOf, withinLog } from '../../lib/worker/delivery-counts.ts';

test('counts of threads add up, but for the slowest and each thread’s own', () => {
  const one: DeliveryCounts = {
    ...noCounts,
    zstdEvents: 2,
    pacingWaits: 1,
    slowestLagUs: 5,
    busyMs: { worker_1: 10 },
    refusals: { bad_did: 1 },
  };
  const other: DeliveryCounts = {
    ...noCounts,
    zstdEvents: 3,
    pacingWaitedMs: 7,
    slowestLagUs: 9,
    busyMs: { worker_2: 20 },
    refusals: { bad_did: 2, bad_cursor: 1 },
  };
  expect(sumOf([one, other])).toEqual({
    ...noCounts,
    zstdEvents: 5,
    pacingWaits: 1,
    pacingWaitedMs: 7,
    slowestLagUs: 9,
    busyMs: { worker_1: 10, worker_2: 20 },
    refusals: { bad_did: 3, bad_cursor: 1 },
  });
});

test('nobody is further behind than the log is long', () => {
  const log = { firstTimeUs: 1_000_000, lastTimeUs: 4_000_000 };
  const behind = (slowestLagUs: number): number => withinLog({ ...noCounts, slowestLagUs }, log).slowestLagUs;
  expect([behind(4_000_000), behind(2_000_000), behind(0)]).toEqual([3_000_000, 2_000_000, 0]);
});

import { expect, test } from 'vitest';
import { workerPlan } from '../../lib/service/worker-plan.ts';

test('what is set holds, from the start on', () => {
  for (const wanted of [0, 1, 3])
    expect(workerPlan(wanted, 'linux', 8)).toEqual({ workers: wanted, grows: false });
});

test('else workers come when they are needed, as many as cores but one, at most four', () => {
  for (const [cores, workers] of [
    [2, 1],
    [4, 3],
    [64, 4],
  ] as const)
    expect(workerPlan(undefined, 'linux', cores)).toEqual({ workers, grows: true });
});

test('where memory is short there are none, and what is set holds all the same', () => {
  expect(workerPlan(undefined, 'linux', 8, true)).toEqual({ workers: 0, grows: false });
  expect(workerPlan(2, 'linux', 8, true)).toEqual({ workers: 2, grows: false });
});

test('one core has none, and where threads cannot share a port there is one from the start', () => {
  expect(workerPlan(undefined, 'linux', 1)).toEqual({ workers: 0, grows: false });
  expect(workerPlan(undefined, 'darwin', 8)).toEqual({ workers: 1, grows: false });
});

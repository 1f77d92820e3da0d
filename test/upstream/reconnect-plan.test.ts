// Whose turn it is after an attempt ended, and how long it waits.

import { describe, expect, test } from 'vitest';
import { deliveringFrames } from '../../lib/upstream/limits.ts';
import {
  type Attempt,
  type AttemptEnd,
  firstAttempt,
  immediateAttempt,
  isDelivering,
  nextAttempt,
} from '../../lib/upstream/reconnect-plan.ts';

const limits = { retryMinMs: 0, retryFirstMs: 100, retryMaxMs: 1000 };
const failed: AttemptEnd = { delivered: false, requested: false };
const lost: AttemptEnd = { delivered: true, requested: false };
const requested: AttemptEnd = { delivered: false, requested: true };

function walk(relays: number, ends: AttemptEnd[]): Attempt[] {
  const attempts: Attempt[] = [];
  let attempt = firstAttempt;
  for (const end of ends) {
    attempt = nextAttempt(attempt, end, relays, () => 0.5, limits);
    attempts.push(attempt);
  }
  return attempts;
}

const turns = (attempts: Attempt[]) => attempts.map((attempt) => attempt.relayIndex);
const waits = (attempts: Attempt[]) => attempts.map((attempt) => attempt.delayMs);

describe('nextAttempt', () => {
  test('failing relays take turns, with growing waits', () => {
    const attempts = walk(3, Array(7).fill(failed));
    expect(turns(attempts)).toEqual([1, 2, 0, 1, 2, 0, 1]);
    expect(waits(attempts)).toEqual([100, 200, 400, 500, 500, 500, 500]);
  });

  test('a relay that delivered is tried once more, then the next has its turn', () => {
    const attempts = walk(2, [failed, lost, failed, failed]);
    expect(turns(attempts)).toEqual([1, 1, 0, 1]);
    expect(waits(attempts)).toEqual([100, 50, 100, 200]);
  });

  test('a single relay just repeats', () => {
    expect(turns(walk(1, [failed, lost, failed, failed]))).toEqual([0, 0, 0, 0]);
  });

  test('a requested end retries the same relay at once', () => {
    const [attempt] = walk(2, [requested]);
    expect(attempt).toMatchObject({ relayIndex: 0, delayMs: 0 });
  });

  test('requests in a row wait like failures until a connection delivers', () => {
    const attempts = walk(2, [requested, requested, requested, lost, requested]);
    expect(turns(attempts)).toEqual([0, 1, 0, 0, 0]);
    expect(waits(attempts)).toEqual([0, 200, 400, 50, 0]);
  });

  test('a request on a connection that delivered is always at once', () => {
    const both = { delivered: true, requested: true };
    expect(waits(walk(2, [both, both, both]))).toEqual([0, 0, 0]);
  });
});

test('immediateAttempt spends the one immediate retry', () => {
  const [waiting] = walk(2, [failed]) as [Attempt];
  const immediate = immediateAttempt(waiting);
  expect(immediate).toEqual({ ...waiting, delayMs: 0, usedImmediateRetry: true });
  expect(immediateAttempt(immediate)).toBe(immediate);
});

test.each([
  [0, 1e9, false],
  [1, 4_999, false],
  [1, 5_000, true],
  [deliveringFrames - 1, 0, false],
  [deliveringFrames, 0, true],
])('isDelivering: %d frames in %d ms is %s', (frames, openForMs, delivering) => {
  expect(isDelivering(frames, openForMs, 5_000)).toBe(delivering);
});

// A clock that is the test's: how long work, and everything else, takes is what the test says.

import { afterEach, beforeEach, vi } from 'vitest';

/** Milliseconds, as `performance.now()` has them. */
export const clock = { nowMs: 0 };

/** For all tests of a file. */
export function useWorkClock(): void {
  beforeEach(() => {
    clock.nowMs = 0;
    vi.useFakeTimers({ toFake: ['setTimeout', 'setImmediate'] });
    vi.spyOn(performance, 'now').mockImplementation(() => clock.nowMs);
  });
  afterEach(() => {
    vi.restoreAllMocks();
    vi.useRealTimers();
  });
}

/** Work that takes so long, and says in `done` when it was begun. */
export function work(done: string[], name: string, tookMs: number): () => void {
  return () => {
    done.push(name);
    clock.nowMs += tookMs;
  };
}

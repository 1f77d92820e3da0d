// Waits for a condition with a deadline, for conditions that no event announces.

import { setTimeout as delay } from 'node:timers/promises';

const pollMs = 5;

/** Resolves when `isTrue()`; rejects with what `describe()` says when that takes longer than `ms`. */
export async function until(isTrue: () => boolean, ms: number, describe: () => string): Promise<void> {
  const deadlineMs = performance.now() + ms;
  while (!isTrue()) {
    if (performance.now() > deadlineMs) throw new Error(`not within ${ms} ms: ${describe()}`);
    await delay(pollMs);
  }
}

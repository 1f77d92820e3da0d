import { expect, test } from 'vitest';
import { AgeCut } from '../../lib/service/retention.ts';

const hourMs = 3_600_000;
const dayMs = 24 * hourMs;
const startMs = 1_800_000_000_000;

/** A log of a day, kept for a day, and the clocks that its age goes by. */
class Case {
  nowMs = startMs;
  monotonicMs = 0;
  firstMs = startMs - dayMs;
  readonly cut = new AgeCut(
    dayMs,
    () => this.nowMs,
    () => this.monotonicMs,
  );

  /** Trims every 15 s for so long; the answer is how much of the log they took. */
  run(ms: number): number {
    const beforeMs = this.firstMs;
    for (let left = ms; left > 0; left -= 15_000) {
      this.nowMs += 15_000;
      this.monotonicMs += 15_000;
      this.firstMs = Math.max(this.firstMs, this.cut.next(this.firstMs * 1000) / 1000);
    }
    return this.firstMs - beforeMs;
  }
}

test('age takes what it has to while the clock is right', () => {
  const log = new Case();
  expect(log.run(hourMs)).toBe(hourMs);
  expect(log.run(dayMs)).toBe(dayMs);
});

test.each([dayMs, 365 * dayMs])(
  'a clock that is %d ms ahead takes four times what passes, and stops when it is right',
  (aheadMs) => {
    const log = new Case();
    log.nowMs += aheadMs;
    expect(log.run(hourMs)).toBe(4 * hourMs);
    log.nowMs -= aheadMs;
    expect(log.run(hourMs)).toBe(0);
  },
);

test('a clock that is behind takes nothing', () => {
  const log = new Case();
  log.nowMs -= dayMs;
  expect(log.run(hourMs)).toBe(0);
});

test('an empty log, a log that is kept for ever, and a block that spans hours', () => {
  const log = new Case();
  expect(log.cut.next(0)).toBe(0);
  expect(new AgeCut(0, () => startMs).next(1000)).toBe(0);
  // The oldest block stays, and the cut goes on into it.
  log.nowMs += dayMs;
  let cutUs = 0;
  for (let trims = 0; trims < 240; trims++) {
    log.monotonicMs += 15_000;
    cutUs = log.cut.next(log.firstMs * 1000);
  }
  expect(cutUs / 1000).toBe(log.firstMs + 4 * hourMs);
});

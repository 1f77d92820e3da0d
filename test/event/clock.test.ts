import { expect, test } from 'vitest';
import { Clock } from '../../lib/event/clock.ts';

test('values rise through a clock that stands still, steps back and goes on', () => {
  let nowMs = 1_700_000_000_000;
  const clock = new Clock(0, () => nowMs);
  expect(clock.next()).toBe(1_700_000_000_000_000);
  expect(clock.next()).toBe(1_700_000_000_000_001);
  nowMs -= 3_600_000;
  expect(clock.next()).toBe(1_700_000_000_000_002);
  nowMs += 3_600_001;
  expect(clock.next()).toBe(1_700_000_000_001_000);
});

test('a new clock goes on after the last stored value, whatever the wall says', () => {
  const clock = new Clock(1_800_000_000_000_000, () => 1_700_000_000_000);
  expect(clock.nowUs()).toBe(1_800_000_000_000_000);
  expect(clock.next()).toBe(1_800_000_000_000_001);
});

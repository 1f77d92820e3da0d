// The frame of a progress message, read as a client does.

import { expect, it } from 'vitest';
import { progressMessage } from '../../lib/wire/progress-message.ts';

it.each([
  [
    { positionUs: 0, tipUs: 0, live: true },
    { cursor: 1, lag_us: 0, live: true },
  ],
  [
    { positionUs: 1_780_000_000_000_000, tipUs: 1_780_000_000_500_000, live: false },
    { cursor: 1_780_000_000_000_001, lag_us: 500_000, live: false },
  ],
  [
    { positionUs: 1e15, tipUs: Number.MAX_SAFE_INTEGER - 1, live: false },
    { cursor: 1e15 + 1, lag_us: 8_007_199_254_740_990, live: false },
  ],
])('%j', (report, progress) => {
  const frame = progressMessage(report);
  expect(frame[0]).toBe(0x81);
  expect(frame[1]).toBe(frame.length - 2);
  expect(frame[1]).toBeLessThan(126);
  expect(frame.toString('utf8', 2)).toBe(
    JSON.stringify({ kind: 'progress', time_us: report.positionUs, progress }),
  );
});

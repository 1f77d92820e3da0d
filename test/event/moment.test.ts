// Moments as people write them, to cursors.

import { expect, test } from 'vitest';
import { positionOfCursor } from '../../lib/event/cursor.ts';
import { parseMomentCursor } from '../../lib/event/moment.ts';

const nowUs = Date.UTC(2026, 0, 31, 12, 30, 15, 250) * 1000 + 7;
const read = (text: string) => parseMomentCursor(text, () => nowUs);
const at = (...parts: [number, number, number, number?, number?, number?]) => Date.UTC(...parts) * 1000;
const hourUs = 3_600_000_000;

test.each([
  ['now', nowUs],
  ['90s', nowUs - 90_000_000],
  ['1h', nowUs - hourUs],
  ['1h30m', nowUs - 1.5 * hourUs],
  ['2d', nowUs - 48 * hourUs],
  ['100000d', 0],
  ['999999999d999999999d', 0],
  ['today', at(2026, 0, 31)],
  ['yesterday', at(2026, 0, 30)],
  ['yesterday 14:00', at(2026, 0, 30, 14)],
  ['yesterday 9:05:07', at(2026, 0, 30, 9, 5, 7)],
  ['todayT08:00', at(2026, 0, 31, 8)],
  ['2026-01-31T12:00:00Z', at(2026, 0, 31, 12)],
  ['2026-01-31t14:00:00.25+02:00', at(2026, 0, 31, 12) + 250_000],
  // As it comes out of a query: a plus is a space there.
  ['2026-01-31T14:00:00 02:00', at(2026, 0, 31, 12)],
  ['2026-01-31T12:00:00.1234567z', at(2026, 0, 31, 12) + 123_456],
  // Older than any log, and as a number it could be taken for seconds.
  ['1970-01-01T01:00:00Z', 0],
  ['1969-12-31T23:59:59Z', 0],
])('%j is a cursor', (text, expected) => {
  expect(read(text)).toBe(expected);
});

test('numbers are what they were', () => {
  for (const text of ['0', '-5', '+7', '1780000000', '1780000000000', '1780000000000000']) {
    expect(read(text)).toBe(Number(text));
  }
  expect(read('0'.repeat(500))).toBe(0);
});

test('a moment is a place in the log, and the future is live', () => {
  expect(positionOfCursor(read('1h') as number, nowUs)).toBe(nowUs - hourUs - 1);
  expect(positionOfCursor(read('2026-02-01T00:00:00Z') as number, nowUs)).toBeUndefined();
});

test.each([
  ...['', ' ', 'h', '1w', '1.5h', '-1h', '1h 30m', ' 1h', '1h ', '1H', '1234567890s'],
  ...['tomorrow', 'yesterday 24:00', 'yesterday 14', 'Yesterday', 'yesterday  14:00', 'now '],
  ...[
    '2026-01-31',
    '2026-01-31T12:30:15',
    '2026-02-30T12:30:15Z',
    '2026-01-31T25:00:00Z',
    '2026-01-31T12:30:15Z\n',
  ],
  ...['0x10', 'NaN', 'Infinity', '2026-01-31T12:00:00Z'.padEnd(100, ' ')],
])('%j is none', (text) => {
  expect(read(text)).toBeUndefined();
});

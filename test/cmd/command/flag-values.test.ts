import { expect, test } from 'vitest';
import { listOf, parseMoment, repeated, wholeNumber } from '../../../cmd/command/flag-values.ts';
import { formatMoment } from '../../../lib/text.ts';

test('whole numbers, within bounds', () => {
  expect(wholeNumber()('0')).toBe(0);
  expect(wholeNumber(5, 7)('7')).toBe(7);
  for (const text of ['', '-1', '1e3', '1.5', 'x', '1'.repeat(16)]) {
    expect(() => wholeNumber()(text), text).toThrow('Must be a whole number.');
  }
  for (const text of ['4', '8']) {
    expect(() => wholeNumber(5, 7)(text)).toThrow('Must be a whole number from 5 to 7.');
  }
});

test('lists add up over repeated flags', () => {
  expect(listOf()('a,b', ['x'])).toEqual(['x', 'a', 'b']);
  expect(listOf()(',')).toEqual([]);
  expect(listOf(['a', 'b'])('b')).toEqual(['b']);
  expect(() => listOf(['a', 'b'])('a,c')).toThrow('c is none of a, b.');
  expect(repeated('a,b', ['x'])).toEqual(['x', 'a,b']);
});

const nowUs = Date.UTC(2026, 0, 31, 12) * 1000;
const timeUs = Date.UTC(2026, 0, 31, 12, 30, 15) * 1000;

test.each([
  [String(timeUs / 1e6), timeUs],
  [String(timeUs / 1e3), timeUs],
  [String(timeUs), timeUs],
  [String(timeUs + 7), timeUs + 7],
  ['2026-01-31T12:30:15Z', timeUs],
  ['2026-01-31T12:30:15.000007Z', timeUs + 7],
  ['2026-01-31T12:30:15.1234567Z', timeUs + 123_456],
  ['2026-01-31T12:30:15,5Z', timeUs + 500_000],
  ['2026-01-31t14:30:15.25+02:00', timeUs + 250_000],
  ['2026-01-31T11:00:15-01:30', timeUs],
  ['1969-12-31T23:59:59.9Z', -100_000],
])('%s is a moment', (text, expected) => {
  expect(parseMoment(text, '--from', nowUs)).toBe(expected);
});

test('zero and below is everything, and what is written is read back', () => {
  expect(parseMoment('0', '--from', nowUs)).toBeLessThanOrEqual(1);
  expect(parseMoment('-5', '--from', nowUs)).toBeLessThanOrEqual(1);
  for (const sample of [timeUs, timeUs + 1, timeUs + 999_999, 1]) {
    expect(parseMoment(formatMoment(sample), '--from', nowUs)).toBe(sample);
  }
});

test.each([
  '',
  'tomorrow',
  '1.5',
  '2026-01-31',
  '2026-01-31T12:30:15',
  '2026-02-30T12:30:15Z',
  '2026-01-31T25:00:00Z',
  '2026-01-31T12:30:15Z\n',
  '0x10',
])('%j is refused', (text) => {
  expect(() => parseMoment(text, '--to', nowUs)).toThrow(
    expect.objectContaining({
      code: 'CONFIG_TIME_INVALID',
      message: expect.stringMatching(/^--to ".*1h, 30m or 2d ago/),
    }),
  );
});

const second = 1_000_000;

test.each([
  ['now', nowUs],
  ['90s', nowUs - 90 * second],
  ['1h30m', nowUs - 5_400 * second],
  ['2d', nowUs - 172_800 * second],
  ['100000d', 0],
  ['0', 1],
  ['1700000000', 1_700_000_000 * second],
  ['1700000000000', 1_700_000_000 * second],
  ['1700000000123456', 1_700_000_000_123_456],
  ['2026-01-31T11:00:00Z', nowUs - 3_600 * second],
])('%s is a moment or a span ago', (text, expected) => {
  expect(parseMoment(text, '--cursor', nowUs)).toBe(expected);
});

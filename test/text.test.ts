import { expect, test } from 'vitest';
import { formatBytes, formatMoment, formatSpan, grouped, printable } from '../lib/text.ts';

test.each([
  ['fine', 10, 'fine'],
  ['a\x1b[2Jb\r\n\u2028\u202ec', 99, 'a?[2Jb????c'],
  ['0123456789', 10, '0123456789'],
  ['0123456789x', 10, '012345678~'],
])('%j in %i characters is %j', (text, charactersMax, expected) => {
  expect(printable(text, charactersMax)).toBe(expected);
});

test('digits in threes', () => {
  expect([0, 999, 1_000, 1_234_567].map(grouped)).toEqual(['0', '999', '1,000', '1,234,567']);
});

test('moments', () => {
  const timeUs = Date.UTC(2026, 0, 31, 12, 30, 15) * 1000;
  expect(formatMoment(timeUs + 42)).toBe('2026-01-31T12:30:15.000042Z');
  expect(formatMoment(Number.NaN)).toBe('no date');
  expect(formatMoment(1e300)).toBe('no date');
});

test.each([
  [0, '0 s'],
  [6.66, '6.7 s'],
  [59.9, '59.9 s'],
  [306, '5 min 6 s'],
  [4 * 3600 + 301, '4 h 5 min'],
  [86_400 * 3 + 3600 * 4 + 5, '3 d 4 h'],
])('%d seconds are %s', (seconds, text) => {
  expect(formatSpan(seconds)).toBe(text);
});

test.each([
  [0, '0 B'],
  [1_023, '1023 B'],
  [1_536, '1.5 KiB'],
  [200 * 2 ** 20, '200 MiB'],
  [10 * 2 ** 30, '10.0 GiB'],
  [5_000 * 2 ** 40, '5000 TiB'],
])('%d bytes are %s', (bytes, text) => {
  expect(formatBytes(bytes)).toBe(text);
});

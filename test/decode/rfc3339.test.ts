import { expect, test } from 'vitest';
import { isRfc3339 } from '../../lib/decode/rfc3339.ts';

/** Digits on both sides: reading outside of the span would find more time. */
function accepts(time: string): boolean {
  const bytes = Buffer.from(`2026${time}2026`);
  return isRfc3339(bytes, 4, bytes.length - 4);
}

test.each([
  '2026-01-02T03:04:05Z',
  '2026-01-02T03:04:05.678Z',
  '2026-01-02T03:04:05.123456789012345Z',
  '2026-01-02T03:04:05,6Z',
  '2026-01-02T23:59:59+14:00',
  '2026-01-02T23:59:59.9-00:00',
  '2024-02-29T00:00:00Z',
  '2000-02-29T00:00:00Z',
  '0000-01-01T00:00:00Z',
  '9999-12-31T23:59:59Z',
  // Leniencies of the parser v1 uses.
  '2026-01-02T3:04:05Z',
  '2026-01-02T03:04:05+24:60',
])('%s is a time', (time) => {
  expect(accepts(time)).toBe(true);
});

test.each([
  '',
  '2026-01-02',
  '2026-01-02T03:04:05',
  '2026-01-02T03:04:05z',
  '2026-01-02t03:04:05Z',
  '2026-01-02 03:04:05Z',
  ' 2026-01-02T03:04:05Z',
  '2026-01-02T03:04:05Z ',
  '2026-1-02T03:04:05Z',
  '2026-01-2T03:04:05Z',
  '26-01-02T03:04:05Z',
  '+026-01-02T03:04:05Z',
  '2026-00-02T03:04:05Z',
  '2026-13-02T03:04:05Z',
  '2026-01-00T03:04:05Z',
  '2026-01-32T03:04:05Z',
  '2026-04-31T03:04:05Z',
  '2026-02-29T03:04:05Z',
  '2100-02-29T03:04:05Z',
  '2026-01-02T24:04:05Z',
  '2026-01-02T03:60:05Z',
  '2026-01-02T03:04:60Z',
  '2026-01-02T03:4:05Z',
  '2026-01-02T03:04:5Z',
  '2026-01-02T03:04:05.Z',
  '2026-01-02T03:04:05.1,2Z',
  '2026-01-02T03:04:05+0100',
  '2026-01-02T03:04:05+25:00',
  '2026-01-02T03:04:05+00:61',
  '2026-01-02T03:04:05 01:00',
  '2026-01-02T03:04:05+1:000',
  '2026-01-02T03-04:05Z',
  '2026-01-02T03:04-05Z',
  '2026/01-02T03:04:05Z',
])('%j is none', (time) => {
  expect(accepts(time)).toBe(false);
});

test('no prefix of a time is one, except where a fraction is cut short', () => {
  const time = '2026-01-02T03:04:05.678+01:30';
  for (let length = 0; length < time.length; length++) expect(accepts(time.slice(0, length))).toBe(false);
});

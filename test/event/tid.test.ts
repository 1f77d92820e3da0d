import { expect, test } from 'vitest';
import { tidTimeUs } from '../../lib/event/tid.ts';

function timeUsOf(text: string): number {
  const bytes = Buffer.from(`<${text}>`);
  return tidTimeUs(bytes, 1, bytes.length - 1);
}

// Values worked out by hand from the definition at atproto.com/specs/tid: base32 of (microseconds << 10 | clock id).
test.each([
  ['2222222222222', 0],
  ['2222222222322', 1],
  ['222222222222z', 0],
  ['222222222z2zz', 31 * 32],
  ['3222222222222', 2 ** 50],
  ['jzzzzzzzzzzzz', 2 ** 54 - 1],
])('%s is %d', (text, timeUs) => {
  expect(timeUsOf(text)).toBe(timeUs);
});

test.each([
  '',
  'self',
  '222222222222',
  '22222222222222',
  '222222222222-',
  '222222222222A',
  'k222222222222',
  '2222222222221',
  '22222222222é',
])('%s is no TID', (text) => {
  expect(timeUsOf(text)).toBeNaN();
});

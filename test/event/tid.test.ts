import { expect, test } from 'vitest';
import { tidOf, tidTimeUs } from '../../lib/event/tid.ts';
import { SeededRandom } from '../../lib/seeded-random.ts';

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

/** The definition of a TID, in 64-bit integers. */
function tidByDefinition(timeUs: number, clockId: number): string {
  let value = (BigInt(timeUs) << 10n) | BigInt(clockId);
  let text = '';
  for (let i = 0; i < 13; i++) {
    text = '234567abcdefghijklmnopqrstuvwxyz'[Number(value & 31n)] + text;
    value >>= 5n;
  }
  return text;
}

test('is written by the definition over the whole range, and read back', () => {
  const random = new SeededRandom('tid', 'test');
  const edges = [0, 1, 31, 2 ** 30 - 1, 2 ** 30, 2 ** 32, 2 ** 53 - 1];
  const drawn = Array.from({ length: 500 }, () => Math.floor(random.float() * 2 ** random.between(1, 53)));
  for (const timeUs of [...edges, ...drawn]) {
    const clockId = random.int(1024);
    expect(tidOf(timeUs, clockId)).toBe(tidByDefinition(timeUs, clockId));
    expect(timeUsOf(tidOf(timeUs, clockId))).toBe(timeUs);
  }
});

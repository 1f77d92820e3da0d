// Cursors: what text is one, and what position it stands for.

import { describe, expect, it } from 'vitest';
import { isInt64, parseCursor, positionOfCursor } from '../../lib/event/cursor.ts';
import { seededRandom } from '../support/events.ts';

const nowUs = 1_780_000_000_000_000;

describe('parseCursor', () => {
  it.each([
    ['0', 0],
    ['-0', -0],
    ['+5', 5],
    ['-5', -5],
    ['1780000000000000', 1_780_000_000_000_000],
    ['00000000000000000000000000017', 17],
    ['9007199254740991', Number.MAX_SAFE_INTEGER],
    ['9007199254740993', Number.MAX_SAFE_INTEGER],
    ['9223372036854775807', Number.MAX_SAFE_INTEGER],
    ['-9223372036854775808', -Number.MAX_SAFE_INTEGER],
  ])('%s is %d', (text, value) => expect(parseCursor(text)).toBe(value));

  it.each([
    '',
    ' ',
    '-',
    '+',
    '--1',
    '+-1',
    ' 1',
    '1 ',
    '1\n',
    '1.0',
    '1e3',
    '0x10',
    '1_000',
    '\u0661',
    'NaN',
    '9223372036854775808',
    '-9223372036854775809',
    '10000000000000000000',
  ])('%j is none', (text) => expect(parseCursor(text)).toBeUndefined());

  it('agrees with 64-bit arithmetic', () => {
    const seed = 20_260_703;
    const random = seededRandom(seed);
    for (let round = 0; round < 20_000; round++) {
      const digits = 17 + Math.floor(random() * 4);
      let text = random() < 0.5 ? '-' : '';
      for (let at = 0; at < digits; at++) text += random() < 0.4 ? '9' : Math.floor(random() * 10);
      const value = BigInt(text);
      const fits = BigInt.asIntN(64, value) === value;
      if (isInt64(text) !== fits) expect.fail(`seed ${seed}, round ${round}: ${text}`);
    }
  });
});

describe('positionOfCursor', () => {
  it('includes the event of that very time', () => {
    expect(positionOfCursor(nowUs - 10, nowUs)).toBe(nowUs - 11);
    expect(positionOfCursor(nowUs, nowUs)).toBe(nowUs - 1);
  });

  it('is live for the future', () => {
    expect(positionOfCursor(nowUs + 1, nowUs)).toBeUndefined();
    expect(positionOfCursor(Number.MAX_SAFE_INTEGER, nowUs)).toBeUndefined();
  });

  it('is everything for zero and below', () => {
    for (const cursor of [0, -0, -1, -Number.MAX_SAFE_INTEGER])
      expect(positionOfCursor(cursor, nowUs)).toBe(0);
  });

  it('takes ten digits for seconds and thirteen for milliseconds', () => {
    expect(positionOfCursor(1_779_999_999, nowUs)).toBe(1_779_999_999_000_000 - 1);
    expect(positionOfCursor(1_779_999_999_123, nowUs)).toBe(1_779_999_999_123_000 - 1);
    expect(positionOfCursor(1_780_000_001, nowUs)).toBeUndefined();
    expect(positionOfCursor(1_780_000_000_001, nowUs)).toBeUndefined();
  });

  it('takes every other number for microseconds', () => {
    for (const cursor of [1, 5, 999_999_999, 10_000_000_000, 999_999_999_999, 10_000_000_000_000]) {
      expect(positionOfCursor(cursor, nowUs)).toBe(cursor - 1);
    }
  });
});

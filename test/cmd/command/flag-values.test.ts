import { expect, test } from 'vitest';
import { listOf, repeated, wholeNumber } from '../../../cmd/terminal/flag-values.ts';

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

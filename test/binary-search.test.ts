import { expect, test } from 'vitest';
import { firstAfter, firstPast } from '../lib/binary-search.ts';

test('finds what a walk finds, in lists of every length up to 20, with repeated numbers', () => {
  for (let count = 0; count <= 20; count++) {
    const numbers = Array.from({ length: count }, (_, at) => Math.floor(at / 3) * 10);
    for (let bound = -5; bound <= 75; bound += 5) {
      const walked = numbers.findIndex((number) => number > bound);
      const expected = walked === -1 ? count : walked;
      expect(firstAfter(numbers, count, bound)).toBe(expected);
      expect(firstAfter(Float64Array.from([...numbers, -1, -1]), count, bound)).toBe(expected);
    }
  }
});

test('looks at nothing outside its range, and hands the numbers on', () => {
  const seen: number[] = [];
  const isPast = (list: readonly string[], position: number, a: number, b: number, c: number): boolean => {
    seen.push(position);
    return list[position] >= `${a}${b}${c}`;
  };
  const list = ['999', '111', '222', '333', '000'];
  expect(firstPast(list, 1, 4, isPast, 2, 2, 2)).toBe(2);
  expect(firstPast(list, 1, 4, isPast, 2, 2, 3)).toBe(3);
  expect(firstPast(list, 1, 4, isPast, 3, 3, 4)).toBe(4);
  expect(firstPast(list, 2, 2, isPast, 0)).toBe(2);
  expect(new Set(seen)).toEqual(new Set([1, 2, 3]));
});

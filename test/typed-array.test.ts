import { expect, test } from 'vitest';
import { doubled } from '../lib/typed-array.ts';

test('twice the length, the same type and content, and memory of its own', () => {
  for (const array of [
    Float64Array.of(0.5, 2 ** 53),
    Uint32Array.of(2 ** 32 - 1, 1),
    Uint16Array.of(65_535, 1),
  ]) {
    const larger = doubled(array);
    expect(larger.constructor).toBe(array.constructor);
    expect([...larger]).toEqual([...array, 0, 0]);
    array[0] = 3;
    expect(larger[0]).not.toBe(3);
  }
});

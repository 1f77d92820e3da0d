import { expect, test } from 'vitest';
import { grow } from '../lib/grow.ts';

test.each([
  new Uint8Array([1, 2, 255]),
  new Uint16Array([1, 2, 65_535]),
  new Uint32Array([1, 2, 2 ** 32 - 1]),
  new Int32Array([1, -2, 2 ** 31 - 1]),
  new Float64Array([1, -2.5, 2 ** 53]),
])('%o becomes a longer one of its kind that starts the same', (array) => {
  const twice = grow(array);
  expect(twice.constructor).toBe(array.constructor);
  expect([...twice]).toEqual([...array, 0, 0, 0]);
  expect([...grow(array, 4)]).toEqual([...array, 0]);
  expect(array).toHaveLength(3);
});

import { expect, test } from 'vitest';
import { startOfJson } from '../../../cmd/tail/json-start.ts';

const values: readonly unknown[] = [
  ...[null, true, -1.5e-9, '', 'a"\n\u2028😀', [], {}, [[]], [1, [2, {}], 'x']],
  { a: 1, b: [true, null], c: { d: 'e"f' }, '': {}, 'k"': 0 },
  JSON.parse('{"__proto__":{"x":1},"constructor":[],"1":2,"0":3}'),
];

test('is the beginning of what JSON.stringify makes, or all of it', () => {
  for (const value of values) {
    const whole = JSON.stringify(value);
    expect(startOfJson(value, 1_000)).toBe(whole);
    for (let chars = 0; chars <= whole.length; chars++)
      expect(startOfJson(value, chars), `${whole} to ${chars}`).toBe(whole.slice(0, chars));
  }
});

test('looks no further than that, and no nesting is too deep', () => {
  const untouched = {
    get b() {
      throw new Error('looked at');
    },
  };
  expect(startOfJson({ a: 'x'.repeat(100), ...{ c: 1 }, untouched }, 50)).toHaveLength(50);
  expect(startOfJson(['x'.repeat(100), untouched], 50)).toHaveLength(50);
  const deep = JSON.parse(`${'['.repeat(1e6)}${']'.repeat(1e6)}`);
  expect(startOfJson(deep, 2_000)).toBe('['.repeat(2_000));
});

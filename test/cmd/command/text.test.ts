import { expect, test } from 'vitest';
import { grouped, printable } from '../../../cmd/terminal/text.ts';

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

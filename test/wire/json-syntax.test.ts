// The JSON syntax check against JSON.parse, which knows nothing of it. Its words are tested in options-update.test.ts.

import { expect, it } from 'vitest';
import { jsonSyntaxError } from '../../lib/wire/json-syntax.ts';
import { seededRandom } from '../support/events.ts';

const pieces = [
  '{',
  '}',
  '[',
  ']',
  ',',
  ':',
  '"a"',
  '"\\n"',
  '"\\u00e9"',
  '"\\',
  '"',
  '0',
  '1',
  '-',
  '.5',
  'e1',
  'E+2',
  'true',
  'false',
  'null',
  'n',
  ' ',
  '\t',
  '\u000b',
  '\u00a0',
  '\u20ac',
];

function parses(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

it('accepts what JSON.parse accepts, and nothing else', () => {
  const seed = 20_260_706;
  const random = seededRandom(seed);
  const counts = { good: 0, bad: 0 };
  const pick = () => pieces[Math.floor(random() * pieces.length)];
  const value = (depth: number): string => {
    const kind = random();
    const list = (make: () => string) => Array.from({ length: Math.floor(random() * 3) }, make).join();
    if (depth > 3 || kind < 0.4) return pick();
    if (kind < 0.7) return `[${list(() => value(depth + 1))}]`;
    return `{${list(() => `"${'ab'[Math.floor(random() * 2)]}":${value(depth + 1)}`)}}`;
  };
  for (let round = 0; round < 50_000; round++) {
    const text = random() < 0.7 ? value(0) : Array.from({ length: 5 }, pick).join('');
    const good = jsonSyntaxError(text) === undefined;
    counts[good ? 'good' : 'bad']++;
    if (good !== parses(text)) expect.fail(`seed ${seed}, round ${round}: ${JSON.stringify(text)}`);
  }
  expect(counts.good).toBeGreaterThan(5_000);
  expect(counts.bad).toBeGreaterThan(5_000);
});

it('bounds the depth', () => {
  const nested = (depth: number) => '['.repeat(depth) + ']'.repeat(depth);
  expect(jsonSyntaxError(nested(10_000))).toBeUndefined();
  expect(jsonSyntaxError(nested(10_001))).toBe("invalid character '[' exceeded max depth");
  expect(jsonSyntaxError(`${'{"a":'.repeat(10_001)}1${'}'.repeat(10_001)}`)).toBe(
    "invalid character '{' exceeded max depth",
  );
});

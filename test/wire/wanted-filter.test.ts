// Spellings of `maxMessageSizeBytes`, and what is kept of wanted collections.

import { expect, it } from 'vitest';
import type { Filter } from '../../lib/event/filter.ts';
import { eachWanted, filterOf, messageSizeLimit, v1KindWords } from '../../lib/wire/wanted-filter.ts';

it('a prefix that is longer than any collection is counted and not kept', () => {
  const prefixesOf = (wantedCollections: readonly string[]): readonly string[] => {
    const wanted = { ...eachWanted(() => []), wantedCollections, maxMessageSizeBytes: 0, isVerified: false };
    return (filterOf(wanted, 10, v1KindWords) as Filter).prefixes;
  };
  const longest = `${'a'.repeat(314)}.*`;
  expect(prefixesOf([`${longest.slice(0, -2)}b.*`])).toEqual([`${longest.slice(0, -2)}b.`]);
  const endless = Array.from({ length: 99 }, (_, at) => `${at}${'x'.repeat(100_000)}.*`);
  const kept = prefixesOf([...endless, 'app.*']);
  expect(kept).toContain('app.');
  expect(kept.join('').length).toBeLessThan(20);
  // No collection begins with what stands for them.
  for (const prefix of kept) expect(/^[a-z]/.test(prefix)).toBe(prefix === 'app.');
});

it.each([
  ['1000', 1000],
  ['+1000', 1000],
  ['0001', 1],
  ['4294967295', 4_294_967_295],
])('%s is %d', (text, limit) => expect(messageSizeLimit(text)).toBe(limit));

it.each([
  '',
  '0',
  '-0',
  '-5',
  'x',
  '1.0',
  '1e3',
  '1_000',
  ' 5',
  '5 ',
  // The v1 server kept the low 32 bits of these, which made limits nobody had asked for.
  '4294967296',
  '99999999999',
  '9223372036854775807',
  '99999999999999999999',
])('%j is no limit', (text) => expect(messageSizeLimit(text)).toBe(0));

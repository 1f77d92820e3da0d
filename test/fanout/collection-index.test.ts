import { expect, test } from 'vitest';
import { CollectionIndex } from '../../lib/fanout/collection-index.ts';
import { seededRandom } from '../support/events.ts';
import { timeRatio } from '../support/time-ratio.ts';

test('it finds who the plain rules find, through random additions and removals', () => {
  const seed = 70;
  const random = seededRandom(seed);
  const pick = <T>(from: readonly T[]): T => from[Math.floor(random() * from.length)];
  const names = ['', '.', 'a', 'a.', 'a.b', 'a.b.', 'a.b.c', 'a.b.c.d', 'ab.c', '..', 'b.a.b', 'a..b'];
  const ends = ['.', 'a.', 'a.b.', 'a.b.c.', 'b.', 'ab.', '..', 'a..', 'long.'.repeat(100)];
  const index = new CollectionIndex<number>();
  const owners = new Map<number, { collections: Set<string>; prefixes: Set<string> }>();
  for (let step = 0; step < 400; step++) {
    const owner = Math.floor(random() * 12);
    const wanted = owners.get(owner);
    if (wanted !== undefined) {
      index.remove(owner, wanted.collections, wanted.prefixes);
      owners.delete(owner);
    } else {
      const some = (from: readonly string[]): Set<string> =>
        new Set(Array.from({ length: Math.floor(random() * 4) }, () => pick(from)));
      const collections = some(names);
      const prefixes = some(ends);
      owners.set(owner, { collections, prefixes });
      index.add(owner, collections, prefixes);
    }
    for (const name of [...names, `${'long.'.repeat(100)}x`]) {
      const expected = [...owners]
        .filter(
          ([, { collections, prefixes }]) =>
            collections.has(name) || [...prefixes].some((prefix) => name.startsWith(prefix)),
        )
        .map(([number]) => number);
      const found = new Set(index.find(name).flat());
      expect([...found].sort(), `seed ${seed}, step ${step}, "${name}"`).toEqual(expected.sort());
    }
    expect([...index.owners].sort()).toEqual([...owners.keys()].sort());
  }
});

test('a long name costs no more than the prefixes that somebody wants', () => {
  const index = new CollectionIndex<number>();
  for (let at = 0; at < 50; at++) index.add(at, [], [`${'a.'.repeat(at)}b.`]);
  const find = (name: string) => () => {
    for (let times = 0; times < 20; times++) expect(index.find(name)).toEqual([]);
  };
  // Eight times the length; to try every prefix of it would take 64 times as long.
  expect(timeRatio(find('a.'.repeat(5_000)), find('a.'.repeat(40_000)))).toBeLessThan(24);
});

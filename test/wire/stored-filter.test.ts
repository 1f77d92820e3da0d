// The form in which filters are kept, and their ids.

import { expect, test } from 'vitest';
import { type Filter, passAll } from '../../lib/event/filter.ts';
import { filterFrom, isFilterId, storedFormOf } from '../../lib/wire/stored-filter.ts';
import { randomFilter, seededRandom } from '../support/events.ts';

const text = (filter: Filter): string => new TextDecoder().decode(storedFormOf(filter).bytes);

test('a filter comes back as it was', () => {
  const seed = 5;
  const random = seededRandom(seed);
  for (let round = 0; round < 300; round++) {
    const filter = randomFilter(random);
    const again = filterFrom(storedFormOf(filter).bytes);
    expect({ ...again, prefixes: [...again.prefixes].sort() }, `seed ${seed}, round ${round}`).toEqual({
      ...filter,
      prefixes: [...filter.prefixes].sort(),
    });
  }
});

test('beyond the limits of a query, too', () => {
  const dids = new Set(Array.from({ length: 100_000 }, (_, at) => `did:plc:a${at}`));
  expect(filterFrom(storedFormOf({ ...passAll, dids, subjects: dids }).bytes)).toMatchObject({
    dids: { size: 100_000 },
    subjects: { size: 100_000 },
  });
});

test('is written in one way', () => {
  expect(
    text({ ...passAll, dids: new Set(['did:web:b', 'did:web:a']), prefixes: ['b.', 'a.'], kinds: 5 }),
  ).toBe(
    '{"wantedCollections":["a.*","b.*"],"wantedDids":["did:web:a","did:web:b"],"wantedKinds":["commit","account"],"wantedOperations":[],"wantedSubjects":[],"maxMessageSizeBytes":0}',
  );
});

test('an id is the same for the same filter, in whatever order, and on every server', () => {
  const one = storedFormOf({ ...passAll, dids: new Set(['did:web:a', 'did:web:b']), operations: 8 });
  const other = storedFormOf({ ...passAll, dids: new Set(['did:web:b', 'did:web:a']), operations: 8 });
  expect(one.id).toBe(other.id);
  // The first 128 bits of the SHA-256 of its text in base 36, as Python has them.
  expect(one.id).toBe('60vft8e47l86xqaijx4vnpa6x');
  expect(one.counts).toEqual({
    wantedCollections: 0,
    wantedDids: 2,
    wantedKinds: 0,
    wantedOperations: 1,
    wantedSubjects: 0,
    maxMessageSizeBytes: 0,
  });
});

test('ids are different for everything that can be different, and look like ids', () => {
  const filters: Filter[] = [
    passAll,
    { ...passAll, dids: new Set(['did:web:a']) },
    { ...passAll, subjects: new Set(['did:web:a']) },
    { ...passAll, collections: new Set(['a.b.c']) },
    { ...passAll, prefixes: ['a.b.c.'] },
    { ...passAll, kinds: 1 },
    { ...passAll, kinds: 2 },
    { ...passAll, operations: 2 },
    { ...passAll, maxMessageSizeBytes: 1 },
  ];
  const ids = filters.map((filter) => storedFormOf(filter).id);
  expect(new Set(ids).size).toBe(filters.length);
  expect(ids.every(isFilterId)).toBe(true);
  for (const id of ['', 'a', ids[0].toUpperCase(), `${ids[0]}0`, `${ids[0].slice(1)}-`]) {
    expect(isFilterId(id)).toBe(false);
  }
});

test('the bytes have memory of their own, so that they can be handed to another thread', () => {
  const { bytes } = storedFormOf({ ...passAll, dids: new Set(['did:web:a']) });
  expect(bytes.buffer.byteLength).toBe(bytes.length);
});

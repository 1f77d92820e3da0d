import { expect, test } from 'vitest';
import { CollectionCounts } from '../../../cmd/command/collections.ts';
import { seededRandom } from '../../support/events.ts';

test('counts are exact while all names fit, the largest first', () => {
  const counts = new CollectionCounts(10);
  for (const [name, events] of [
    ['b', 2],
    ['a', 2],
    ['c', 1],
    ['c', 4],
  ] as const)
    counts.add(name, events);
  expect(counts.top(2)).toEqual([
    { collection: 'c', events: 5 },
    { collection: 'a', events: 2 },
  ]);
  expect(counts).toMatchObject({ names: 3, isPartial: false, other: 0 });
});

test('any number of names stays within bounds, and the large ones stay on top with their counts', () => {
  const random = seededRandom(90);
  const counts = new CollectionCounts(50);
  let added = 0;
  for (let event = 0; event < 20_000; event++) {
    const name = random() < 0.5 ? `large.${event % 7}` : `small.${event}`;
    counts.add(name, 1);
    added++;
    expect(counts.names).toBeLessThan(100);
  }
  const top = counts.top(Number.POSITIVE_INFINITY);
  expect(top.slice(0, 7).every(({ collection }) => collection.startsWith('large.'))).toBe(true);
  expect(top.reduce((sum, { events }) => sum + events, counts.other)).toBe(added);
  expect(counts.isPartial).toBe(true);
});

test('a name that is longer than any collection has is not kept', () => {
  const counts = new CollectionCounts(10);
  for (const length of [317, 318, 1024 * 1024]) counts.add('a'.repeat(length), 2);
  expect(counts).toMatchObject({ names: 1, other: 4, isPartial: true });
});

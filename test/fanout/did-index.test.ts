import { expect, test } from 'vitest';
import { DidIndex, noLink } from '../../lib/fanout/did-index.ts';
import { seededRandom } from '../support/events.ts';

/** Owners are numbers here, and not those that the index gives them. */
function groupsOf(index: DidIndex<number>, low: number, high: number): number[] {
  const groups: number[] = [];
  for (let link = index.find(low, high); link !== noLink; link = index.next(link)) {
    const group = index.ownerOf(link);
    if (group !== undefined) groups.push(group);
  }
  return groups.sort((a, b) => a - b);
}

test('it finds what a map of sets finds, through random additions and removals', () => {
  const seed = 60;
  const random = seededRandom(seed);
  // Few low words, so that entries crowd around the same slots, and few DIDs, so that groups share them.
  const dids = Array.from({ length: 400 }, (_, at) => {
    const low = random() < 0.5 ? Math.floor(random() * 8) : Math.floor(random() * 2 ** 32);
    return [low, (at * 2_654_435_761) >>> 0] as const;
  });
  const index = new DidIndex<number>();
  const wanted = new Map<number, readonly number[]>();
  const numbers = new Map<number, number>();
  for (let step = 0; step < 600; step++) {
    // Long growth, then long shrinking, over and over.
    const grows = random() < (step % 200 < 100 ? 0.8 : 0.2);
    if (grows) {
      const group = [...Array(400).keys()].find((number) => !wanted.has(number)) as number;
      // Neighbours, so that the table grows and shrinks while some DIDs have many groups and others none.
      const first = Math.floor(random() ** 3 * 350);
      wanted.set(
        group,
        [...dids.keys()].slice(first, first + 50).filter(() => random() < 0.7),
      );
      numbers.set(group, index.add(hashesOf(wanted.get(group) as number[]), group));
    } else if (wanted.size > 0) {
      const group = [...wanted.keys()][Math.floor(random() * wanted.size)];
      index.remove(hashesOf(wanted.get(group) as number[]), numbers.get(group) as number);
      wanted.delete(group);
    }
    if (step % 10 !== 0) continue;
    for (const [at, [low, high]] of dids.entries()) {
      const expected = [...wanted].filter(([, list]) => list.includes(at)).map(([group]) => group);
      expect(groupsOf(index, low, high), `seed ${seed}, step ${step}`).toEqual(
        expected.sort((a, b) => a - b),
      );
    }
    expect(index.size).toBe([...wanted.values()].reduce((sum, list) => sum + list.length, 0));
    expect(index.find(1, 1)).toBe(noLink);
  }

  function hashesOf(list: readonly number[]): Uint32Array {
    return Uint32Array.from(list.flatMap((at) => dids[at]));
  }
});

test('it takes memory for what it holds, and gives it back', () => {
  const index = new DidIndex<number>();
  const empty = index.bytes;
  const random = seededRandom(61);
  const lists = Array.from({ length: 20 }, () =>
    Uint32Array.from({ length: 10_000 }, () => Math.floor(random() * 2 ** 32)),
  );
  const numbers = lists.map((hashes, group) => [
    index.add(hashes, group * 2),
    index.add(hashes, group * 2 + 1),
  ]);
  expect(index.size).toBe(200_000);
  // A slot of 12 bytes for each DID and a node of 8 for its second group, at a third of what is reserved or more.
  const full = index.bytes;
  expect(full).toBeLessThan(100_000 * 3 * (12 + 8));
  for (let times = 0; times < 100; times++) {
    index.remove(lists[0], numbers[0][1]);
    numbers[0][1] = index.add(lists[0], 1);
    // And half as much of what is gone.
    expect(index.bytes).toBeLessThanOrEqual(full * 1.5);
  }
  for (const [group, hashes] of lists.entries()) {
    index.remove(hashes, numbers[group][0]);
    index.remove(hashes, numbers[group][1]);
  }
  expect(index.size).toBe(0);
  expect(index.bytes).toBe(empty);
  // Numbers are used again.
  expect(index.add(lists[0], 0)).toBeLessThan(100);
});

test('to remove takes no longer when many want the same', () => {
  const random = seededRandom(62);
  const lists = Array.from({ length: 400 }, () =>
    Uint32Array.from({ length: 4000 }, () => Math.floor(random() * 2 ** 32)),
  );
  const removalMs = (listOf: (group: number) => Uint32Array): number => {
    const index = new DidIndex<number>();
    const numbers = lists.map((_, group) => index.add(listOf(group), group));
    const startMs = performance.now();
    for (const [group, number] of numbers.entries()) index.remove(listOf(group), number);
    return performance.now() - startMs;
  };
  const least = (listOf: (group: number) => Uint32Array): number =>
    Math.min(...[1, 2, 3].map(() => removalMs(listOf)));
  // It was 8 times as long, and more the more there were.
  expect(least(() => lists[0])).toBeLessThan(least((group) => lists[group]) * 2);
});

import { expect, test } from 'vitest';
import { DidHasher } from '../../lib/event/did-hash.ts';
import type { Filter } from '../../lib/event/filter.ts';
import { gather, noRun } from '../../lib/fanout/batch.ts';
import { encodings } from '../../lib/fanout/encodings.ts';
import type { Group } from '../../lib/fanout/group.ts';
import { GroupIndex } from '../../lib/fanout/group-index.ts';
import { matches, randomFilter, SampleLog, seededRandom } from '../support/events.ts';
import { passAll } from '../support/pass-all.ts';
import { timeRatio } from '../support/time-ratio.ts';
import { pointing } from './subject-events.ts';

const didHashKey = new Uint8Array(8);
const hasher = new DidHasher(didHashKey);

function makeIndex(wantedDidsMax = 1_000_000): GroupIndex {
  return new GroupIndex(hasher, wantedDidsMax);
}

test('a block touches the groups that want some of it, with what they want', () => {
  const seed = 80;
  const random = seededRandom(seed);
  const index = makeIndex();
  const sample = new SampleLog(random, { didHashKey });
  const held: Group[] = [];
  for (let step = 0; step < 300; step++) {
    if (random() < 0.6 || held.length === 0) {
      const group = index.hold(randomFilter(random), encodings.json) as Group;
      held.push(group);
      if (group.live.length === 0 && random() < 0.9) group.join({ index: 0, push: () => {} });
    } else {
      const [group] = held.splice(Math.floor(random() * held.length), 1);
      index.release(group);
      if (group.holders === 0) group.live.length = 0;
    }
    const block = sample.block(1 + Math.floor(random() * 20));
    const { count, jsonEnd } = block.index;
    const from = Math.floor(random() * count);
    const messages = { bytes: block.json, ends: jsonEnd };
    const found = new Map<Group, Uint8Array>();
    for (const group of index.matched(block.index, from)) {
      expect(found.has(group)).toBe(false);
      found.set(group, gather(messages, index.runs, group.firstRun).bytes);
      group.firstRun = noRun;
      group.lastRun = noRun;
    }
    for (const group of new Set(held)) {
      const { bytes } = group.selection.cut(block.index, messages, from, count);
      const isExpected = group.live.length > 0 && bytes.length > 0 && !index.unfiltered.has(group);
      const hint = `seed ${seed}, step ${step}, ${group.key}`;
      expect(found.get(group)?.length ?? 0, hint).toBe(isExpected ? bytes.length : 0);
      if (isExpected) expect(Buffer.compare(found.get(group) as Uint8Array, bytes), hint).toBe(0);
      found.delete(group);
    }
    expect(found.size, 'groups that nobody holds').toBe(0);
    expect(index.size).toBe(new Set(held).size);
  }
  for (const group of held) index.release(group);
  expect([index.size, index.wantedDids, index.unfiltered.size]).toEqual([0, 0, 0]);
});

test('subscribers share a group when filter and encoding are equal', () => {
  const index = makeIndex();
  const filter: Filter = { ...passAll, dids: new Set(['did:web:a', 'did:web:b']), prefixes: ['a.'] };
  const same: Filter = { ...passAll, dids: new Set(['did:web:b', 'did:web:a']), prefixes: ['a.', 'a.'] };
  const group = index.hold(filter, encodings.json);
  expect(index.hold(same, encodings.json)).toBe(group);
  expect(index.hold(same, encodings.zstd)).not.toBe(group);
  expect(index.hold(passAll, encodings.json)).not.toBe(group);
  expect(index.size).toBe(3);
});

test.for(['dids', 'subjects'] as const)(
  'wanted %s are bounded over all groups, and a group that is there already costs none',
  (what) => {
    const index = makeIndex(5);
    const wants = (...names: string[]): Filter => ({
      ...passAll,
      [what]: new Set(names.map((name) => `did:web:${name}`)),
    });
    const first = index.hold(wants('a', 'b', 'c'), encodings.json) as Group;
    expect(index.hold(wants('a', 'b', 'd'), encodings.json)).toBeUndefined();
    expect(index.hold(wants('c', 'b', 'a'), encodings.json)).toBe(first);
    expect(index.hold(wants('a', 'b'), encodings.json)).toBeDefined();
    expect(index.wantedDids).toBe(5);
    index.release(first);
    expect(index.hold(wants('e'), encodings.json)).toBeUndefined();
    index.release(first);
    expect(index.hold(wants('e'), encodings.json)).toBeDefined();
    expect(index.wantedDids).toBe(3);
  },
);

test('wanted DIDs and subjects of a group are counted together', () => {
  const index = makeIndex(5);
  const names = (...list: string[]): Set<string> => new Set(list.map((name) => `did:web:${name}`));
  const filter: Filter = { ...passAll, dids: names('a', 'b'), subjects: names('a', 'b', 'c') };
  const group = index.hold(filter, encodings.json) as Group;
  expect(index.wantedDids).toBe(5);
  expect(index.hold({ ...passAll, subjects: names('a') }, encodings.json)).toBeUndefined();
  index.release(group);
  expect(index.wantedDids).toBe(0);
});

test('thousands of groups with subjects get what points at those, for one reason or for several', () => {
  const seed = 81;
  const random = seededRandom(seed);
  const pick = <T>(from: readonly T[]): T => from[Math.floor(random() ** 2 * from.length)];
  const list = <T>(max: number, make: () => T): T[] =>
    Array.from({ length: Math.floor(random() * (max + 1)) }, make);
  const accounts = Array.from({ length: 300 }, (_, at) => `did:web:${at}.example.com`);
  const some = (): string => {
    const account = pick(accounts);
    return random() < 0.4 ? account : `at://${account}/app.bsky.feed.post/${Math.floor(random() * 4)}`;
  };
  const index = makeIndex();
  const filters = new Map<Group, Filter>();
  const hold = (): void => {
    const { subjects: _, ...others } = randomFilter(random);
    const isPlain = random() < 0.6;
    const filter: Filter = {
      ...passAll,
      ...(!isPlain && others),
      subjects: new Set([some(), ...list(3, some)]),
    };
    const group = index.hold(filter, encodings.json) as Group;
    if (group.live.length === 0) group.join({ index: 0, push: () => {} });
    filters.set(group, filter);
  };
  for (let made = 0; made < 4000; made++) hold();
  for (let round = 0; round < 5; round++) {
    const sample = new SampleLog(random, { didHashKey, textBytesMax: 1000 });
    const { index: plain } = sample.block(100);
    const subjectHashes = Array.from({ length: plain.count }, () => list(4, some));
    const from = round === 0 ? 0 : Math.floor(random() * 50);
    const found = new Map<Group, number[]>();
    for (const group of index.matched(pointing(plain, subjectHashes, hasher), from)) {
      expect(found.has(group)).toBe(false);
      found.set(group, eventsOf(index, group));
    }
    let delivered = 0;
    for (const [group, filter] of filters) {
      const points = (event: number): boolean =>
        subjectHashes[event].some(
          (text) => filter.subjects.has(text) || filter.subjects.has(accountOf(text)),
        );
      const others = { ...filter, subjects: new Set<string>() };
      const expected = [...subjectHashes.keys()].filter(
        (event) => event >= from && points(event) && matches(others, sample.events[event]),
      );
      expect(found.get(group) ?? [], `seed ${seed}, round ${round}, ${group.key}`).toEqual(expected);
      delivered += expected.length;
    }
    expect(delivered).toBeGreaterThan(1000);
    expect(index.matched(plain, from), 'a block that points at nothing').toEqual([]);
    for (const [group] of [...filters].filter(() => random() < 0.2)) {
      while (group.holders > 0) index.release(group);
      filters.delete(group);
    }
    for (let made = 0; made < 500; made++) hold();
  }
  for (const [group] of filters) while (group.holders > 0) index.release(group);
  expect([index.size, index.wantedDids, index.unfiltered.size]).toEqual([0, 0, 0]);
});

test('posts of one account cost what is delivered, however many others of its posts are wanted', () => {
  const post = (at: number): string => `at://did:web:popular.example.com/app.bsky.feed.post/${at}`;
  const { index: plain } = new SampleLog(seededRandom(82), { didHashKey }).block(256);
  const subjectHashes = Array.from({ length: plain.count }, (_, at) => [post(at), post(at + 20_000)]);
  const block = pointing(plain, subjectHashes, hasher);
  const indexOf = (posts: number): GroupIndex => {
    const index = makeIndex();
    for (let at = 0; at < posts; at++) {
      const group = index.hold({ ...passAll, subjects: new Set([post(at)]) }, encodings.json) as Group;
      group.join({ index: 0, push: () => {} });
    }
    return index;
  };
  const few = indexOf(2_500);
  const many = indexOf(20_000);
  const match = (index: GroupIndex) => () => {
    for (let times = 0; times < 20; times++) {
      const touched = index.matched(block, 0);
      expect(touched.length).toBe(plain.count);
      for (const group of touched) eventsOf(index, group);
    }
  };
  // Eight times the posts; a walk through them all would take eight times as long.
  expect(timeRatio(match(few), match(many))).toBeLessThan(4);
});

function accountOf(text: string): string {
  return text.startsWith('at://') ? text.slice(5, text.indexOf('/', 5)) : text;
}

/** Takes the chain of a group. */
function eventsOf({ runs }: GroupIndex, group: Group): number[] {
  const events: number[] = [];
  for (let run = group.firstRun; run !== noRun; run = runs.nextOf(run)) {
    for (let event = runs.startOf(run); event < runs.endOf(run); event++) events.push(event);
  }
  group.firstRun = noRun;
  group.lastRun = noRun;
  return events;
}

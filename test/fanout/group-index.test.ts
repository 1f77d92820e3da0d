import { expect, test } from 'vitest';
import { DidHasher } from '../../lib/event/did-hash.ts';
import { type Filter, passAll } from '../../lib/event/filter.ts';
import { gather, noRun } from '../../lib/fanout/batch.ts';
import type { Group } from '../../lib/fanout/group.ts';
import { GroupIndex } from '../../lib/fanout/group-index.ts';
import type { Subscriber } from '../../lib/fanout/subscriber.ts';
import { encodings } from '../../lib/fanout/transport.ts';
import { randomFilter, SampleLog, seededRandom } from '../support/events.ts';

const didHashKey = new Uint8Array(8);

function makeIndex(wantedDidsMax = 1_000_000): GroupIndex {
  return new GroupIndex(new DidHasher(didHashKey), wantedDidsMax);
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
      if (group.live.length === 0 && random() < 0.9) group.join({ place: 0 } as Subscriber);
    } else {
      const [group] = held.splice(Math.floor(random() * held.length), 1);
      index.release(group);
      if (group.holders === 0) group.live.length = 0;
    }
    const block = sample.block(1 + Math.floor(random() * 20));
    const { count, jsonEnd } = block.index;
    const from = Math.floor(random() * count);
    const frames = { frames: block.json, ends: jsonEnd };
    const found = new Map<Group, Uint8Array>();
    for (const group of index.touched(block.index, from)) {
      expect(found.has(group)).toBe(false);
      found.set(group, gather(frames, index.runs, group.firstRun).bytes);
      group.firstRun = noRun;
      group.lastRun = noRun;
    }
    for (const group of new Set(held)) {
      const { bytes } = group.selection.cut(block.index, frames, from, count);
      const isExpected = group.live.length > 0 && bytes.length > 0 && !index.broad.has(group);
      const hint = `seed ${seed}, step ${step}, ${group.key}`;
      expect(found.get(group)?.length ?? 0, hint).toBe(isExpected ? bytes.length : 0);
      if (isExpected) expect(Buffer.compare(found.get(group) as Uint8Array, bytes), hint).toBe(0);
      found.delete(group);
    }
    expect(found.size, 'groups that nobody holds').toBe(0);
    expect(index.size).toBe(new Set(held).size);
  }
  for (const group of held) index.release(group);
  expect([index.size, index.wantedDids, index.broad.size]).toEqual([0, 0, 0]);
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

test('wanted DIDs are bounded over all groups, and a group that is there already costs none', () => {
  const index = makeIndex(5);
  const wants = (...names: string[]): Filter => ({
    ...passAll,
    dids: new Set(names.map((name) => `did:web:${name}`)),
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
});

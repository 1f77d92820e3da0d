import { expect, test } from 'vitest';
import { DidHasher } from '../../lib/event/did-hash.ts';
import { eventKinds, operations } from '../../lib/event/event.ts';
import { type Filter, passAll } from '../../lib/event/filter.ts';
import { Selection } from '../../lib/fanout/selection.ts';
import { matches, payloadsOf, randomFilter, SampleLog, seededRandom, unfake } from '../support/events.ts';

const hasher = new DidHasher(new Uint8Array(8));
const keyOf = (filter: Filter): string => new Selection(filter, hasher).key;

test('cutting a block gives what the plain rules give, for random filters, parts and both encodings', () => {
  const seed = 20;
  const random = seededRandom(seed);
  for (let round = 0; round < 600; round++) {
    const sample = new SampleLog(random);
    const { index, json, zstd } = sample.block(1 + Math.floor(random() * 30));
    const filter = randomFilter(random);
    const from = Math.floor(random() * (index.count + 1));
    const to = random() < 0.5 ? index.count : from + Math.floor(random() * (index.count - from + 1));
    const expected = sample.events
      .slice(from, to)
      .filter((event) => matches(filter, event))
      .map((event) => JSON.stringify(event));
    const selection = new Selection(filter, hasher);
    const asJson = selection.cut(index, { frames: json, ends: index.jsonEnd }, from, to);
    const asZstd = selection.cut(index, { frames: zstd, ends: index.zstdEnd }, from, to);
    const hint = `seed ${seed}, round ${round}`;
    expect(
      payloadsOf(asJson.bytes, 0x81).map((payload) => Buffer.from(payload).toString()),
      hint,
    ).toEqual(expected);
    expect(payloadsOf(asZstd.bytes, 0x82).map(unfake), hint).toEqual(expected);
    expect([asJson.events, asZstd.events]).toEqual([expected.length, expected.length]);
  }
});

test('an unfiltered block is not copied', () => {
  const { index, json } = new SampleLog(seededRandom(21)).block(5);
  const frames = { frames: json, ends: index.jsonEnd };
  expect(new Selection(passAll, hasher).cut(index, frames, 0, 5).bytes).toBe(json);
});

test('filters that choose the same events share a key, others do not', () => {
  const filter = { ...passAll, collections: new Set(['a.b.c', 'd.e.f']), prefixes: ['x.', 'y.'] };
  const same = { ...passAll, collections: new Set(['d.e.f', 'a.b.c']), prefixes: ['y.', 'x.', 'y.'] };
  expect(keyOf(same)).toBe(keyOf(filter));
  expect(keyOf(passAll)).toBe('');
  const others: Filter[] = [
    passAll,
    filter,
    { ...filter, maxMessageSizeBytes: 1 },
    { ...passAll, maxMessageSizeBytes: 1 },
    { ...passAll, kinds: 1 },
    { ...passAll, operations: 2 },
    { ...passAll, collections: new Set(['x.']) },
    { ...passAll, prefixes: ['x.'] },
    { ...passAll, dids: new Set(['x.']) },
  ];
  expect(new Set(others.map(keyOf)).size).toBe(others.length);
});

test('who wants no commits wants no collection, so that a replay can skip nearly all of the log', () => {
  const kinds = (1 << eventKinds.identity) | (1 << eventKinds.account);
  const selection = new Selection({ ...passAll, collections: new Set(['a.b.c']), kinds }, hasher);
  expect(selection.readFilter?.wantsCollection?.('a.b.c')).toBe(false);
  expect(selection.key).toBe(keyOf({ ...passAll, kinds }));
  const deletes = new Selection({ ...passAll, operations: 1 << operations.delete }, hasher);
  expect(deletes.readFilter).toBeUndefined();
});

import { expect, test } from 'vitest';
import { DidHasher } from '../../lib/event/did-hash.ts';
import { passAll } from '../../lib/event/filter.ts';
import { filterKey, Selection } from '../../lib/fanout/selection.ts';
import { matches, payloadsOf, randomFilter, SampleLog, seededRandom, unfake } from '../support/events.ts';

test('cutting a block gives what the plain rules give, for random filters, starts and both encodings', () => {
  const seed = 20;
  const random = seededRandom(seed);
  const hasher = new DidHasher(new Uint8Array(8));
  for (let round = 0; round < 400; round++) {
    const sample = new SampleLog(random);
    const { index, json, zstd } = sample.block(1 + Math.floor(random() * 30));
    const filter = randomFilter(random);
    const from = Math.floor(random() * (index.count + 1));
    const expected = sample.events
      .slice(from)
      .filter((event) => matches(filter, event))
      .map((event) => JSON.stringify(event));
    const selection = new Selection(filter, hasher);
    const asJson = selection.cut(index, json, 'json', from);
    const asZstd = selection.cut(index, zstd, 'zstd', from);
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
  expect(new Selection(passAll, new DidHasher(new Uint8Array(8))).cut(index, json, 'json', 0).bytes).toBe(
    json,
  );
});

test('filters that choose the same events share a key, others do not', () => {
  const filter = { ...passAll, collections: new Set(['a.b.c', 'd.e.f']), prefixes: ['x.', 'y.'] };
  const same = { ...passAll, collections: new Set(['d.e.f', 'a.b.c']), prefixes: ['y.', 'x.', 'y.'] };
  expect(filterKey(same)).toBe(filterKey(filter));
  expect(filterKey(passAll)).toBe('');
  const others = [
    passAll,
    filter,
    { ...filter, maxMessageSizeBytes: 1 },
    { ...passAll, collections: new Set(['x.']) },
    { ...passAll, prefixes: ['x.'] },
    { ...passAll, dids: new Set(['x.']) },
  ];
  expect(new Set(others.map(filterKey)).size).toBe(others.length);
});

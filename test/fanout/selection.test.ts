import { describe, expect, test } from 'vitest';
import { Clock } from '../../lib/event/clock.ts';
import { DidHasher } from '../../lib/event/did-hash.ts';
import { eventKinds, operations, v2Kinds } from '../../lib/event/event.ts';
import type { Filter } from '../../lib/event/filter.ts';
import { numberOf } from '../../lib/event/verdict.ts';
import { Selection } from '../../lib/fanout/selection.ts';
import type { BlockIndex } from '../../lib/log/block.ts';
import { BlockBuilder } from '../../lib/log/block-builder.ts';
import {
  fakeCompressor,
  matches,
  payloadsOf,
  randomFilter,
  SampleLog,
  seededRandom,
  unfake,
} from '../support/events.ts';
import { passAll } from '../support/pass-all.ts';
import { pointing } from './subject-events.ts';

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
    const asJson = selection.cut(index, { bytes: json, ends: index.jsonEnd }, from, to);
    const asZstd = selection.cut(index, { bytes: zstd, ends: index.zstdEnd }, from, to);
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
  const messages = { bytes: json, ends: index.jsonEnd };
  expect(new Selection(passAll, hasher).cut(index, messages, 0, 5).bytes).toBe(json);
});

test('filters that choose the same events share a key, others do not', () => {
  const filter = { ...passAll, collections: new Set(['a.b.c', 'd.e.f']), prefixes: ['x.', 'y.'] };
  const same = { ...passAll, collections: new Set(['d.e.f', 'a.b.c']), prefixes: ['y.', 'x.', 'y.'] };
  expect(keyOf(same)).toBe(keyOf(filter));
  const subjects = new Set(['did:web:b', 'at://did:web:a/a.b.c/1', 'at://did:web:a/a.b.c/2']);
  const sameSubjects = new Set([...subjects, 'at://did:web:b/a.b.c/1'].reverse());
  expect(keyOf({ ...filter, subjects: sameSubjects })).toBe(keyOf({ ...filter, subjects }));
  const others: Filter[] = [
    passAll,
    filter,
    { ...filter, maxMessageSizeBytes: 1 },
    { ...passAll, maxMessageSizeBytes: 1 },
    { ...passAll, kinds: 1 },
    { ...passAll, operations: 2 },
    { ...passAll, collections: new Set(['x.']) },
    { ...passAll, prefixes: ['x.'] },
    { ...passAll, dids: new Set(['did:web:a']) },
    { ...passAll, subjects: new Set(['did:web:a']) },
    { ...passAll, subjects: new Set(['did:web:b']) },
    { ...passAll, subjects: new Set(['at://did:web:a/a.b.c/1']) },
    { ...passAll, subjects: new Set(['did:web:a', 'at://did:web:b/a.b.c/1']) },
    { ...passAll, subjects: new Set(['did:web:a']), collections: new Set(['a.b.c']) },
    { ...passAll, subjects: new Set(['did:web:a']), dids: new Set(['did:web:a']) },
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

describe('wanted subjects', () => {
  const author = 'did:web:author.example.com';
  const other = 'did:web:other.example.com';
  const post = `at://${author}/app.bsky.feed.post/1`;
  const otherPost = `at://${author}/app.bsky.feed.post/2`;
  const lists = [
    [],
    [author],
    [post],
    [otherPost],
    [other],
    [other, `at://${other}/app.bsky.feed.post/1`, post],
    [`${post}#part`],
    [`at://${author}`],
    [otherPost, otherPost, post, post],
    [`at://${author}/app.bsky.feed.post/1/`],
    [],
  ];
  const { index, json } = new SampleLog(seededRandom(22)).block(lists.length);
  const messages = { bytes: json, ends: index.jsonEnd };
  const pointed = pointing(index, lists, hasher);

  /** Positions of the chosen events. */
  function chosen(wanted: readonly string[], more = passAll): number[] {
    const selection = new Selection({ ...more, subjects: new Set(wanted) }, hasher);
    const { events } = selection.cut(pointed, messages, 0, index.count);
    const one = (event: number): number => selection.cut(pointed, messages, event, event + 1).events;
    const found = [...lists.keys()].filter((event) => one(event) === 1);
    expect(events).toBe(found.length);
    return found;
  }

  test('a DID is the account and all of its records, an at-uri only that record', () => {
    expect(chosen([author])).toEqual([1, 2, 3, 5, 6, 7, 8, 9]);
    expect(chosen([post])).toEqual([2, 5, 6, 8]);
    expect(chosen([otherPost, other])).toEqual([3, 4, 5, 8]);
    expect(chosen([author, post, other])).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9]);
    expect(chosen(['did:web:nobody.example.com'])).toEqual([]);
  });

  test('they are one condition more', () => {
    const seed = 23;
    const random = seededRandom(seed);
    const pointing = chosen([author, other]);
    for (let round = 0; round < 100; round++) {
      const filter = randomFilter(random);
      const others = chosen([], filter);
      const expected = pointing.filter((event) => others.includes(event));
      expect(chosen([author, other], filter), `seed ${seed}, round ${round}`).toEqual(expected);
    }
  });

  test('nothing matches in a block that has no subjects, and the log may skip it', () => {
    const selection = new Selection({ ...passAll, subjects: new Set([post]) }, hasher);
    expect(selection.cut(index, messages, 0, index.count).events).toBe(0);
    expect(selection.wantsSubjectOf(index, 0)).toBe(false);
    expect(selection.readFilter).toEqual({ subjectHashes: selection.subjectHashes });
    expect(selection.subjectHashes.length).toBe(3);
  });
});

describe('what is verified', () => {
  const source = Buffer.from('did:web:a.testcom.example.rare/1');
  const builder = new BlockBuilder(new Clock(0), hasher, new Map());
  const { commit, identity, account, sync } = eventKinds;
  const reasons = [
    ...(['continuous', 'first_sight', 'gap', 'fork', 'after_unchecked', 'legacy', 'too_late'] as const),
    ...(['not_asked', 'bad_signature', 'no_key'] as const),
  ];
  for (const kind of [commit, sync]) {
    for (const _ of reasons) {
      builder.begin();
      const path = kind === commit ? [14, 30, 32] : [14, 14, 14];
      builder.end(
        kind,
        kind === commit ? operations.create : operations.none,
        source,
        0,
        14,
        path[0],
        path[1],
        path[2],
      );
    }
  }
  for (const kind of [identity, account]) {
    builder.begin();
    builder.end(kind, operations.none, source, 0, 14, 14, 14, 14);
  }
  const block = builder.seal(fakeCompressor);
  const numbers = reasons.map(numberOf);
  const index = { ...block.index, verdict: Uint8Array.from([...numbers, ...numbers, 0, 0]) };
  const messages = { bytes: block.json, ends: index.jsonEnd };
  const chosen = (filter: Filter, of: BlockIndex): number[] => {
    const selection = new Selection(filter, hasher);
    return [...of.timeUs.keys()].filter((at) => selection.cut(of, messages, at, at + 1).events === 1);
  };
  const all = { ...passAll, isV2: true, kinds: v2Kinds } as const;

  test('is what the account has signed with nothing left out, and what nobody signs', () => {
    const events = reasons.length * 2 + 2;
    expect(chosen(all, index)).toHaveLength(events);
    const signed = [0, 1, 2, 3, 4];
    const syncs = signed.map((at) => at + reasons.length);
    expect(chosen({ ...all, isVerified: true }, index)).toEqual([
      ...signed,
      ...syncs,
      events - 2,
      events - 1,
    ]);
    const one = { ...all, isVerified: true, kinds: 1 << commit } as const;
    expect(chosen(one, index)).toEqual(signed);
  });

  test('is in no block that nobody has looked at', () => {
    const events = reasons.length * 2 + 2;
    expect(chosen({ ...all, isVerified: true }, block.index)).toEqual([events - 2, events - 1]);
  });

  test('is a condition of its own in the key, and asks nothing of the log', () => {
    const verified = { ...passAll, isVerified: true } as const;
    expect(keyOf(verified)).not.toBe(keyOf(passAll));
    expect(new Selection(verified, hasher).readFilter).toBeUndefined();
  });
});

describe('what one wire shows and the other does not', () => {
  const source = Buffer.from('did:web:a.testcom.example.rare/1');
  const builder = new BlockBuilder(new Clock(0), hasher, new Map());
  const { commit, identity, sync } = eventKinds;
  for (const [kind, isV1Only] of [
    [commit, false],
    [commit, true],
    [sync, false],
    [identity, false],
    [identity, true],
  ] as const) {
    builder.begin();
    builder.writer.ascii(`${kind} ${isV1Only}`);
    const end = kind === commit ? 30 : 14;
    const operation = kind === commit ? operations.create : operations.none;
    builder.end(kind, operation, source, 0, 14, 14, end, end === 30 ? source.length : 14, isV1Only);
  }
  const { index, json } = builder.seal(fakeCompressor);

  test.each<[string, Partial<Filter>, string[]]>([
    ['v1', {}, ['0 false', '0 true', '1 false', '1 true']],
    ['v1 of a collection', { collections: new Set(['a.b.c']) }, ['1 false', '1 true']],
    ['plain HTTP', { kinds: 1 << sync }, ['3 false']],
    ['v2', { isV2: true, kinds: v2Kinds }, ['0 false', '3 false', '1 false']],
    [
      'v2 of a DID',
      { isV2: true, kinds: v2Kinds, dids: new Set(['did:web:a.test']) },
      ['0 false', '3 false', '1 false'],
    ],
    ['v2 of commits', { isV2: true, kinds: 1 << commit }, ['0 false']],
  ])('%s', (_, filter, expected) => {
    const selection = new Selection({ ...passAll, ...filter }, hasher);
    const { bytes, events } = selection.cut(index, { bytes: json, ends: index.jsonEnd }, 0, index.count);
    expect(payloadsOf(bytes, 0x81).map((text) => Buffer.from(text).toString())).toEqual(expected);
    expect(events).toBe(expected.length);
  });
});

// Queries of `/subscribe`. Answers to bad ones were captured from a running v1 server (reference-queries.jsonl: query,
// and the body of its 400, or nothing when it went on to the handshake).

import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { eventKinds, operations } from '../../lib/event/event.ts';
import type { Filter } from '../../lib/event/filter.ts';
import { encodings } from '../../lib/fanout/encodings.ts';
import {
  isSubscribeFault,
  parseSubscribeQuery,
  type SubscribeRequest,
} from '../../lib/wire/subscribe-query.ts';
import { seededRandom } from '../support/events.ts';
import { passAll } from '../support/pass-all.ts';
import { growth, linearGrowthMax } from '../support/time-ratio.ts';

const references = readFileSync(new URL('reference-queries.jsonl', import.meta.url), 'utf8')
  .trim()
  .split('\n')
  .map((line) => JSON.parse(line) as [string, string]);

function accepted(query: string, socketEncoding?: string): SubscribeRequest & { readonly filter: Filter } {
  const result = parseSubscribeQuery(query, socketEncoding);
  if (isSubscribeFault(result)) throw new Error(result.body);
  return { ...result, filter: result.filter as Filter };
}

function refused(query: string): string {
  const result = parseSubscribeQuery(query, undefined);
  return isSubscribeFault(result) ? result.body : '';
}

function repeated(count: number, pair: (index: number) => string): string {
  return Array.from({ length: count }, (_, index) => pair(index)).join('&');
}

const collection = (index: number) => `wantedCollections=app.bsky.test.c${index}`;
const did = (index: number) => `wantedDids=did:plc:${String(index).padStart(24, 'a')}`;

it('asks for what is verified, and for nothing that is nearly that', () => {
  expect(accepted('verified=true').filter.isVerified).toBe(true);
  for (const query of ['', 'verified=', 'verified=false'])
    expect(accepted(query).filter.isVerified).toBeUndefined();
  for (const value of ['1', 'TRUE', 'yes'])
    expect(refused(`verified=${value}`)).toBe(
      `invalid subscriber options: invalid verified: ${value}: give true or false`,
    );
});

describe('answers of the v1 server', () => {
  it.each(references)('%s', (query, body) => expect(refused(query)).toBe(body));
});

describe('limits', () => {
  const tooManyCollections = 'invalid subscriber options: too many wanted collections';
  const tooManyDids = 'invalid subscriber options: too many wanted DIDs';
  it.each([
    ['100 collections', repeated(100, collection), ''],
    ['101 collections', repeated(101, collection), tooManyCollections],
    ['one collection 101 times', repeated(101, () => collection(0)), ''],
    ['one wildcard 100 times', repeated(100, () => 'wantedCollections=app.*'), ''],
    ['one wildcard 101 times', repeated(101, () => 'wantedCollections=app.*'), tooManyCollections],
    ['50 of each', repeated(50, (index) => `${collection(index)}&wantedCollections=a${index}.*`), ''],
    [
      '51 of each',
      repeated(51, (index) => `${collection(index)}&wantedCollections=a${index}.*`),
      tooManyCollections,
    ],
    ['10,000 DIDs', repeated(10_000, did), ''],
    ['10,001 DIDs', repeated(10_001, did), tooManyDids],
    ['one DID 10,001 times', repeated(10_001, () => did(0)), ''],
    ['both over', `${repeated(101, collection)}&${repeated(10_001, did)}`, tooManyDids],
    ['10,001 DIDs and a bad one', `${repeated(10_001, did)}&wantedDids=x`, 'invalid subscriber options'],
    [
      '101 collections and a bad one',
      `${repeated(101, collection)}&wantedCollections=x`,
      'invalid subscriber options: invalid collection: x',
    ],
  ])('%s', (_name, query, body) => expect(refused(query)).toBe(body));

  it.each<[string, (index: number) => string]>([
    ['DIDs', did],
    ['DIDs with escapes', (index) => did(index).replaceAll(':', '%3A')],
  ])('10,000 %s take 8 times as long as 1,250', (_name, pair) => {
    const ratio = growth(1_250, (count) => {
      const query = repeated(count, pair);
      return () => expect(accepted(query).filter.dids.size).toBe(count);
    });
    expect(ratio).toBeLessThan(linearGrowthMax);
  });
});

describe('what is asked for', () => {
  it('is everything, live, as JSON, without parameters', () => {
    expect(accepted('')).toEqual({
      filter: passAll,
      cursor: undefined,
      encoding: encodings.json,
      requireHello: false,
      progress: false,
    });
  });

  it('is all of the filter', () => {
    const query =
      'wantedCollections=app.bsky.feed.post&wantedCollections=app.bsky.graph.*&wantedCollections=app.bsky.graph.*' +
      '&wantedDids=did%3Aplc%3Aabc&wantedDids=did:web:a&maxMessageSizeBytes=1000&cursor=-5&requireHello=true' +
      '&wantedKinds=commit&wantedKinds=account&wantedOperations=delete&wantedOperations=delete&progress=true' +
      '&wantedSubjects=did:web:c&wantedSubjects=at://did:web:c/a.b.c/1&wantedSubjects=did:web:c';
    expect(accepted(query)).toEqual({
      filter: {
        collections: new Set(['app.bsky.feed.post']),
        prefixes: ['app.bsky.graph.'],
        dids: new Set(['did:plc:abc', 'did:web:a']),
        subjects: new Set(['did:web:c', 'at://did:web:c/a.b.c/1']),
        maxMessageSizeBytes: 1000,
        kinds: (1 << eventKinds.commit) | (1 << eventKinds.account),
        operations: 1 << operations.delete,
      } satisfies Filter,
      cursor: -5,
      encoding: encodings.json,
      requireHello: true,
      progress: true,
    });
  });

  it('ignores names that it does not know, and says which one was meant', () => {
    expect(accepted('x=1&wantedDid=did:web:a&collections=a.b.c')).toMatchObject({
      filter: passAll,
      misspelt: { name: 'wantedDid', meant: 'wantedDids' },
    });
    expect(accepted('wantedDids=did:web:a&cursor=1&y=2').misspelt).toBeUndefined();
    expect(accepted(`${'x&'.repeat(15)}wantedDid`).misspelt).toBeDefined();
    expect(accepted(`${'x&'.repeat(16)}wantedDid`).misspelt).toBeUndefined();
  });

  it('takes the first of what counts once', () => {
    const query =
      'cursor=1&cursor=2&compress=true&compress=false&requireHello=false&requireHello=true&progress=1&progress=true';
    const { cursor, encoding, requireHello, progress } = accepted(query);
    expect([cursor, encoding, requireHello, progress]).toEqual([1, encodings.zstd, false, false]);
    expect(accepted('cursor=%zz&cursor=2')).toMatchObject({ cursor: 2 });
    expect(accepted('maxMessageSizeBytes=&maxMessageSizeBytes=5').filter.maxMessageSizeBytes).toBe(0);
  });

  it.each([
    ['compress=true', undefined, 'zstd'],
    ['compress=TRUE', undefined, 'json'],
    ['compress=1', undefined, 'json'],
    ['compress=true%20', undefined, 'json'],
    ['', 'zstd', 'zstd'],
    ['', 'gzip, zstd;q=0.5', 'zstd'],
    ['', 'xzstdx', 'zstd'],
    ['', 'ZSTD', 'json'],
    ['compress=false', 'zstd', 'zstd'],
  ])('%s with Socket-Encoding %s is %s', (query, header, encoding) => {
    expect(accepted(query, header).encoding.name).toBe(encoding);
  });

  it('reads bytes above ASCII as UTF-8, escaped or not', () => {
    const prefix = 'caf\u00e9.';
    const raw = Buffer.from('wantedCollections=caf\u00e9.*').toString('latin1');
    expect(accepted('wantedCollections=caf%C3%A9.*').filter.prefixes).toEqual([prefix]);
    expect(accepted(raw).filter.prefixes).toEqual([prefix]);
  });
});

describe('kinds and operations', () => {
  it.each([
    ['wantedKinds=commit', 1 << eventKinds.commit, 0],
    ['wantedKinds=identity&wantedKinds=identity', 1 << eventKinds.identity, 0],
    ['wantedOperations=create', 0, 1 << operations.create],
    ['wantedOperations=update&wantedKinds=account', 1 << eventKinds.account, 1 << operations.update],
  ])('%s', (query, kinds, wanted) => {
    expect(accepted(query).filter).toEqual({ ...passAll, kinds, operations: wanted });
  });

  const invalid = 'invalid subscriber options: invalid';
  it.each([
    ['wantedKinds=', `${invalid} kind: `],
    ['wantedKinds=Commit', `${invalid} kind: Commit`],
    ['wantedKinds=commit,account', `${invalid} kind: commit,account`],
    ['wantedKinds=sync', `${invalid} kind: sync`],
    ['wantedOperations=none', `${invalid} operation: none`],
    ['wantedOperations=create&wantedOperations=', `${invalid} operation: `],
    ['wantedOperations=x&wantedKinds=y', `${invalid} kind: y`],
    ['wantedKinds=x&wantedCollections=y', `${invalid} collection: y`],
    ['wantedKinds=__proto__', `${invalid} kind: __proto__`],
  ])('%s is refused', (query, body) => expect(refused(query)).toBe(body));
});

describe('hostile queries', () => {
  it('never throw and stay quick', () => {
    const seed = 20_260_704;
    const random = seededRandom(seed);
    const pieces = [
      '&',
      '=',
      ';',
      '%',
      '%4',
      '%41',
      '+',
      '#',
      '?',
      '\xff',
      '\x00',
      'cursor',
      'wantedDids',
      '.*',
      'did:web:a',
      '1',
    ];
    for (let round = 0; round < 5_000; round++) {
      let query = '';
      for (let at = Math.floor(random() * 20); at > 0; at--)
        query += pieces[Math.floor(random() * pieces.length)];
      try {
        parseSubscribeQuery(query, undefined);
      } catch (error) {
        expect.fail(`seed ${seed}, round ${round}: ${query}: ${error}`);
      }
    }
  });

  const queryBytes = 256 * 1024;
  it.each([
    '&',
    '=',
    ';',
    '%',
    '%4',
    '+',
    'a&',
    'cursor=1&',
    'wantedCollections=.*&',
    'wantedDids=did:a:b&',
    '1',
    '%31',
  ])('256 KiB of %s take time that is linear in their length', (piece) => {
    for (const prefix of ['', 'cursor=', 'wantedCollections=a.b.']) {
      const ratio = growth(queryBytes / 8, (length) => {
        const query = prefix + piece.repeat(length / piece.length);
        return () => parseSubscribeQuery(query, undefined);
      });
      expect(ratio, prefix).toBeLessThan(linearGrowthMax);
    }
  });
});

describe('zstdDictionary', () => {
  const other = { name: 'zstd 9', stored: 'json' } as const;
  const unnamed = { name: 'zstd 0', stored: 'json' } as const;
  const byId = new Map([
    [7, encodings.zstd],
    [9, other],
  ]);
  const encodingOf = (query: string, header?: string) => {
    const result = parseSubscribeQuery(query, header, { byId, unnamed });
    return isSubscribeFault(result) ? [result.reason, result.body] : result.encoding;
  };

  it('names the dictionary of a compressed connection', () => {
    expect(encodingOf('compress=true&zstdDictionary=7')).toBe(encodings.zstd);
    expect(encodingOf('zstdDictionary=9&compress=true&zstdDictionary=7')).toBe(other);
    expect(encodingOf('zstdDictionary=9', 'zstd')).toBe(other);
  });

  it('is not named by clients of Jetstream v1, who get what all of them read', () => {
    expect(encodingOf('compress=true')).toBe(unnamed);
    expect(encodingOf('compress=true&zstdDictionary=')).toBe(unnamed);
    expect(encodingOf('', 'zstd')).toBe(unnamed);
  });

  it('says nothing without compression', () => {
    expect(encodingOf('zstdDictionary=9')).toBe(encodings.json);
    expect(encodingOf('zstdDictionary=x')).toBe(encodings.json);
  });

  it.each(['8', '0', '09', '9e0', '0x9', '-9', ' 9', '9.', '99999999999', 'x'])('%j is unknown', (id) => {
    expect(encodingOf(`compress=true&zstdDictionary=${id}`)).toEqual([
      'bad_dictionary',
      `unknown zstd dictionary: ${id}: give one of 7, 9`,
    ]);
  });
});

// What "Try it" makes of a choice, read by the server's own parser.

import { describe, expect, it } from 'vitest';
import type { Filter } from '../../../lib/event/filter.ts';
import { isNsid } from '../../../lib/event/nsid.ts';
import { isSubject } from '../../../lib/event/subject.ts';
import { isSubscribeFault, parseSubscribeQuery } from '../../../lib/wire/subscribe-query.ts';
import { isV2Fault, parseV2Query } from '../../../lib/wire/v2-query.ts';
import { timeRatio } from '../../support/time-ratio.ts';
import { everything, everythingOnV2, pageModule } from './modules.ts';

const { collectionsProblem, cursorProblem, didsProblem, listOf, subjectsProblem, subscribeUrl } =
  await pageModule('subscription.js');

function read(url: string) {
  const request = parseSubscribeQuery(new URL(url).search.slice(1), undefined);
  if (isSubscribeFault(request)) throw new Error(request.body);
  return { ...request, filter: request.filter as Filter };
}

describe('the address', () => {
  it('is without a query for everything', () => {
    expect(subscribeUrl('http://localhost:6008/', everything)).toBe('ws://localhost:6008/subscribe');
  });

  it('is beside the page, secure if the page is', () => {
    expect(subscribeUrl('https://a.example/jet/?x=1#try', everything)).toBe('wss://a.example/jet/subscribe');
  });

  it('says to the server what was chosen', () => {
    const url = subscribeUrl('http://localhost/', {
      ...everything,
      collections: ['app.bsky.feed.post', 'app.bsky.graph.*'],
      dids: ['did:web:example.com%3A8080', 'did:plc:aaaaaaaaaaaaaaaaaaaaaaaa'],
      subjects: ['did:web:example.com%3A8080', 'at://did:plc:a/app.bsky.feed.post/3k~_:.-'],
      cursor: '1780000000000000',
      compress: true,
    });
    const { filter, cursor } = read(url);
    expect([...filter.collections, ...filter.prefixes]).toEqual(['app.bsky.feed.post', 'app.bsky.graph.']);
    expect([...filter.dids]).toEqual(['did:web:example.com%3A8080', 'did:plc:aaaaaaaaaaaaaaaaaaaaaaaa']);
    expect([...filter.subjects]).toEqual([
      'did:web:example.com%3A8080',
      'at://did:plc:a/app.bsky.feed.post/3k~_:.-',
    ]);
    expect(cursor).toBe(1780000000000000);
    expect(new URL(url).searchParams.get('compress')).toBe('true');
    expect(url).toContain('wantedDids=did:plc:aaaa');
    expect(url).toContain('wantedSubjects=at://did:plc:a/app');
  });

  it('names the dictionary of what is compressed', () => {
    const { searchParams } = new URL(subscribeUrl('http://localhost/', { ...everything, compress: true }, 7));
    expect([...searchParams]).toEqual([
      ['compress', 'true'],
      ['zstdDictionary', '7'],
    ]);
    expect(subscribeUrl('http://localhost/', everything, 7)).toBe('ws://localhost/subscribe');
  });

  it('names kinds and operations if they are some', () => {
    const some = { ...everything, kinds: ['identity', 'account'], operations: ['delete'] };
    const { searchParams } = new URL(subscribeUrl('http://localhost/', some));
    expect(searchParams.getAll('wantedKinds')).toEqual(['identity', 'account']);
    expect(searchParams.getAll('wantedOperations')).toEqual(['delete']);
    const none = { ...everything, kinds: [], operations: [] };
    expect(subscribeUrl('http://localhost/', none)).toBe('ws://localhost/subscribe');
  });
});

describe('the address on the second wire', () => {
  const readV2 = (url: string) => {
    const request = parseV2Query(new URL(url).search.slice(1), undefined, encodings);
    if (isV2Fault(request)) throw new Error(request.message);
    return request;
  };
  const encodings = { json: { name: 'v2', stored: 'json' }, byId: new Map(), currentId: undefined } as const;

  it('is that of the method', () => {
    expect(subscribeUrl('https://a.example/jet/', everythingOnV2)).toBe(
      'wss://a.example/jet/xrpc/network.bsky.jetstream.subscribeEvents',
    );
  });

  it('says to the server what was chosen', () => {
    const url = subscribeUrl('http://localhost/', {
      ...everythingOnV2,
      collections: ['app.bsky.feed.post', 'app.bsky.graph.*'],
      dids: ['did:web:example.com%3A8080'],
      subjects: ['at://did:plc:a/app.bsky.feed.post/3k~_:.-'],
      kinds: ['commit', 'sync'],
      operations: ['delete'],
      cursor: '1h',
    });
    const { filter, cursor } = readV2(url);
    expect([...filter.collections, ...filter.prefixes]).toEqual(['app.bsky.feed.post', 'app.bsky.graph.']);
    expect([...filter.dids]).toEqual(['did:web:example.com%3A8080']);
    expect([...filter.subjects]).toEqual(['at://did:plc:a/app.bsky.feed.post/3k~_:.-']);
    expect([...new URL(url).searchParams].filter(([name]) => /kinds|operations/.test(name))).toEqual([
      ['kinds', 'commit'],
      ['kinds', 'sync'],
      ['operations', 'delete'],
    ]);
    // Only numbers are cursors there.
    expect(cursor).toBe((1_780_000_000_000 - 3_600_000) * 1000);
  });

  it.each([
    ['1780000000', 1_780_000_000_000_000],
    ['1780000000000', 1_780_000_000_000_000],
    ['1780000000000001', 1_780_000_000_000_001],
    ['0', 0],
  ])('has the cursor %s in microseconds', (cursor, expected) => {
    expect(readV2(subscribeUrl('http://localhost/', { ...everythingOnV2, cursor })).cursor).toBe(expected);
  });

  it('names the dictionary alone of what is compressed', () => {
    const url = subscribeUrl('http://localhost/', { ...everythingOnV2, compress: true }, 7);
    expect([...new URL(url).searchParams]).toEqual([['zstdDictionary', '7']]);
  });

  it.each(['app.bsky.*', 'app.*', '.*', 'a b.c.*'])('judges %j as the server does', (text) => {
    expect(collectionsProblem([text], 'v2') === '').toBe(isNsid(`${text.slice(0, -1)}x`));
  });
});

describe('fields', () => {
  it('are lists, however they are written', () => {
    expect(listOf(' a, b\n\nc\ta  ')).toEqual(['a', 'b', 'c']);
    expect(listOf(' \n ')).toEqual([]);
  });

  it.each([
    'app.bsky.feed.post',
    'app.bsky.*',
    'a.b.c',
    'com.example-one.x1',
    'a.b',
    'a..b.c',
    'app.bsky.feed.post-it',
    '1a.b.c',
    'a.-b.c',
    'a.b.1',
    `${'a'.repeat(64)}.b.c`,
    `${'a'.repeat(63)}.b.c`,
    '<img>',
  ])('judge the collection %j as the server does', (text) => {
    expect(collectionsProblem([text]) === '').toBe(isNsid(text) || text.endsWith('.*'));
  });

  it.each([
    'did:plc:abc',
    'did:web:example.com%3A8080',
    'did:plc:abc:',
    'at://did:plc:abc/app.bsky.feed.post/3k',
    'at://did:plc:abc/app.bsky.feed.post/~a_b:c.d-e',
    'at://did:plc:abc',
    'at://did:plc:abc/',
    'at://did:plc:abc/app.bsky.feed.post',
    'at://did:plc:abc/app.bsky.feed.post/',
    'at://did:plc:abc/app.bsky.feed.post/3k/x',
    'at://did:plc:abc/app.bsky.feed.post/3k#x',
    'at://did:plc:abc/app.bsky.feed.post/é',
    'at://alice.example/app.bsky.feed.post/3k',
    'at://',
    'at:///a/b',
    'https://example.com/a/b',
    'alice.example',
  ])('judge the subject %j as the server does', (text) => {
    expect(subjectsProblem([text]) === '').toBe(isSubject(text));
    expect(subjectsProblem(['did:plc:a', text]).includes(text)).toBe(!isSubject(text));
  });

  it('take time that is linear in what is typed', () => {
    const judge = (chars: number) => () => {
      const texts = [`${'a-'.repeat(chars / 2)}!`, 'a.'.repeat(chars / 2), `${'-'.repeat(chars)}a`];
      for (const text of texts) {
        collectionsProblem([text]);
        didsProblem([`did:plc:${text}`]);
        subjectsProblem([`at://did:plc:${text}/${text}/${text}`]);
      }
    };
    // Eight times the length; squared it would be 64.
    expect(timeRatio(judge(20_000), judge(160_000))).toBeLessThan(24);
  });

  it('say what is wrong with an account or a cursor', () => {
    expect(didsProblem(['did:plc:abc', 'did:web:example.com'])).toBe('');
    expect(didsProblem(['alice.example.com'])).toContain(
      'at https://alice.example.com/.well-known/atproto-did',
    );
    expect(didsProblem(['alice'])).not.toContain('https:');
    expect(didsProblem(['a.b/c'])).not.toContain('https:');
    expect(cursorProblem('1780000000')).toBe('');
    for (const text of ['', '-1', '1e9', '1 000', '9'.repeat(19)]) expect(cursorProblem(text)).not.toBe('');
    expect(collectionsProblem(Array.from({ length: 101 }, (_, at) => `a.b.c${at}`))).toBe('At most 100.');
  });
});

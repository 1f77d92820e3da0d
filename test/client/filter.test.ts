import { expect, test } from 'vitest';
import type { StreamEvent } from '../../lib/client/event.ts';
import { isWanted, optionsUpdate, readUrl, requestOf } from '../../lib/client/filter.ts';

const none = { cursor: undefined, compress: false, dictionaryId: undefined };

test.each([
  ['ws://localhost:6008', 'ws://localhost:6008/subscribe'],
  ['wss://a.example/', 'wss://a.example/subscribe'],
  ['http://a.example/x/subscribe', 'ws://a.example/x/subscribe'],
  ['https://a.example/subscribe?wantedSubjects=x#y', 'wss://a.example/subscribe?wantedSubjects=x'],
])('%s is subscribed at %s', (text, expected) => {
  expect(readUrl(text, {}).url.href).toBe(expected);
});

test.each(['', 'localhost', 'localhost:6008', 'ftp://a.example', '/subscribe'])('%j is refused', (text) => {
  expect(() => readUrl(text, {})).toThrow(expect.objectContaining({ code: 'CLIENT_BAD_URL' }));
});

test('what an address of another client says counts as options', () => {
  const text = 'ws://a.example/subscribe?wantedCollections=a.b.c&cursor=5&wantedDids=did:x:y&compress=true';
  expect(readUrl(text, { wantedCollections: ['d.e.f'] })).toMatchObject({
    url: { search: '?compress=true' },
    cursor: 5,
    filter: { wantedCollections: ['d.e.f', 'a.b.c'], wantedDids: ['did:x:y'] },
  });
  expect(readUrl('ws://a.example/?cursor=x', {}).cursor).toBeUndefined();
});

test('a filter becomes a query', () => {
  const { url } = readUrl('ws://a.example?own=1', {});
  const filter = {
    wantedCollections: ['app.bsky.feed.*', 'a.b.c'],
    wantedDids: ['did:plc:a'],
    wantedKinds: ['commit'],
    wantedOperations: ['create', 'delete'],
    maxMessageSizeBytes: 7,
  } as const;
  const request = requestOf(url, filter, { cursor: 0, compress: true, dictionaryId: 7 });
  expect(decodeURIComponent(request.url)).toBe(
    'ws://a.example/subscribe?own=1&wantedCollections=app.bsky.feed.*&wantedCollections=a.b.c&wantedDids=did:plc:a' +
      '&wantedKinds=commit&wantedOperations=create&wantedOperations=delete&maxMessageSizeBytes=7&cursor=0' +
      '&compress=true&zstdDictionary=7&progress=true',
  );
  expect(request.hello).toBeUndefined();
  expect(requestOf(url, {}, none).url).toBe('ws://a.example/subscribe?own=1&progress=true');
});

test('a filter that is too long for a URL goes as a hello, and a part of it in the URL', () => {
  const wantedDids = Array.from({ length: 10_000 }, (_, at) => `did:plc:${String(at).padStart(24, 'a')}`);
  const wantedCollections = [`a.b.${'c'.repeat(5_000)}`, 'a.b.c'];
  const { url } = readUrl('ws://a.example', {});
  const request = requestOf(url, { wantedDids, wantedCollections }, none);
  expect(request.url.length).toBeLessThan(10_000);
  const query = new URL(request.url).searchParams;
  expect(query.get('requireHello')).toBe('true');
  expect(query.getAll('wantedCollections')).toEqual(wantedCollections.slice(0, 1));
  const some = query.getAll('wantedDids');
  expect(some.length).toBeGreaterThan(10);
  expect(wantedDids.slice(0, some.length)).toEqual(some);
  expect(JSON.parse(request.hello as string)).toMatchObject({
    type: 'options_update',
    payload: { wantedDids, wantedCollections },
  });
});

test('an update replaces everything', () => {
  expect(JSON.parse(optionsUpdate({}))).toEqual({
    type: 'options_update',
    payload: {
      wantedCollections: [],
      wantedDids: [],
      wantedKinds: [],
      wantedOperations: [],
      maxMessageSizeBytes: 0,
    },
  });
});

test('kinds and operations are looked at here, for servers that do not know them', () => {
  const commit = { kind: 'commit', commit: { operation: 'create' } } as StreamEvent;
  const identity = { kind: 'identity' } as StreamEvent;
  expect(isWanted(commit, {})).toBe(true);
  expect(isWanted(commit, { wantedKinds: [], wantedOperations: [] })).toBe(true);
  expect(isWanted(commit, { wantedKinds: ['identity'] })).toBe(false);
  expect(isWanted(commit, { wantedOperations: ['delete'] })).toBe(false);
  expect(isWanted(commit, { wantedKinds: ['commit'], wantedOperations: ['create'] })).toBe(true);
  expect(isWanted(identity, { wantedOperations: ['delete'] })).toBe(true);
});

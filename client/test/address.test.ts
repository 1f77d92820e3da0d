import { expect, test } from 'vitest';
import { readAddress } from '../lib/address.ts';
import type { SubscribeOptions } from '../lib/options.ts';

const nowMs = Date.parse('2026-01-31T12:00:00Z');
const read = (url: string, options: Partial<SubscribeOptions> = {}) =>
  readAddress({ url, ...options }, () => nowMs);

test.each([
  ['ws://localhost:6008', 'ws://localhost:6008/subscribe'],
  ['wss://a.example/', 'wss://a.example/subscribe'],
  ['http://a.example/x/subscribe', 'ws://a.example/x/subscribe'],
  ['https://a.example/subscribe?own=x#y', 'wss://a.example/subscribe?own=x'],
])('%s is subscribed at %s', (text, expected) => {
  expect(read(text).url.href).toBe(expected);
});

test.each(['', 'localhost', 'localhost:6008', 'ftp://a.example', '/subscribe'])('%j is refused', (text) => {
  expect(() => read(text)).toThrow(expect.objectContaining({ code: 'CLIENT_BAD_URL' }));
});

test('what an address of another client says counts as options', () => {
  const text =
    'ws://a.example/subscribe?wantedCollections=a.b.c&cursor=5&wantedDids=did:x:y&compress=true&requireHello=true&zstdDictionary=7';
  expect(read(text, { wantedCollections: ['d.e.f'] })).toMatchObject({
    url: { search: '' },
    wire: 'v1',
    cursor: 5,
    compress: true,
    filter: { wantedCollections: ['d.e.f', 'a.b.c'], wantedDids: ['did:x:y'] },
  });
  expect(read(text, { compress: false, cursor: 6 })).toMatchObject({ compress: false, cursor: 6 });
  expect(read('ws://a.example/?cursor=&compress=')).toMatchObject({ cursor: undefined, compress: false });
});

test('the second wire has names of its own', () => {
  const text = 'ws://a.example/xrpc/network.bsky.jetstream.subscribeEvents';
  const query = '?collections=a.b.c&dids=did:x:y&kinds=sync&zstdDictionary=7&cursor=1769860800';
  const asked = {
    url: { search: '' },
    wire: 'v2',
    // Numbers of that wire may be a server's own.
    cursor: 1_769_860_800,
    compress: true,
    filter: { wantedCollections: ['a.b.c'], wantedDids: ['did:x:y'], wantedKinds: ['sync'] },
  };
  expect(read(text + query)).toMatchObject(asked);
  expect(read(`ws://a.example/${query}`, { wire: 'v2' })).toMatchObject(asked);
});

test.each(['v1', 'v2'] as const)('what the wire %s has is known; what nobody knows is a proxy’s', (wire) => {
  const own = 'progress=true&requireHello=true&zstdDictionary=7&filterUpdates=first&compress=true&cursor=0';
  const { url } = read(`ws://a.example?${own}&verified=true&maxMessageSizeBytes=7&key=secret`, { wire });
  expect(url.search).toBe('?key=secret');
});

test('the whole filter of an address is options, which an update replaces', () => {
  const query =
    'wantedKinds=commit&wantedOperations=delete&wantedSubjects=did:x:y&maxMessageSizeBytes=7&progress=true&filter=abc';
  const options = { wantedKinds: ['account'], wantedSubjects: ['did:x:z'] } as const;
  expect(read(`ws://a.example/subscribe?${query}`, options)).toMatchObject({
    url: { search: '?filter=abc' },
    filter: {
      wantedKinds: ['account', 'commit'],
      wantedOperations: ['delete'],
      wantedSubjects: ['did:x:z', 'did:x:y'],
      maxMessageSizeBytes: 7,
    },
  });
  expect(read('ws://a.example?maxMessageSizeBytes=7', { maxMessageSizeBytes: 9 }).filter).toMatchObject({
    maxMessageSizeBytes: 9,
  });
});

test.each<[string, number]>([
  ['1769860800000001', 1_769_860_800_000_001],
  ['1769860800000', 1_769_860_800_000_000],
  ['1769860800', 1_769_860_800_000_000],
  ['0', 0],
  ['1h', (nowMs - 3_600_000) * 1000],
  ['yesterday 14:00', Date.parse('2026-01-30T14:00:00Z') * 1000],
  ['2026-01-31T11:59:59.5Z', Date.parse('2026-01-31T11:59:59.5Z') * 1000],
  ['2026-01-31T13:00:00+02:00', Date.parse('2026-01-31T11:00:00Z') * 1000],
])('a cursor may be %s, in the address and as an option', (text, cursorUs) => {
  expect(read(`ws://a.example/?cursor=${encodeURIComponent(text)}`).cursor).toBe(cursorUs);
  // As a person writes it.
  expect(read(`ws://a.example/?cursor=${text}`).cursor).toBe(cursorUs);
  expect(read('ws://a.example', { cursor: text }).cursor).toBe(cursorUs);
});

test.each([
  ['cursor=1hour', /^cursor=1hour in the address is not a time: write 1h, /],
  [
    'wantedColections=a.b.c',
    /^in the address, wantedColections \("a\.b\.c"\) is not a parameter of the wire v1, .*did you mean wantedCollections\?/,
  ],
  ['collections=a.b.c', /did you mean wantedCollections\?/],
  ['dids=did:x:y', /did you mean wantedDids\?/],
  ['Cursor=5', /did you mean cursor\?/],
  ['compres=true', /did you mean compress\?/],
  ['compress=yes', /^compress=yes in the address: write compress=true$/],
  ['maxMessageSizeBytes=1k', /^maxMessageSizeBytes=1k in the address is not a whole number of bytes$/],
])('?%s is refused', (query, message) => {
  expect(() => read(`ws://a.example/subscribe?${query}`)).toThrow(
    expect.objectContaining({ code: 'CLIENT_BAD_URL', exitCode: 2, message: expect.stringMatching(message) }),
  );
});

test('values of an address are looked at as those of options', () => {
  expect(() => read('ws://a.example?wantedDids=alice.example')).toThrow(
    expect.objectContaining({ code: 'CLIENT_BAD_FILTER', message: expect.stringContaining('is a handle') }),
  );
});

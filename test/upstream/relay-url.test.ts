// Relay URLs: what is accepted, the key that each gets, and where its cursor goes.

import { describe, expect, test } from 'vitest';
import { CodedError } from '../../lib/errors.ts';
import { parseRelays, parseRelayUrl } from '../../lib/upstream/relay-url.ts';

const path = '/xrpc/com.atproto.sync.subscribeRepos';

describe('parseRelayUrl', () => {
  test.each([
    ['wss://relay.example', `wss://relay.example${path}`, 'relay.example'],
    ['wss://relay.example/', `wss://relay.example${path}`, 'relay.example'],
    ['https://Relay.Example', `wss://relay.example${path}`, 'relay.example'],
    ['https://relay.example:443', `wss://relay.example${path}`, 'relay.example'],
    ['http://localhost:2470', `ws://localhost:2470${path}`, 'localhost:2470'],
    ['ws://[::1]:2470', `ws://[::1]:2470${path}`, '[::1]:2470'],
    [`wss://relay.example${path}`, `wss://relay.example${path}`, 'relay.example'],
    ['wss://relay.example/other/stream', 'wss://relay.example/other/stream', 'relay.example/other/stream'],
    ['wss://relay.example?a=1', `wss://relay.example${path}?a=1`, 'relay.example'],
    ['wss://me:secret@relay.example', `wss://me:secret@relay.example${path}`, 'relay.example'],
  ])('%s', (text, url, id) => {
    const relay = parseRelayUrl(text);
    expect(relay.url).toBe(url);
    expect(relay.id).toBe(id);
    expect(relay.connectUrl(undefined)).toBe(url);
  });

  test.each([
    ['wss://h', 5, '?cursor=5'],
    ['wss://h', 0, '?cursor=0'],
    ['wss://h?', 5, '?cursor=5'],
    ['wss://h?token=a%20b+c&x', 9_007_199_254_740_991, '?token=a%20b+c&x&cursor=9007199254740991'],
    ['wss://h?mycursor=1', 5, '?mycursor=1&cursor=5'],
  ])('%s with cursor %d', (text, cursor, query) => {
    expect(parseRelayUrl(text).connectUrl(cursor)).toBe(`wss://h${path}${query}`);
  });

  test.each([
    '',
    'relay.example',
    'relay.example:443',
    'ftp://relay.example',
    'ws+unix:/socket',
    'wss://',
    'wss://relay.example#part',
    'wss://relay.example?cursor=5',
  ])('refuses "%s"', (text) => {
    expect(() => parseRelayUrl(text)).toThrow(expect.objectContaining({ code: 'UPSTREAM_BAD_URL' }));
  });

  test('an error message keeps the password to itself', () => {
    try {
      parseRelayUrl('ftp://me:secret@relay.example');
      expect.unreachable();
    } catch (error) {
      expect(error).toBeInstanceOf(CodedError);
      expect((error as Error).message).toContain('relay.example');
      expect((error as Error).message).not.toContain('secret');
    }
  });

  test.each([-1, 1.5, Number.NaN, 2 ** 53])('a damaged cursor %d reaches no relay', (cursor) => {
    const { connectUrl } = parseRelayUrl('wss://h');
    expect(() => connectUrl(cursor)).toThrow(expect.objectContaining({ code: 'UPSTREAM_BAD_CURSOR' }));
  });
});

test('siblings have the numbers of the first of them, and names of their own', () => {
  const relays = parseRelays(['wss://a.example|wss://b.example', 'wss://c.example']);
  expect(relays.map(({ id, numbering }) => [id, numbering])).toEqual([
    ['a.example', 'a.example'],
    ['b.example', 'a.example'],
    ['c.example', 'c.example'],
  ]);
  expect(relays[1].connectUrl(5)).toBe(`wss://b.example${path}?cursor=5`);
  expect(() => parseRelays(['wss://a.example|'])).toThrow(
    expect.objectContaining({ code: 'UPSTREAM_BAD_URL' }),
  );
});

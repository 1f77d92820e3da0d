import { expect, test } from 'vitest';
import { corpusLines, hasShared, sharedNote } from '../../test/support/shared.ts';
import { readMessage } from '../lib/event.ts';
import { postEvent } from './v1-server.ts';

const post = postEvent('a', 1) as { commit: object };
const identity = { did: 'did:plc:a', time_us: 1, kind: 'identity', identity: { did: 'x', seq: 1, time: '' } };
const account = { ...identity, kind: 'account', account: { did: 'x', seq: 1, time: '', active: true } };
const report = { cursor: 8, lag_us: 5, live: true };

test.each([
  ['a post', post],
  ['a delete', { ...post, commit: { operation: 'delete', rev: 'r', collection: 'c', rkey: 'k' } }],
  ['an identity', identity],
  ['an account', account],
  ['an account with a status', { ...account, account: { ...account.account, status: 'new-word' } }],
])('%s is an event as it is', (_, event) => {
  expect(readMessage(JSON.stringify(event))).toEqual({ event });
});

test('texts that v1 leaves out for being empty are empty', () => {
  const text = JSON.stringify({ ...post, commit: { operation: 'delete' } });
  expect(readMessage(text)).toMatchObject({ event: { commit: { rev: '', collection: '', rkey: '' } } });
});

test('progress', () => {
  expect(readMessage(JSON.stringify({ kind: 'progress', time_us: 7, progress: report }))).toEqual({
    progress: { timeUs: 7, cursor: 8, lagUs: 5, live: true },
  });
});

test('a gap, also with fields of later versions and without those that may be absent', () => {
  const gap = { reason: 'new_word', relay: 'relay.test', from_us: 0, to_us: 7, missing: true, later: 1 };
  const read = { timeUs: 7, reason: 'new_word', fromUs: 0, toUs: 7, missing: true, repeated: false };
  const text = (body: unknown): string => JSON.stringify({ kind: 'gap', time_us: 7, gap: body });
  expect(readMessage(text(gap))).toEqual({ gap: { ...read, relay: 'relay.test' } });
  expect(readMessage(text({ ...gap, relay: undefined }))).toEqual({ gap: { ...read, relay: undefined } });
  expect(readMessage(text({ ...gap, from_us: -1 }))).toEqual({ malformed: 'not_an_event' });
  expect(readMessage(text(undefined))).toEqual({ malformed: 'not_an_event' });
});

test.each([
  ['not_json', ''],
  ['not_json', '{"did":'],
  ['not_an_event', 'null'],
  ['not_an_event', '[]'],
  ['not_an_event', '"text"'],
  ['not_an_event', '{}'],
  ['not_an_event', { ...post, time_us: '1' }],
  ['not_an_event', { ...post, time_us: -1 }],
  ['not_an_event', { ...post, time_us: 1.5 }],
  ['not_an_event', { ...post, time_us: 2 ** 60 }],
  ['not_an_event', { ...post, kind: 1 }],
  ['not_an_event', { ...post, did: null }],
  ['not_an_event', { ...post, commit: undefined }],
  ['not_an_event', { ...post, commit: 'text' }],
  ['not_an_event', { ...post, commit: { ...post.commit, operation: 'move' } }],
  ['not_an_event', { ...post, commit: { ...post.commit, record: 'text' } }],
  ['not_an_event', { ...post, commit: { ...post.commit, cid: undefined } }],
  ['not_an_event', { ...post, commit: { ...post.commit, rkey: 5 } }],
  ['not_an_event', { ...identity, identity: { ...identity.identity, seq: '1' } }],
  ['not_an_event', { ...identity, identity: { ...identity.identity, handle: 1 } }],
  ['not_an_event', { ...account, account: { ...account.account, active: 'yes' } }],
  ['not_an_event', { ...account, account: { ...account.account, status: {} } }],
  ['not_an_event', { kind: 'progress', time_us: 7 }],
  ['not_an_event', { kind: 'progress', time_us: 7, progress: { ...report, cursor: null } }],
  ['not_an_event', { kind: 'progress', time_us: 7, progress: { ...report, live: 1 } }],
  ['unknown_kind', { ...post, kind: 'later' }],
  ['unknown_kind', { ...post, kind: '__proto__' }],
  ['unknown_kind', { ...post, kind: 'toString' }],
])('%s: %j', (malformed, message) => {
  const text = typeof message === 'string' ? message : JSON.stringify(message);
  expect(readMessage(text)).toEqual({ malformed });
});

test.skipIf(!hasShared)(`everything that production sent is an event${sharedNote}`, () => {
  const lines = corpusLines();
  expect(lines.length).toBeGreaterThan(40);
  for (const line of lines) expect(readMessage(line)).toEqual({ event: JSON.parse(line) });
});

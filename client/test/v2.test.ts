// The second wire, against a server with its published behaviour and against one that does not have it.

import { expect, test, vi } from 'vitest';
import { defaultDictionaryPath, readDictionary } from '../../lib/codec/dictionary.ts';
import { outageText } from '../lib/outage.ts';
import {
  type Disconnected,
  type StreamEvent,
  type StreamNotice,
  type SubscribeOptions,
  subscribe,
} from '../lib/subscribe.ts';
import { postEvent, V1Server } from './v1-server.ts';
import { V2Server, v2Post, v2Wrapped } from './v2-server.ts';

const timing = { retryMinMs: 1, retryFirstMs: 5, retryMaxMs: 20, saveIntervalMs: 5 };

/** Follows a stream in the background. */
function follow(options: SubscribeOptions) {
  const events: StreamEvent[] = [];
  const notices: StreamNotice[] = [];
  const stream = subscribe({ wire: 'v2', timing, onNotice: (notice) => notices.push(notice), ...options });
  const done = (async () => {
    for await (const event of stream) events.push(event);
  })();
  const ended = done.then(
    () => undefined,
    (error: unknown) => error,
  );
  return { events, notices, stream, ended };
}

const numbersOf = (events: readonly StreamEvent[]) => events.map(({ seq }) => seq);

test('events have the shape of the first wire, their number beside it, and times of their own', async () => {
  await using server = await V2Server.listen();
  const sync = { rev: 'r', blocks: { $bytes: 'AQI' } };
  const gone = { ...v2Post(9, '2026-08-01T00:00:00.25Z'), operation: 'delete', record: null };
  server.publish(
    v2Post(5),
    v2Wrapped('identity', 6, { handle: 'a.example' }),
    v2Wrapped('account', 7, { active: false, status: 'suspended' }),
    v2Wrapped('sync', 8, sync),
    gone,
  );
  const { events, stream, ended } = follow({ url: server.url, cursor: 5 });
  await vi.waitFor(() => expect(events.length).toBe(5));
  const did = 'did:plc:aaaaaaaaaaaaaaaaaaaaaaaa';
  const timeUs = Date.parse('2026-08-01T00:00:00Z') * 1000;
  const body = { seq: 7, did, time: '2026-08-01T00:00:00.000002Z' };
  const post = { $type: 'app.bsky.feed.post', text: 'post 5' };
  const path = { collection: 'app.bsky.feed.post', rkey: 'r5' };
  expect(events).toEqual([
    {
      ...{ did, time_us: timeUs + 1, seq: 5, kind: 'commit' },
      commit: { rev: 'rev5', operation: 'create', ...path, record: post, cid: 'bafy5' },
    },
    { did, time_us: timeUs + 2, seq: 6, kind: 'identity', identity: { ...body, handle: 'a.example' } },
    {
      ...{ did, time_us: timeUs + 2, seq: 7, kind: 'account' },
      account: { ...body, active: false, status: 'suspended' },
    },
    { did, time_us: timeUs + 2, seq: 8, kind: 'sync', sync: { ...body, ...sync } },
    {
      ...{ did, time_us: timeUs + 250_000, seq: 9, kind: 'commit' },
      commit: { rev: 'rev9', operation: 'delete', ...path, rkey: 'r9' },
    },
  ]);
  expect(stream.status).toMatchObject({ wire: 'v2', newestUs: timeUs + 250_000 });
  await stream.close();
  expect(await ended).toBeUndefined();
  expect(stream.status.cursor).toBe(10);
});

test('what is unknown or damaged is passed over and counted', async () => {
  await using server = await V2Server.listen();
  const { events, stream } = follow({ url: server.url });
  await vi.waitFor(() => expect(server.clients.length).toBe(1));
  server.say({ $type: 'later', payload: {} });
  server.say({ $type: 'message', payload: { $type: 'a.b.c#d' } });
  server.say({ $type: 'message' });
  server.say({ $type: 'message', payload: { ...v2Post(1), seq: 1.5 } });
  server.say({ $type: 'message', payload: v2Post(1, 'yesterday') });
  server.say({ $type: 'message', payload: { ...v2Post(1), record: undefined } });
  server.clients[0].send('{');
  server.publish(v2Post(2));
  await vi.waitFor(() => expect(numbersOf(events)).toEqual([2]));
  expect(stream.status.malformed).toMatchObject({ unknown_kind: 2, not_an_event: 4, not_json: 1 });
  await stream.close();
});

test('broken connections: nothing missed, nothing twice, and no event is asked for again', async () => {
  await using server = await V2Server.listen();
  server.publish(v2Post(1), v2Post(2));
  const { events, stream } = follow({ url: server.url, cursor: 0 });
  await vi.waitFor(() => expect(numbersOf(events)).toEqual([1, 2]));
  for (let seq = 3; seq < 12; seq += 3) {
    server.cut();
    server.publish(v2Post(seq), v2Post(seq + 2));
    await vi.waitFor(() => expect(events.at(-1)?.seq).toBe(seq + 2));
  }
  expect(numbersOf(events)).toEqual([1, 2, 3, 5, 6, 8, 9, 11]);
  expect(stream.status.repeated).toBe(0);
  const cursors = server.queries.map((query) => query.get('cursor'));
  // The oldest, as a number, would be refused by a server that has begun to forget.
  expect(cursors[0]).toBe('1000000000000000');
  expect(new Set(cursors.slice(1))).toEqual(new Set(['3', '6', '9']));
  await stream.close();
});

test('a server that counts anew is followed, and told as a gap', async () => {
  await using server = await V2Server.listen();
  server.publish(v2Post(500), v2Post(501, '2026-08-01T00:00:05Z'));
  const { events, notices, stream } = follow({ url: server.url, cursor: 1 });
  await vi.waitFor(() => expect(numbersOf(events)).toEqual([500, 501]));
  const opened = server.queries.length;
  server.events.length = 0;
  server.cut();
  // It does not have the cursor yet, and goes on with what is new.
  await vi.waitFor(() => expect(server.queries.length).toBe(opened + 1));
  server.publish(v2Post(1, '2026-08-01T00:00:07Z'), v2Post(2));
  await vi.waitFor(() => expect(numbersOf(events)).toEqual([500, 501, 1, 2]));
  const us = (text: string) => Date.parse(text) * 1000;
  expect(notices.filter(({ kind }) => kind === 'gap')).toEqual([
    {
      ...{ kind: 'gap', reason: 'new_numbering', relay: undefined, missing: true, repeated: true },
      fromUs: us('2026-08-01T00:00:05Z'),
      ...{ toUs: us('2026-08-01T00:00:07Z'), timeUs: us('2026-08-01T00:00:07Z') },
    },
  ]);
  server.cut();
  await vi.waitFor(() => expect(server.queries.at(-1)?.get('cursor')).toBe('3'));
  // Within a connection, a number that does not rise is an event that comes again.
  await vi.waitFor(() => expect(server.clients.length).toBe(1));
  server.publish(v2Post(3), v2Post(3), v2Post(4));
  await vi.waitFor(() => expect(numbersOf(events)).toEqual([500, 501, 1, 2, 3, 4]));
  expect(stream.status.repeated).toBe(1);
  await stream.close();
});

test('a store has the number to go on with', async () => {
  await using server = await V2Server.listen();
  server.publish(...[1, 2, 3, 4, 5].map((seq) => v2Post(seq)));
  let saved: number | undefined;
  const cursorStore = {
    load: () => saved,
    save: (cursor: number) => {
      saved = cursor;
    },
  };
  const seen: (number | undefined)[] = [];
  for (const count of [2, 3]) {
    const stream = subscribe({ url: server.url, wire: 'v2', cursor: 1, cursorStore, timing });
    for await (const { seq } of stream) {
      if (seen.push(seq) >= count) await stream.close();
    }
  }
  expect(seen).toEqual([1, 2, 3]);
  expect(saved).toBe(4);
});

test('the filter by the names of this wire; another one by a new connection', async () => {
  await using server = await V2Server.listen();
  server.publish(v2Post(1));
  const { events, stream, notices } = follow({
    url: `${server.url}/subscribe?wantedDids=did:plc:b`,
    cursor: 1,
    wantedDids: ['did:plc:a'],
    wantedCollections: ['app.bsky.feed.*'],
    wantedKinds: ['commit', 'sync'],
    wantedOperations: ['create'],
    wantedSubjects: ['did:plc:c'],
    maxMessageSizeBytes: 900,
  });
  await vi.waitFor(() => expect(server.queries.length).toBe(1));
  const [query] = server.queries;
  expect([...query].map(([name, value]) => `${name}=${value}`)).toEqual([
    'collections=app.bsky.feed.*',
    ...['dids=did:plc:a', 'dids=did:plc:b', 'kinds=commit', 'kinds=sync', 'operations=create'],
    ...['subjects=did:plc:c', 'maxMessageSizeBytes=900', 'cursor=1000000000000000', 'progress=true'],
    'filterUpdates=allow',
  ]);
  await vi.waitFor(() => expect(stream.status.newestUs).toBeDefined());
  stream.update({ wantedDids: ['did:plc:d'] });
  server.publish(v2Post(2));
  await vi.waitFor(() => expect(numbersOf(events)).toEqual([2]));
  expect(String(server.queries[1])).toBe('dids=did%3Aplc%3Ad&cursor=2&progress=true&filterUpdates=allow');
  // It is no failure.
  expect(notices.map(({ kind }) => kind)).toEqual(['connected', 'connected']);
  await stream.close();
});

test('an address of the wire says which it is, its parameters too', async () => {
  await using server = await V2Server.listen();
  server.publish(v2Post(1));
  const url = `${server.url}/xrpc/network.bsky.jetstream.subscribeEvents?dids=did:plc:a&cursor=1`;
  const { events, stream } = follow({ url, wire: undefined });
  await vi.waitFor(() => expect(numbersOf(events)).toEqual([1]));
  stream.update({});
  await vi.waitFor(() => expect(server.queries.length).toBe(2));
  expect(server.queries.map((query) => query.getAll('dids'))).toEqual([['did:plc:a'], []]);
  await stream.close();
});

test('a server without it is asked by the first', async () => {
  await using server = await V1Server.listen();
  server.accepts = ({ url }) => url?.startsWith('/subscribe') === true;
  server.publish(postEvent('a', 5), postEvent('b', 6));
  const { events, stream, notices } = follow({ url: server.url, cursor: 0, wantedKinds: ['commit'] });
  await vi.waitFor(() => expect(events).toEqual(server.events));
  expect(server.plainUrls[0]).toMatch(/^\/xrpc\/network\.bsky\.jetstream\.subscribeEvents\?/);
  expect(server.queries.at(-1)?.getAll('wantedKinds')).toEqual(['commit']);
  expect(stream.status.wire).toBe('v1');
  expect(notices.map(({ kind }) => kind)).not.toContain('disconnected');
  await stream.close();
  const none = follow({ url: server.url, wantedKinds: ['sync'] });
  expect(await none.ended).toMatchObject({ code: 'CLIENT_BAD_FILTER' });
});

test('what a server says is told; errors that a new connection mends are waited out', async () => {
  await using server = await V2Server.listen();
  server.floor = 4;
  server.publish(v2Post(4));
  const { events, notices, stream } = follow({ url: server.url, cursor: 0 });
  await vi.waitFor(() => expect(numbersOf(events)).toEqual([4]));
  expect(notices).toContainEqual({ kind: 'info', name: 'OutdatedCursor', message: 'starts at 4' });
  for (const error of ['ConsumerTooSlow', 'InternalError', 'SomethingNew']) {
    const before = server.queries.length;
    server.say({ $type: 'error', error, message: 'words' });
    await vi.waitFor(() => expect(server.queries.length).toBe(before + 1));
    expect(server.queries[before].get('cursor')).toBe('5');
    expect(notices).toContainEqual(
      expect.objectContaining({ kind: 'disconnected', why: 'failed', reason: `${error}: words` }),
    );
  }
  const failed = notices.find(({ kind }) => kind === 'disconnected') as Disconnected;
  expect(outageText('ws://server.example', failed)).toBe(
    'server.example ends the connection: ConsumerTooSlow: words',
  );
  await stream.close();
});

test('errors that no new connection mends end the stream', async () => {
  await using server = await V2Server.listen();
  server.floor = 4;
  const outdated = await follow({ url: server.url, cursor: 2 }).ended;
  expect(outdated).toMatchObject({
    code: 'CLIENT_CURSOR_TOO_OLD',
    exitCode: 2,
    message: expect.stringContaining('CursorTooOld: the oldest is 4'),
  });
  const url = `${server.url}?filter=gone`;
  expect(await follow({ url }).ended).toMatchObject({
    code: 'CLIENT_REFUSED',
    message: 'the server refuses the subscription: InvalidRequest: filter is of v1',
  });
  for (const [error, code] of [
    ['InvalidRequest', 'CLIENT_REFUSED'],
    ['CursorTooOld', 'CLIENT_CURSOR_TOO_OLD'],
  ]) {
    const { ended } = follow({ url: server.url });
    await vi.waitFor(() => expect(server.clients.length).toBe(1));
    server.say({ $type: 'error', error });
    expect(await ended).toMatchObject({ code });
    await vi.waitFor(() => expect(server.clients.length).toBe(0));
  }
});

test('compressed with the dictionary of the wire; without where there is none', async () => {
  await using server = await V2Server.listen();
  server.publish(v2Post(1), v2Post(2));
  const plain = follow({ url: server.url, cursor: 1, compress: true });
  await vi.waitFor(() => expect(numbersOf(plain.events)).toEqual([1, 2]));
  await plain.stream.close();
  const { id, bytes } = readDictionary(defaultDictionaryPath());
  server.dictionary = { id, bytes: Buffer.from(bytes) };
  const compressed = follow({ url: server.url, cursor: 1, compress: true });
  await vi.waitFor(() => expect(compressed.events).toEqual(plain.events));
  expect(server.queries.map((query) => query.get('zstdDictionary'))).toEqual([null, String(id)]);
  // The server goes over to another: it is fetched once more.
  const other = Buffer.from(bytes);
  other.writeUInt32LE(id + 1, 4);
  server.dictionary = { id: id + 1, bytes: other };
  server.cut();
  server.publish(v2Post(3));
  await vi.waitFor(() => expect(numbersOf(compressed.events)).toEqual([1, 2, 3]));
  expect(server.queries.at(-1)?.get('zstdDictionary')).toBe(String(id + 1));
  // One that gives what it does not take is asked without.
  server.dictionary = { id: id + 2, bytes: other };
  server.cut();
  server.publish(v2Post(4));
  await vi.waitFor(() => expect(numbersOf(compressed.events)).toEqual([1, 2, 3, 4]));
  expect(server.queries.at(-1)?.get('zstdDictionary')).toBe(null);
  await compressed.stream.close();
});

// Filters that change, and filters too large for an address, on the second wire: as on the first where the server takes messages, by
// new connections where it does not.

import { expect, test, vi } from 'vitest';
import { type StreamEvent, type StreamNotice, type SubscribeOptions, subscribe } from '../lib/subscribe.ts';
import { V2Server, v2Post } from './v2-server.ts';

/** Connections come and go, on machines with other work too. */
const eventually = (check: () => void) => vi.waitFor(check, 20_000);

const timing = { retryMinMs: 1, retryFirstMs: 5, retryMaxMs: 20 };

/** Follows a stream in the background. */
function follow(options: SubscribeOptions) {
  const events: StreamEvent[] = [];
  const notices: StreamNotice[] = [];
  const stream = subscribe({ wire: 'v2', timing, onNotice: (notice) => notices.push(notice), ...options });
  const ended = (async () => {
    for await (const event of stream) events.push(event);
  })().then(
    () => undefined,
    (error: unknown) => error,
  );
  return { events, notices, stream, ended };
}

const didsOf = (count: number) => Array.from({ length: count }, (_, at) => `did:plc:${at}`);
const numbersOf = (events: readonly StreamEvent[]) => events.map(({ seq }) => seq);

async function ours(): Promise<V2Server> {
  const server = await V2Server.listen();
  server.isOurs = true;
  return server;
}

test('a server that has reported is sent the new filter, by the names of this wire', async () => {
  await using server = await ours();
  const { stream } = follow({ url: server.url, wantedDids: ['did:plc:a'] });
  await eventually(() => expect(stream.status.live).toBe(true));
  expect(server.queries[0].get('filterUpdates')).toBe('allow');
  stream.update({
    wantedDids: ['did:plc:b'],
    wantedCollections: ['app.bsky.feed.*'],
    wantedKinds: ['sync', 'commit'],
    wantedOperations: ['delete'],
    wantedSubjects: ['did:plc:c'],
    maxMessageSizeBytes: 900,
    verified: true,
  });
  await eventually(() => expect(server.messages.length).toBe(1));
  expect(JSON.parse(server.messages[0])).toEqual({
    type: 'options_update',
    payload: {
      dids: ['did:plc:b'],
      collections: ['app.bsky.feed.*'],
      kinds: ['sync', 'commit'],
      operations: ['delete'],
      subjects: ['did:plc:c'],
      maxMessageSizeBytes: 900,
      verified: true,
    },
  });
  expect(server.queries).toHaveLength(1);
  // It is in force after a break, too.
  server.cut();
  await eventually(() => expect(server.queries.length).toBe(2));
  expect(server.queries[1].getAll('dids')).toEqual(['did:plc:b']);
  await stream.close();
});

test('a filter too large for an address is the first message, after each break anew', async () => {
  await using server = await ours();
  server.publish(v2Post(1), v2Post(2));
  const wantedDids = didsOf(20_000);
  const { events, stream } = follow({ url: server.url, cursor: 1, wantedDids });
  await eventually(() => expect(numbersOf(events)).toEqual([1, 2]));
  expect(server.queries[0].getAll('dids')).toEqual([]);
  expect(server.queries[0].get('filterUpdates')).toBe('first');
  expect(JSON.parse(server.messages[0])).toMatchObject({
    payload: { dids: wantedDids, maxMessageSizeBytes: 0 },
  });
  server.cut();
  await eventually(() => expect(server.messages.length).toBe(2));
  server.publish(v2Post(3));
  await eventually(() => expect(numbersOf(events)).toEqual([1, 2, 3]));
  expect(server.queries).toHaveLength(2);
  await stream.close();
});

test('a server that takes no messages is asked in the address, and sends nothing before', async () => {
  await using server = await V2Server.listen();
  server.publish(v2Post(1), v2Post(2));
  const wantedDids = didsOf(9_000);
  const { events, notices, stream } = follow({ url: server.url, cursor: 1, wantedDids });
  await eventually(() => expect(numbersOf(events)).toEqual([1, 2]));
  // What knows no message to come has a limit by which nothing is sent.
  expect(server.queries[0].get('maxMessageSizeBytes')).toBe('1');
  expect(server.queries[1].getAll('dids')).toEqual(wantedDids);
  expect(server.queries[1].get('maxMessageSizeBytes')).toBe(null);
  // It is no failure, and not tried again.
  expect(notices.map(({ kind }) => kind)).toEqual(['connected', 'connected']);
  server.cut();
  server.publish(v2Post(3));
  await eventually(() => expect(numbersOf(events)).toEqual([1, 2, 3]));
  expect(server.messages).toHaveLength(1);
  await stream.close();
});

test('a server that takes no messages refuses what is too large for it', async () => {
  await using server = await V2Server.listen();
  const { ended } = follow({ url: server.url, wantedDids: didsOf(20_000) });
  expect(await ended).toMatchObject({ code: 'CLIENT_REFUSED' });
  expect(server.messages).toHaveLength(1);
});

test('a server that has no room for the filter is waited for', async () => {
  await using server = await ours();
  server.limit = 'too many wanted DIDs and subjects of one address: it may have 1,000,000 at a time';
  server.publish(v2Post(1));
  const { events, notices, stream } = follow({ url: server.url, cursor: 1, wantedDids: didsOf(20_000) });
  await eventually(() => expect(server.messages.length).toBeGreaterThan(2));
  expect(notices).toContainEqual(
    expect.objectContaining({ kind: 'disconnected', code: 1008, reason: server.limit }),
  );
  server.limit = undefined;
  await eventually(() => expect(numbersOf(events)).toEqual([1]));
  expect(server.queries.every((query) => query.get('filterUpdates') === 'first')).toBe(true);
  await stream.close();
});

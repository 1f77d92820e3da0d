// The client over the runtime's own WebSocket, against a server with v1's behaviour.

import { setTimeout as delay } from 'node:timers/promises';
import { constants, zstdCompressSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { defaultDictionaryPath, readDictionary } from '../../lib/codec/dictionary.ts';
import { type StreamNotice, type SubscribeOptions, subscribe } from '../lib/subscribe.ts';
import { TcpProxy } from './tcp-proxy.ts';
import { postEvent, V1Server } from './v1-server.ts';

const { bytes: dictionary, id: dictionaryId } = readDictionary(defaultDictionaryPath());
const soon = { retryMinMs: 1, retryFirstMs: 2, retryMaxMs: 10 };

function frameOf(event: object | string, params: Record<number, number> = {}): Uint8Array {
  const text = typeof event === 'string' ? event : JSON.stringify(event);
  return zstdCompressSync(text, { dictionary, params });
}

function names(seen: readonly { kind: string }[]): string[] {
  return seen.map((event) => (event as unknown as { commit: { rkey: string } }).commit.rkey);
}

/** Takes events until there are `count`. */
async function take(options: SubscribeOptions, count: number): Promise<string[]> {
  const seen = [];
  for await (const event of subscribe({ timing: soon, ...options })) {
    seen.push(event);
    if (seen.length === count) break;
  }
  return names(seen);
}

/** A server that answers 400 to a handshake which offers an extension. */
async function withoutExtensions(): Promise<V1Server> {
  const server = await V1Server.listen();
  server.accepts = ({ headers }) => headers['sec-websocket-extensions'] === undefined;
  return server;
}

test('a WebSocket of the package ws offers no compression, and is taken where offers are refused', async () => {
  await using server = await withoutExtensions();
  server.publish(postEvent('a', 1));
  const platform = { WebSocket };
  expect(await take({ url: server.url, cursor: 0, platform }, 1)).toEqual(['a']);
});

test("the runtime's own cannot do without the offer, and the error says so", async () => {
  await using server = await withoutExtensions();
  await expect(take({ url: server.url, cursor: 0 }, 1)).rejects.toMatchObject({
    code: 'CLIENT_NOT_UPGRADED',
    message: expect.stringContaining('permessage-deflate'),
  });
  expect(server.queries).toHaveLength(8);
});

test('a replay, live events, and a server that cuts the line', async () => {
  await using server = await V1Server.listen();
  const timeUs = Date.now() * 1000;
  server.publish(...[1, 2, 3].map((at) => postEvent(`old${at}`, timeUs - 10_000_000 + at)));
  const seen: string[] = [];
  const notices: StreamNotice[] = [];
  const stream = subscribe({
    url: server.url,
    cursor: timeUs - 10_000_000 + 2,
    timing: soon,
    onNotice: (notice) => notices.push(notice),
  });
  for await (const event of stream) {
    seen.push(...names([event]));
    if (seen.length === 2) server.publish(postEvent('new', timeUs));
    if (seen.length === 3) {
      server.cut();
      // Two more while nobody listens; one of them shares its time with what was delivered.
      server.publish(postEvent('shared', timeUs), postEvent('later', timeUs + 1));
    }
    if (seen.length === 5) break;
  }
  expect(seen).toEqual(['old2', 'old3', 'new', 'shared', 'later']);
  expect(server.queries.map((query) => query.get('cursor'))).toEqual([
    String(timeUs - 10_000_000 + 2),
    String(timeUs - 2_000_000),
  ]);
  const once = ['connected', 'caught_up'];
  expect(notices.map(({ kind }) => kind)).toEqual([...once, 'disconnected', ...once]);
  expect(notices[2]).toMatchObject({ why: 'closed', code: 1006 });
  expect(stream.status).toMatchObject({ delivered: 5, repeated: 1, connections: 2 });
});

test('a stored cursor is where the next run starts, and the last event comes once more', async () => {
  await using server = await V1Server.listen();
  server.publish(...[1, 2, 3, 4].map((at) => postEvent(`e${at}`, at)));
  let stored: number | undefined;
  const cursorStore = {
    load: () => stored,
    save: (cursor: number) => {
      stored = cursor;
    },
  };
  // The third is at hand when the loop is left: not finished.
  expect(await take({ url: server.url, cursor: 0, cursorStore }, 3)).toEqual(['e1', 'e2', 'e3']);
  expect(stored).toBe(2);
  expect(await take({ url: server.url, cursor: 0, cursorStore }, 3)).toEqual(['e2', 'e3', 'e4']);
});

test('a server that is not there yet', async () => {
  await using proxy = await TcpProxy.listen(0);
  await using server = await V1Server.listen();
  server.publish(postEvent('a', 1));
  const notices: StreamNotice[] = [];
  const taken = take({ url: proxy.url, cursor: 0, onNotice: (notice) => notices.push(notice) }, 1);
  await expect.poll(() => notices.length).toBeGreaterThan(2);
  expect(notices[0]).toMatchObject({ why: 'not_connected', status: undefined });
  proxy.target = Number(new URL(server.url).port);
  expect(await taken).toEqual(['a']);
});

test('parameters that the server refuses end the loop with its words', async () => {
  await using server = await V1Server.listen();
  server.refuse = { status: 400, body: 'invalid subscriber options: invalid collection: nonsense' };
  await expect(take({ url: server.url, wantedCollections: ['nonsense'] }, 1)).rejects.toMatchObject({
    code: 'CLIENT_REFUSED',
    message: expect.stringContaining('invalid collection: nonsense'),
  });
  expect(server.plainUrls).toEqual(['/subscribe?wantedCollections=nonsense&progress=true']);
});

test('a full server is asked again when it said', async () => {
  await using server = await V1Server.listen();
  server.publish(postEvent('a', 1));
  server.refuse = { status: 503, headers: { 'Retry-After': '1' } };
  const notices: StreamNotice[] = [];
  const taken = take({ url: server.url, cursor: 0, onNotice: (notice) => notices.push(notice) }, 1);
  await expect.poll(() => notices.length).toBe(1);
  server.refuse = undefined;
  expect(notices[0]).toMatchObject({ status: 503 });
  expect((notices[0] as { retryMs: number }).retryMs).toBeGreaterThan(1_000);
  expect(await taken).toEqual(['a']);
});

test('compression takes a dictionary of the caller’s, and says so when there is none', async () => {
  await using server = await V1Server.listen();
  await expect(take({ url: server.url, compress: true }, 1)).rejects.toMatchObject({
    code: 'CLIENT_NO_DICTIONARY',
    message: expect.stringContaining('/dictionaries answers 404'),
  });
  server.onConnection = (socket) => {
    // A small frame as v1 makes them: it does not tell the size of its content.
    socket.send(frameOf(postEvent('small', 1), { [constants.ZSTD_c_contentSizeFlag]: 0 }));
    socket.send(frameOf(postEvent('checked', 2), { [constants.ZSTD_c_checksumFlag]: 1 }));
    socket.send(frameOf(postEvent('long', 3, { text: 'é'.repeat(200_000) })));
  };
  expect(await take({ url: server.url, compress: true, dictionary }, 3)).toEqual([
    'small',
    'checked',
    'long',
  ]);
  expect(server.queries[0].get('compress')).toBe('true');
  expect(server.queries[0].get('zstdDictionary')).toBe(String(dictionaryId));
});

test('the wrong dictionary, and what is none', async () => {
  await using server = await V1Server.listen();
  server.onConnection = (socket) => socket.send(frameOf(postEvent('a', 1)));
  const other = Uint8Array.from(dictionary);
  other[4] ^= 1;
  await expect(take({ url: server.url, compress: true, dictionary: other }, 1)).rejects.toMatchObject({
    code: 'CLIENT_WRONG_DICTIONARY',
  });
  const nonsense = new TextEncoder().encode('no dictionary');
  await expect(take({ url: server.url, compress: true, dictionary: nonsense }, 1)).rejects.toMatchObject({
    code: 'CLIENT_BAD_DICTIONARY',
  });
});

test('malformed messages and frames, bombs among them, cost their neighbours nothing', async () => {
  await using server = await V1Server.listen();
  const bomb = '{"did":"'.padEnd(60_000_000, 'x');
  const damaged = frameOf(postEvent('damaged', 1), { [constants.ZSTD_c_checksumFlag]: 1 });
  damaged[damaged.length - 1] ^= 1;
  server.onConnection = (socket) => {
    socket.send('nonsense');
    socket.send(frameOf(bomb));
    socket.send(frameOf(bomb, { [constants.ZSTD_c_contentSizeFlag]: 0 }));
    socket.send(damaged);
    socket.send(frameOf(postEvent('a', 1)).subarray(0, 40));
    socket.send(Buffer.from('no frame'));
    socket.send(Buffer.alloc(0));
    // Declares 2^63 bytes.
    const header = [0x28, 0xb5, 0x2f, 0xfd, 0xe3, ...dictionary.subarray(4, 8)];
    socket.send(Buffer.from([...header, 0, 0, 0, 0, 0, 0, 0, 0x80, 1, 0, 0]));
    socket.send(frameOf('[]'));
    socket.send(frameOf(postEvent('good', 2)));
  };
  const stream = subscribe({ url: server.url, compress: true, dictionary, timing: soon });
  const first = await stream.next();
  expect(first.value).toMatchObject({ time_us: 2 });
  expect(stream.status.malformed).toMatchObject({ bad_frame: 7, not_json: 1, not_an_event: 1 });
  expect(stream.status.connections).toBe(1);
  await stream.close();
});

test('a slow consumer: the queue stays within its bound, nothing is missed, nothing comes twice', async () => {
  await using server = await V1Server.listen();
  const count = 1_200;
  const text = 'x'.repeat(500);
  server.publish(
    ...Array.from({ length: count }, (_, at) => postEvent(`e${at}`, 1_000_000 + at * 50_000, { text })),
  );
  const stream = subscribe({ url: server.url, cursor: 0, queue: { eventsMax: 200 }, timing: soon });
  const seen: string[] = [];
  for await (const event of stream) {
    seen.push(...names([event]));
    expect(stream.status.queuedEvents).toBeLessThanOrEqual(200);
    // Slower than the server: it gets a turn of the event loop for each event.
    await delay(0);
    if (seen.length === count) break;
  }
  expect(seen).toEqual(Array.from({ length: count }, (_, at) => `e${at}`));
  expect(stream.status.pauses).toBeGreaterThan(3);
});

test('kinds and operations are filtered although the server does not know them', async () => {
  await using server = await V1Server.listen();
  const base = {
    did: 'did:plc:a',
    time_us: 2,
    kind: 'identity',
    identity: { did: 'did:plc:a', seq: 1, time: '' },
  };
  const removed = postEvent('c', 3) as { commit: { operation: string } };
  removed.commit.operation = 'delete';
  server.publish(postEvent('a', 1), base, removed, postEvent('d', 4));
  const options = {
    url: server.url,
    cursor: 0,
    wantedKinds: ['commit'],
    wantedOperations: ['delete'],
  } as const;
  expect(await take(options, 1)).toEqual(['c']);
});

test('subjects are looked for although the server does not know them; deletions are what it sends', async () => {
  await using server = await V1Server.listen();
  const uri = 'at://did:plc:b/app.bsky.feed.post/1';
  const like = (name: string, timeUs: number, subject: string) => {
    const event = postEvent(name, timeUs) as { commit: Record<string, unknown> };
    event.commit.record = { subject: { uri: subject } };
    return event;
  };
  const removed = postEvent('removed', 4) as { commit: Record<string, unknown> };
  removed.commit.operation = 'delete';
  const account = { did: 'did:plc:b', seq: 1, time: '', active: true };
  server.publish(
    postEvent('post', 1),
    like('other', 2, `${uri}1`),
    like('like', 3, uri),
    removed,
    { did: 'did:plc:b', time_us: 5, kind: 'account', account },
    like('later', 6, uri),
  );
  const options = { url: server.url, cursor: 0, wantedSubjects: [uri] } as const;
  expect(await take(options, 3)).toEqual(['like', 'removed', 'later']);
  expect(server.queries[0].getAll('wantedSubjects')).toEqual([uri]);
  const written = ['create', 'update'] as const;
  expect(await take({ ...options, wantedOperations: written }, 2)).toEqual(['like', 'later']);
});

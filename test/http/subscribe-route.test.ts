// `GET /subscribe` over real sockets: the handshake, its refusals, and what reaches the delivery loop.

import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { connect, type Socket } from 'node:net';
import { describe, expect, it, vi } from 'vitest';
import { eventKinds } from '../../lib/event/event.ts';
import { encodings } from '../../lib/fanout/encodings.ts';
import { publicHttpLimits } from '../../lib/http/http-limits.ts';
import { WebSocket } from '../../lib/websocket.ts';
import { passAll } from '../support/pass-all.ts';
import { closeOf, listening, nowUs } from './listening.ts';
import { exchange, handshake, parseAnswer, sent, telling } from './raw-client.ts';

const badRequest = {
  status: 400,
  headers: [
    'content-type: text/plain; charset=utf-8',
    'sec-websocket-version: 13',
    'vary: Origin',
    'x-content-type-options: nosniff',
  ],
  // The first line is v1's.
  body: expect.stringMatching(/^Bad Request\n.* WebSocket .*\/events\.ndjson/s),
};

/** The server's end of the next connection that is opened to it, once it has read something. */
async function acceptedSocket(): Promise<Socket> {
  const socket = await new Promise<Socket>((resolve) => {
    const opened = (message: unknown): void => {
      unsubscribe('net.server.socket', opened);
      resolve((message as { socket: Socket }).socket);
    };
    subscribe('net.server.socket', opened);
  });
  await vi.waitFor(() => expect(socket.bytesRead).toBeGreaterThan(0));
  return socket;
}

describe('the handshake', () => {
  it('is answered with three headers and nothing agreed', async () => {
    const { raw } = await listening();
    const client = await raw('/subscribe?x=1', {
      Origin: 'http://a.test',
      'Sec-WebSocket-Protocol': 'xrpc, b',
      'Sec-WebSocket-Extensions': 'permessage-deflate; client_max_window_bits',
    });
    expect(client.answer).toEqual({
      status: 101,
      headers: [
        ['upgrade', 'websocket'],
        ['connection', 'Upgrade'],
        ['sec-websocket-accept', 's3pPLMBiTxaQ9kYGzzhZRbK+xOo='],
      ],
      body: '',
    });
  });

  it('counts names that are nearly those of a filter, and ignores them', async () => {
    const told: [string, string, number][] = [];
    const { raw, listener, source } = await listening({
      onMisspelt: ({ name, meant }, requests) => told.push([name, meant, requests]),
    });
    for (const query of ['wantedCollections[]=x', 'collection=a.b.c&wantedDid=y', 'wantedDids=did:web:a']) {
      expect((await raw(`/subscribe?${query}`)).answer?.status).toBe(101);
    }
    expect([...listener.sessions.counts.misspelt].filter(([, count]) => count > 0)).toEqual([
      ['wantedCollections', 2],
    ]);
    for (let request = 3; request <= 9; request++) await raw(`/subscribe?collection=${request}`);
    // The fourth and the eighth: the more there are, the fewer.
    expect(told).toEqual([
      ['wantedCollections[]', 'wantedCollections', 1],
      ...[2, 4, 8].map((requests) => ['collection', 'wantedCollections', requests]),
    ]);
    expect(source.subscriptions[0].filters[0]).toEqual(passAll);
  });

  it.each([
    ['a list of upgrades', { Upgrade: 'h2c, WebSocket' }],
    ['a list of connection options', { Connection: 'keep-alive, UPGRADE' }],
    ['a list of versions', { 'Sec-WebSocket-Version': '13, 8' }],
    ['a sub-protocol that is none', { 'Sec-WebSocket-Protocol': '(bad)' }],
  ])('may have %s', async (_name, overrides) => {
    const { raw } = await listening();
    expect((await raw('/subscribe', overrides)).answer?.status).toBe(101);
  });

  it.each([
    ['no Upgrade', { Upgrade: undefined }],
    ['no Connection', { Connection: 'close' }],
    ['another protocol', { Upgrade: 'h2c' }],
    ['no version', { 'Sec-WebSocket-Version': undefined }],
    ['version 8', { 'Sec-WebSocket-Version': '8' }],
    ['no key', { 'Sec-WebSocket-Key': undefined }],
    ['a short key', { 'Sec-WebSocket-Key': 'AAAA' }],
    ['a key that is not base64', { 'Sec-WebSocket-Key': '!GhlIHNhbXBsZSBub25jZQ==' }],
  ])('is refused with %s', async (_name, overrides) => {
    const { port, listener } = await listening({ limits: { ...publicHttpLimits, keepAliveMs: 10 } });
    const answer = await exchange(port, handshake('/subscribe', overrides));
    expect({ status: answer.status, headers: telling(answer), body: answer.body }).toEqual(badRequest);
    expect(listener.sessions.refusals.get('bad_handshake')).toBe(1);
  });

  it('behind an answer that is under way is a plain request, which waits for its turn', async () => {
    for (const offer of [handshake('/subscribe'), handshake('/', { Upgrade: 'h2c' })]) {
      const { port, source, listener } = await listening();
      const { received, closed } = sent(port, `GET /events.ndjson HTTP/1.1\r\nHost: test\r\n\r\n${offer}`);
      await vi.waitFor(() => expect(source.subscriptions).toHaveLength(1));
      source.subscriptions[0].transport.progress({ positionUs: nowUs, newestUs: nowUs, live: true });
      await closed;
      const statuses = [...received().matchAll(/HTTP\/1\.1 (\d+)/g)].map(([, status]) => status);
      expect(statuses).toEqual(['200', offer.startsWith('GET /subscribe') ? '400' : '200']);
      expect(listener.sessions.members.size).toBe(0);
    }
  });

  const limits = { ...publicHttpLimits, keepAliveMs: 10, requestsPerSocketMax: 3 };
  const many = 'GET /none HTTP/1.1\r\nHost: test\r\n\r\n'.repeat(limits.requestsPerSocketMax);
  it.each([
    ['an expectation that node:http refuses', 'GET / HTTP/1.1\r\nHost: test\r\nExpect: foo\r\n\r\n'],
    ['a request without a host', 'GET / HTTP/1.1\r\n\r\n'],
    ['one request too many', `${many}GET /none HTTP/1.1\r\nHost: test\r\n\r\n`],
  ])('behind %s is a plain request too, or none', async (_name, first) => {
    for (const overrides of [{}, { Upgrade: 'h2c' }, { 'Sec-WebSocket-Key': undefined }]) {
      const { port, listener } = await listening({ limits });
      const { received, closed } = sent(port, first + handshake('/subscribe', overrides));
      await closed;
      expect(received()).toMatch(/^HTTP\/1\.1 \d/);
      expect(received()).not.toContain('HTTP/1.1 101');
      expect(listener.sessions.members.size).toBe(0);
    }
  });

  it('comes after the parameters', async () => {
    const { port, listener } = await listening();
    for (const overrides of [{}, { Upgrade: 'h2c' }]) {
      const answer = await exchange(
        port,
        handshake('/subscribe?wantedDids=', { Origin: 'http://a.test', ...overrides }),
      );
      expect({ status: answer.status, headers: telling(answer), body: answer.body }).toEqual({
        status: 400,
        headers: [
          'access-control-allow-origin: *',
          'content-type: text/plain; charset=UTF-8',
          'vary: Origin',
        ],
        body: 'invalid subscriber options',
      });
    }
    expect(listener.sessions.refusals.get('bad_did')).toBe(2);
    expect(listener.sessions.refusals.get('bad_handshake')).toBe(0);
  });
});

describe('a subscription', () => {
  it.each([
    ['', undefined],
    ['?cursor=', undefined],
    [`?cursor=${nowUs}`, nowUs - 1],
    [`?cursor=${nowUs + 1}`, undefined],
    ['?cursor=9223372036854775807', undefined],
    ['?cursor=0', 0],
    ['?cursor=-1', 0],
    ['?cursor=1779999999', 1_779_999_999_000_000 - 1],
  ])('with %j starts after %s', async (query, afterTimeUs) => {
    const { source, client } = await listening();
    await client(`/subscribe${query}`);
    expect(source.subscriptions.map((subscription) => subscription.afterTimeUs)).toEqual([afterTimeUs]);
  });

  it('has the filter and the encoding asked for', async () => {
    const { source, client } = await listening();
    await client(
      '/subscribe?wantedCollections=a.b.c&wantedCollections=d.*&wantedDids=did:web:a&compress=true&maxMessageSizeBytes=9&wantedKinds=account&wantedSubjects=did:web:b',
    );
    expect(source.subscriptions[0].transport.encoding).toBe(encodings.zstd);
    expect(source.subscriptions[0].filters).toEqual([
      {
        collections: new Set(['a.b.c']),
        prefixes: ['d.'],
        dids: new Set(['did:web:a']),
        subjects: new Set(['did:web:b']),
        maxMessageSizeBytes: 9,
        kinds: 1 << eventKinds.account,
        operations: 0,
      },
    ]);
    expect(source.subscriptions[0].transport.wantsProgress).toBe(false);
  });

  it('is compressed by header too', async () => {
    const { source, raw } = await listening();
    await raw('/subscribe', { 'Socket-Encoding': 'gzip, zstd' });
    expect(source.subscriptions[0].transport.encoding).toBe(encodings.zstd);
  });

  it('may name 10,000 DIDs in the URL, and no more', async () => {
    const { port, source, client } = await listening();
    const target = (count: number) =>
      `/subscribe?${Array.from({ length: count }, (_, index) => `wantedDids=did%3Aplc%3A${String(index).padStart(24, 'a')}`).join('&')}`;
    await client(target(10_000));
    expect(source.subscriptions[0].filters[0].dids.size).toBe(10_000);
    const answer = await exchange(port, handshake(target(10_001)));
    expect([answer.status, answer.body]).toEqual([400, 'invalid subscriber options: too many wanted DIDs']);
  });

  it('ends when the server stops, also for a client that reads nothing', async () => {
    const { port, listener, client } = await listening();
    const first = await client();
    first.pause();
    const second = new WebSocket(`ws://127.0.0.1:${port}/subscribe`);
    await new Promise((resolve) => second.once('open', resolve));
    const stopped = listener.stop(200);
    expect(await closeOf(second)).toEqual({ code: 1001, reason: 'server shutting down' });
    await stopped;
    expect(listener.sessions.members.size).toBe(0);
    expect(listener.sessions.counts.ended.get('server_stopping')).toBe(2);
  });

  it('is refused when its request comes to its end while the server stops', async () => {
    const { port, listener } = await listening();
    const request = handshake('/subscribe');
    const accepted = acceptedSocket();
    const socket = connect(port, '127.0.0.1', () => socket.write(request.slice(0, 40)));
    const answer = new Promise<string>((resolve) => {
      socket.once('data', (chunk: Buffer) => resolve(chunk.toString()));
    });
    // The server has to see the start before it stops, else it takes the connection for idle.
    const { bytesRead } = await accepted;
    expect(bytesRead).toBe(40);
    void listener.stop(10_000);
    socket.write(request.slice(40));
    expect(parseAnswer(await answer)).toMatchObject({
      status: 503,
      body: '{"message":"Service Unavailable: the server is stopping"}\n',
    });
    expect(listener.sessions.refusals.get('stopping')).toBe(1);
  });
});

// The plain HTTP side of the public listener, over raw sockets: status, exact headers, exact body.

import type { ServerResponse } from 'node:http';
import { connect } from 'node:net';
import { describe, expect, it, vi } from 'vitest';
import { subscribeEventsNsid } from '../../lib/event/v2-event.ts';
import { publicHttpLimits } from '../../lib/http/http-limits.ts';
import { PublicListener } from '../../lib/http/public-listener.ts';
import { respondText } from '../../lib/http/respond.ts';
import { allowGet, type Route } from '../../lib/http/routes.ts';
import { addressTable } from '../support/addresses.ts';
import { listening, noLog } from './listening.ts';
import { type Answer, exchange, handshake, head, parseAnswer, sent, telling } from './raw-client.ts';

const vary = 'vary: Origin';
const anyOrigin = 'access-control-allow-origin: *';
const allow = 'allow: OPTIONS, GET';
const json = 'content-type: application/json; charset=UTF-8';
const text = 'content-type: text/plain; charset=UTF-8';
const notFound = '{"message":"Not Found"}\n';
const notAllowed = '{"message":"Method Not Allowed"}\n';

function expectAnswer(answer: Answer, status: number, headers: string[], body: string | RegExp): void {
  expect({ status: answer.status, headers: telling(answer), body: answer.body }).toEqual({
    status,
    headers: [...headers].sort(),
    body: typeof body === 'string' ? body : expect.stringMatching(body),
  });
}

describe('plain requests', () => {
  const cases: [string, number, string[], string | RegExp][] = [
    ['GET /', 200, [text, vary], 'Welcome to Jetstream'],
    ['GET /?x=1', 200, [text, vary], 'Welcome to Jetstream'],
    // v1 answers 405.
    ['HEAD /', 200, [text, vary], ''],
    ['POST /', 405, [allow, json, vary], notAllowed],
    ['HEAD /subscribe', 405, [allow, vary], ''],
    ['POST /subscribe?cursor=x', 405, [allow, json, vary], notAllowed],
    ['DELETE /subscribe', 405, [allow, json, vary], notAllowed],
    ['GET /nope', 404, [json, vary], notFound],
    ['HEAD /nope', 404, [vary], ''],
    ['PUT /nope', 404, [json, vary], notFound],
    ['GET /subscribe/', 404, [json, vary], notFound],
    ['GET //subscribe', 404, [json, vary], notFound],
    ['GET /Subscribe', 404, [json, vary], notFound],
    ['GET /%73ubscribe', 404, [json, vary], notFound],
    ['GET /subscribe?cursor=x', 400, [text, vary], 'invalid cursor: x'],
    [
      'GET /coverage?cursor=x',
      400,
      [text, 'cache-control: no-store', vary],
      'invalid cursor: x: give 1h (ago), 2026-01-31T12:00:00Z, or microseconds since 1970',
    ],
    ['POST /coverage', 405, ['allow: OPTIONS, GET, HEAD', json, vary], notAllowed],
    ['GET http://elsewhere/subscribe?cursor=x', 400, [text, vary], 'invalid cursor: x'],
    ['GET /subscribe?cursor=%E2%82%AC', 400, [text, vary], 'invalid cursor: \u20ac'],
    [
      'GET /subscribe',
      400,
      [
        'content-type: text/plain; charset=utf-8',
        'sec-websocket-version: 13',
        'x-content-type-options: nosniff',
        vary,
      ],
      /^Bad Request\nThis address is for WebSocket clients, .*\n\/events .*\/events\.ndjson .*\n$/,
    ],
  ];

  it.each(cases)('%s', async (line, status, headers, body) => {
    const { port } = await listening();
    expectAnswer(await exchange(port, head(line)), status, headers, body);
    const withOrigin = await exchange(port, head(line, ['Origin: http://a.test']));
    expectAnswer(withOrigin, status, [...headers, anyOrigin], body);
    const withUpgrade = await exchange(
      port,
      `${line} HTTP/1.1\r\nHost: test\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n`,
    );
    expectAnswer(withUpgrade, status, headers, body);
    expect(withUpgrade.headers).toContainEqual(['connection', 'close']);
  });
});

describe('an offer of another protocol with a body', () => {
  // node:http has no socket for it until the body is there.
  const line = (method: string, path: string, lines: readonly string[]): string =>
    `${method} ${path} HTTP/1.1\r\nHost: test\r\nConnection: Upgrade\r\n${lines.join('\r\n')}\r\n\r\n`;
  it.each([
    ['GET', '/', 200],
    ['GET', '/none', 404],
    ['PUT', '/events', 405],
    ['POST', '/subscribe', 405],
    ['GET', '/subscribe', 400],
    ['HEAD', '/events.ndjson', 200],
  ])('%s %s is answered as a plain request, before the body has come', async (method, path, status) => {
    const { port } = await listening();
    for (const length of ['Content-Length: 5', 'Transfer-Encoding: chunked']) {
      const { received, closed } = sent(port, line(method, path, ['Upgrade: h2c', length]));
      await expect.poll(received).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
      await closed;
      expect(received().match(/HTTP\/1\.1 /g)).toHaveLength(1);
    }
  });

  it('and a handshake with one is none', async () => {
    const { port } = await listening();
    for (const extra of [{ 'Content-Length': '5' }, { 'Transfer-Encoding': 'chunked' }]) {
      const { received } = sent(port, handshake('/subscribe', extra));
      await expect.poll(received).toMatch(/^HTTP\/1.1 400 /);
    }
    const { received } = sent(port, handshake('/subscribe', { 'Content-Length': '0' }));
    await expect.poll(received).toMatch(/^HTTP\/1.1 101 /);
  });
});

it('HTTP/0.9 is refused, and its connection ends', async () => {
  const { port } = await listening();
  for (const path of ['/events', '/', '/subscribe']) {
    const { received, closed } = sent(port, `GET ${path}\r\nHost: test\r\n\r\n`);
    await closed;
    expect(received()).toMatch(/^HTTP\/1.1 400 /);
  }
});

describe('OPTIONS', () => {
  const preflight = [
    anyOrigin,
    'access-control-allow-headers: x-a, x-b',
    'access-control-allow-methods: GET,HEAD,OPTIONS',
    vary,
    'vary: Access-Control-Request-Headers',
    'vary: Access-Control-Request-Method',
  ];
  it.each([
    ['/', [allow]],
    ['/subscribe?cursor=x', [allow]],
    ['/nope', []],
  ])('%s', async (target, known) => {
    const { port } = await listening();
    expectAnswer(await exchange(port, head(`OPTIONS ${target}`)), 204, [...known, vary], '');
    const asked = ['Origin: http://a.test', 'Access-Control-Request-Headers: x-a, x-b'];
    expectAnswer(await exchange(port, head(`OPTIONS ${target}`, asked)), 204, [...preflight, ...known], '');
    const upgrading = await exchange(port, handshake(target).replace('GET', 'OPTIONS'));
    expectAnswer(upgrading, 204, [...known, vary], '');
  });

  it('echoes no headers that were not asked for', async () => {
    const { port } = await listening();
    const answer = await exchange(port, head('OPTIONS /', ['Origin: http://a.test']));
    expect(answer.headers.map(([name]) => name)).not.toContain('access-control-allow-headers');
  });
});

describe('a request with a handshake', () => {
  it.each([
    ['/nope', 404, notFound],
    // Where v1 says welcome: no WebSocket either, and nobody reads why.
    ['/', 404, 'No WebSocket here: connect to /subscribe\n'],
    ['/events', 404, 'No WebSocket here: connect to /subscribe\n'],
    ['/events.ndjson?cursor=1h', 404, 'No WebSocket here: connect to /subscribe\n'],
    ['/subscribe/', 404, notFound],
  ])('is a plain one on %s', async (target, status, body) => {
    const { port, listener } = await listening();
    const answer = await exchange(port, handshake(target));
    expect([answer.status, answer.body]).toEqual([status, body]);
    expect(listener.sessions.members.size).toBe(0);
  });

  it.each(['/subscribe', `/xrpc/${subscribeEventsNsid}`])(
    'is refused without a host on %s',
    async (target) => {
      const { port } = await listening();
      const answer = await exchange(port, handshake(target, { Host: undefined }));
      expect(answer.status).toBe(400);
      expect(answer.headers).toContainEqual(['connection', 'close']);
    },
  );

  it('may come with other methods', async () => {
    const { port } = await listening();
    const answer = await exchange(port, handshake('/subscribe').replace('GET', 'POST'));
    expectAnswer(answer, 405, [allow, json, vary], notAllowed);
  });
});

describe('further routes', () => {
  it('are added, and replace', async () => {
    const route = (path: string, body: string) => ({
      path,
      allow: allowGet,
      handle: (_request: unknown, response: Parameters<typeof respondText>[0]) =>
        respondText(response, 200, body),
    });
    const { port } = await listening({ routes: [route('/', 'home'), route('/health', 'fine')] });
    expect((await exchange(port, head('GET /'))).body).toBe('home');
    expect((await exchange(port, head('GET /health'))).body).toBe('fine');
  });
});

describe('bounds', () => {
  it('takes a request head of almost 1 MiB and refuses a longer one', async () => {
    const { port } = await listening();
    const long = (count: number) => exchange(port, head(`GET /subscribe?cursor=${'1'.repeat(count)}`));
    expect((await long(1_000_000)).status).toBe(400);
    expect((await long(1_100_000)).status).toBe(431);
  });

  it('takes a head of a hundred fields and refuses one of more', async () => {
    const { port } = await listening();
    const fields = (count: number) => Array.from({ length: count }, (_, at) => `A${at}: b`);
    expect((await exchange(port, head('GET /', fields(90)))).status).toBe(200);
    expect((await exchange(port, head('GET /', fields(101)))).status).toBe(431);
  });

  it('answers 400 to what is not HTTP', async () => {
    const { port } = await listening();
    expect((await exchange(port, 'nonsense\r\n\r\n')).status).toBe(400);
  });

  it('ends a request that does not come to its end', async () => {
    const { port } = await listening({
      limits: { ...publicHttpLimits, requestTimeoutMs: 50, checkIntervalMs: 10 },
    });
    expect((await exchange(port, 'GET / HTTP/1.1\r\nHost: te')).status).toBe(408);
  });

  it('ends a connection that asks for nothing more', async () => {
    const { port } = await listening({ limits: { ...publicHttpLimits, keepAliveMs: 20 } });
    const answer = await exchange(port, 'GET / HTTP/1.1\r\nHost: test\r\n\r\n');
    expect(answer.body).toBe('Welcome to Jetstream');
  });

  it('keeps a connection between requests for longer than balancers do', async () => {
    // A balancer that has kept a connection for 60 s may send a request on it just as we end it, and answers 502.
    expect(publicHttpLimits.keepAliveMs).toBeGreaterThan(60_000);
    const limits = { ...publicHttpLimits, requestTimeoutMs: 50, idleTimeoutMs: 300, checkIntervalMs: 10 };
    const { port } = await listening({ limits });
    const { socket, received } = sent(port, 'GET / HTTP/1.1\r\nHost: test\r\n\r\n');
    await vi.waitFor(() => expect(received()).toContain('Welcome'));
    expect(received()).toMatch(/keep-alive: timeout=75/i);
    // Neither the time for a request nor that for a silent connection counts while none is under way.
    expect((await exchange(port, 'GET / HTTP/1.1\r\nHost: te')).status).toBe(408);
    await new Promise((resolve) => connect(port, '127.0.0.1').resume().once('close', resolve));
    socket.write('GET / HTTP/1.1\r\nHost: test\r\n\r\n');
    await vi.waitFor(() => expect(received().split('Welcome')).toHaveLength(3));
  });

  it('ends a connection that says nothing', async () => {
    const { port } = await listening({ limits: { ...publicHttpLimits, idleTimeoutMs: 30 } });
    const socket = connect(port, '127.0.0.1');
    await new Promise((resolve) => socket.once('close', resolve));
  });

  it('holds few connections that are no subscribers', async () => {
    const { port, listener, raw } = await listening({
      limits: { ...publicHttpLimits, socketsMax: 2 },
      addresses: addressTable({ subscribersMax: 3 }),
    });
    await raw();
    await raw();
    await raw();
    const idle = [connect(port, '127.0.0.1'), connect(port, '127.0.0.1')];
    const closes = idle.map((socket) => new Promise((resolve) => socket.once('close', resolve)));
    await Promise.all(idle.map((socket) => new Promise((resolve) => socket.once('connect', resolve))));
    // One more takes the place of the one that has been silent longest.
    expect((await exchange(port, head('GET /'))).status).toBe(200);
    await closes[0];
    expect(listener.connections.refused).toBe(1);
    expect(listener.sessions.members.size).toBe(3);
    expect(idle[1].destroyed).toBe(false);
    idle[1].destroy();
    await closes[1];
    expect((await exchange(port, head('GET /'))).status).toBe(200);
    expect(listener.connections.refused).toBe(1);
  });

  it('lets go of heads that hold too much together', async () => {
    const heldLimits = { connectionBytesMax: 1e6, addressBytesMax: 1e6, bytesMax: 100_000 };
    const { port, listener } = await listening({ heldLimits });
    const heads = Array.from({ length: 3 }, () => connect(port, '127.0.0.1'));
    const closes = heads.map((socket) => new Promise((resolve) => socket.once('close', resolve)));
    for (const socket of heads) {
      socket.on('error', () => {});
      socket.write(`GET /?${'x'.repeat(60_000)}`);
      await new Promise((resolve) => socket.once('connect', resolve));
    }
    await Promise.all([closes[0], closes[1]]);
    expect(listener.connections.refused).toBe(2);
    heads[2].end('&y HTTP/1.1\r\nHost: x\r\n\r\n');
    heads[2].resume();
    await closes[2];
    expect(listener.connections.refused).toBe(2);
  });

  it('drops no connection that is being answered', async () => {
    const asked = Promise.withResolvers<ServerResponse>();
    const slow: Route = {
      path: '/slow',
      allow: allowGet,
      handle: (_request, response) => asked.resolve(response),
    };
    const { port, listener } = await listening({
      limits: { ...publicHttpLimits, socketsMax: 1 },
      addresses: addressTable({ subscribersMax: 0 }),
      routes: [slow],
    });
    const waiting = exchange(port, head('GET /slow'));
    const response = await asked.promise;
    const refused = connect(port, '127.0.0.1');
    refused.on('error', () => {});
    await new Promise((resolve) => refused.once('close', resolve));
    expect(listener.connections.refused).toBe(1);
    respondText(response, 200, 'slow');
    expect((await waiting).body).toBe('slow');
  });
});

describe('listen', () => {
  it('says what to do when the port is taken', async () => {
    const { port } = await listening();
    const other = new PublicListener({
      source: { subscribe: () => ({ positionUs: 0, setFilter() {}, drained() {}, end() {} }) },
      log: noLog,
      nowUs: () => 0,
      dictionaries: { list: () => [], get: () => undefined },
      addresses: addressTable(),
    });
    const failure = other.listen({ host: '127.0.0.1', port });
    await expect(failure).rejects.toMatchObject({ code: 'HTTP_LISTEN_FAILED' });
    await expect(failure).rejects.toThrow(`127.0.0.1:${port} (EADDRINUSE)`);
    await other.stop(0);
  });

  it('says what to do when the address is not ours', async () => {
    const other = new PublicListener({
      source: { subscribe: () => ({ positionUs: 0, setFilter() {}, drained() {}, end() {} }) },
      log: noLog,
      nowUs: () => 0,
      dictionaries: { list: () => [], get: () => undefined },
      addresses: addressTable(),
    });
    await expect(other.listen({ host: '192.0.2.1', port: 0 })).rejects.toMatchObject({
      code: 'HTTP_LISTEN_FAILED',
    });
  });
});

describe('stop', () => {
  it('ends plain connections and accepts no more', async () => {
    const { port, listener } = await listening();
    const socket = connect(port, '127.0.0.1', () => socket.write('GET / HTTP/1.1\r\nHost: test\r\n\r\n'));
    const first = await new Promise<Buffer>((resolve) => socket.once('data', resolve));
    expect(parseAnswer(first.toString()).status).toBe(200);
    const closed = new Promise((resolve) => socket.once('close', resolve));
    await listener.stop(10_000);
    await closed;
    await expect(exchange(port, head('GET /'))).rejects.toMatchObject({ code: 'ECONNREFUSED' });
  });

  it('destroys at the deadline what does not end by itself', async () => {
    const { port, listener } = await listening();
    const socket = connect(port, '127.0.0.1', () => socket.write('GET / HTTP/1.1\r\nHost: te'));
    socket.on('error', () => {});
    const closed = new Promise((resolve) => socket.once('close', resolve));
    await new Promise((resolve) => socket.once('connect', resolve));
    await listener.stop(50);
    await closed;
  });
});

// `POST /filters` and `GET /filters/<id>` over raw sockets: what is answered, how much may be sent, and what it may cost.

import { connect, type Socket } from 'node:net';
import { describe, expect, it, onTestFinished } from 'vitest';
import { publicHttpLimits } from '../../lib/http/http-limits.ts';
import type { PublicListenerOptions } from '../../lib/http/public-listener.ts';
import { FilterStore, type Filters, filterStoreLimits } from '../../lib/wire/filter-store.ts';
import { filterBodyBytesMax } from '../../lib/wire/stored-filter.ts';
import { listening } from './listening.ts';
import { type Answer, exchange, handshake, head, parseAnswer, telling } from './raw-client.ts';

const json = 'content-type: application/json; charset=UTF-8';
const nowMs = Date.parse('2026-06-01T00:00:00Z');
const expires = '2026-06-02T00:00:00.000Z';
/** Of a filter with one DID; each is the counts that are told. */
const document = { wantedDids: ['did:web:a'] };
const counts = {
  wantedCollections: 0,
  wantedDids: 1,
  wantedKinds: 0,
  wantedOperations: 0,
  wantedSubjects: 0,
  maxMessageSizeBytes: 0,
};

/** A POST with a body in latin1. */
function post(body: string, headers: readonly string[] = [], path = '/filters'): string {
  return `${head(`POST ${path}`, [`Content-Length: ${body.length}`, ...headers])}${body}`;
}

async function storing(options: Partial<PublicListenerOptions> = {}) {
  const filters = new FilterStore(filterStoreLimits, () => nowMs);
  const server = await listening({ filters, ...options });
  return {
    ...server,
    filters,
    send: (body: unknown, headers?: readonly string[]) =>
      exchange(server.port, post(JSON.stringify(body), headers)),
    counted: () => [...server.listener.filters.posts].filter(([, count]) => count > 0),
  };
}

/** A socket that has sent `text`. */
function sent(port: number, text: string): { socket: Socket; received: () => string; closed: Promise<void> } {
  const socket = connect(port, '127.0.0.1', () => socket.write(text, 'latin1'));
  let received = '';
  socket.setEncoding('latin1').on('data', (chunk: string) => {
    received += chunk;
  });
  socket.on('error', () => {});
  onTestFinished(() => void socket.destroy());
  return {
    socket,
    received: () => received,
    closed: new Promise((resolve) => socket.once('close', () => resolve())),
  };
}

const read = ({ body }: Answer) => JSON.parse(body);

describe('a filter', () => {
  it('is stored, found again by what it is, and described', async () => {
    const { port, send, counted } = await storing();
    const first = await send(document);
    const { id } = read(first);
    expect(first.status).toBe(201);
    expect(telling(first)).toEqual([json, `location: /filters/${id}`, 'vary: Origin']);
    expect(read(first)).toEqual({ id, expires, ...counts });
    const again = await send({ wantedDids: ['did:web:a', 'did:web:a'], wantedKinds: [] });
    expect([again.status, read(again)]).toEqual([200, read(first)]);
    const found = await exchange(port, head(`GET /filters/${id}`));
    expect([found.status, found.body]).toEqual([200, first.body]);
    expect(telling(found)).toEqual(['cache-control: no-store', json, 'vary: Origin']);
    const bare = await exchange(port, head(`HEAD /filters/${id}`));
    expect([bare.status, bare.body]).toEqual([200, '']);
    expect(counted()).toEqual([
      ['stored', 1],
      ['known', 1],
    ]);
  });

  it('is not told: only how much there is of what', async () => {
    const { send } = await storing();
    const { body } = await send({
      wantedCollections: ['a.b.secret', 'a.*'],
      wantedDids: ['did:web:secret'],
      wantedSubjects: ['did:web:secret', 'did:web:b'],
      wantedKinds: ['commit'],
      wantedOperations: ['create', 'delete'],
      maxMessageSizeBytes: 7,
    });
    expect(body).not.toContain('secret');
    expect(JSON.parse(body)).toMatchObject({
      wantedCollections: 2,
      wantedDids: 1,
      wantedSubjects: 2,
      wantedKinds: 1,
      wantedOperations: 2,
      maxMessageSizeBytes: 7,
    });
  });

  it.each([
    ['/filters/aaaaaaaaaaaaaaaaaaaaaaaaa', 404, 'Not Found'],
    ['/filters/', 404, 'Not Found'],
    ['/filters/__proto__', 404, 'Not Found'],
    ['/filters', 405, 'Method Not Allowed'],
  ])('GET %s is %i', async (path, status, message) => {
    const { port } = await storing();
    const answer = await exchange(port, head(`GET ${path}`));
    expect([answer.status, read(answer)]).toEqual([status, { message }]);
  });

  it('may be posted by any page', async () => {
    const { port, send } = await storing();
    const preflight = await exchange(
      port,
      head('OPTIONS /filters', ['Origin: http://a.test', 'Access-Control-Request-Headers: content-type']),
    );
    expect(preflight.status).toBe(204);
    expect(telling(preflight)).toEqual(
      expect.arrayContaining([
        'access-control-allow-headers: content-type',
        'access-control-allow-methods: GET,HEAD,POST,OPTIONS',
        'access-control-allow-origin: *',
        'allow: OPTIONS, POST',
      ]),
    );
    const answer = await send(document, ['Origin: http://a.test', 'Content-Type: text/plain']);
    expect(answer.headers).toContainEqual(['access-control-allow-origin', '*']);
  });

  it.each([
    [
      'in chunks',
      ['Transfer-Encoding: chunked'],
      '1\r\n{\r\n1a\r\n"wantedDids":["did:web:a"]\r\n1\r\n}\r\n0\r\n\r\n',
    ],
    ['that was asked for', ['Expect: 100-continue', 'Content-Length: 28'], '{"wantedDids":["did:web:a"]}'],
    [
      'beside an offer of another protocol',
      ['Connection: Upgrade', 'Upgrade: h2c', 'Content-Length: 28'],
      '{"wantedDids":["did:web:a"]}',
    ],
  ])('may come %s', async (_name, headers, body) => {
    const { port, counted } = await storing();
    const { socket, received } = sent(
      port,
      `POST /filters HTTP/1.1\r\nHost: test\r\n${headers.join('\r\n')}\r\n\r\n${body}`,
    );
    await expect.poll(() => received()).toContain('"wantedDids":1');
    // As any answer, it leaves the connection for the next request.
    expect(received()).not.toMatch(/connection: close/i);
    socket.destroy();
    expect(counted()).toEqual([['stored', 1]]);
  });
});

describe('a bad filter', () => {
  it.each([
    ['', 'invalid JSON: unexpected end of JSON input'],
    ['{"wantedDids":', 'invalid JSON: unexpected end of JSON input'],
    ['wantedDids=did:web:a', "invalid JSON: invalid character 'w' looking for beginning of value"],
    ['\x1f\x8b\x08', "invalid JSON: invalid character '\\x1f' looking for beginning of value"],
    ['{"wantedDid":[]}', expect.stringContaining('unknown name wantedDid: give wantedCollections, ')],
    ['{"wantedDids":["x"]}', 'invalid subscriber options: invalid DID: x'],
    [`${'['.repeat(1_000_000)}`, "invalid JSON: invalid character '[' exceeded max depth"],
  ])('%.40j is refused with what is wrong', async (body, problem) => {
    const { port, filters, counted } = await storing();
    const answer = await exchange(port, post(body));
    const message = typeof problem === 'string' ? `Bad Request: ${problem}` : problem;
    expect([answer.status, read(answer)]).toEqual([400, { message }]);
    expect(telling(answer)).toEqual([json, 'vary: Origin']);
    expect([filters.stats().filters, counted()]).toEqual([0, [['bad_filter', 1]]]);
  });
});

describe('a body', () => {
  it('may have ten million bytes', async () => {
    const { port } = await storing();
    const { received } = sent(port, post(JSON.stringify(document).padEnd(filterBodyBytesMax)));
    await expect.poll(() => received()).toContain('"wantedDids":1');
  });

  it.each([
    ['that says so', [`Content-Length: ${filterBodyBytesMax + 1}`], ''],
    ['that does not', ['Transfer-Encoding: chunked'], `${(filterBodyBytesMax + 1).toString(16)}\r\n`],
  ])('has no more: one %s', async (_name, headers, start) => {
    const { port, listener, counted } = await storing();
    const body = start === '' ? '' : `${start}${' '.repeat(filterBodyBytesMax + 1)}`;
    const { socket, received } = sent(port, head('POST /filters', headers) + body);
    await expect.poll(() => received()).toContain('\r\n\r\n{');
    expect(parseAnswer(received())).toMatchObject({
      status: 413,
      body: '{"message":"Content Too Large: a filter has at most 10,000,000 bytes"}\n',
    });
    expect(counted()).toEqual([['too_large', 1]]);
    // It goes on, and is not kept.
    socket.write(' '.repeat(1_000_000));
    socket.end();
    expect(listener.intake.bytes).toBe(0);
  });

  it('that does not come to its end is waited for no longer than a head', async () => {
    const limits = { ...publicHttpLimits, requestTimeoutMs: 50, checkIntervalMs: 10 };
    const { port, counted } = await storing({ limits });
    const { received, closed } = sent(port, `${head('POST /filters', ['Content-Length: 28'])}{"wanted`);
    await closed;
    expect(parseAnswer(received()).status).toBe(408);
    await expect.poll(counted).toEqual([['unfinished', 1]]);
  });

  it('leaves nothing behind when its client goes', async () => {
    const { port, listener, counted } = await storing();
    const { socket } = sent(
      port,
      `${head('POST /filters', ['Content-Length: 1000000'])}${' '.repeat(500_000)}`,
    );
    await expect.poll(() => listener.intake.bytes).toBeGreaterThanOrEqual(500_000);
    socket.destroy();
    await expect.poll(counted).toEqual([['unfinished', 1]]);
    expect(listener.intake.bytes).toBe(0);
  });

  it('has to go when all that are under way are too much: the largest', async () => {
    const { port, listener, counted } = await storing();
    const part = ' '.repeat(9_000_000);
    const begin = () => sent(port, `${head('POST /filters', ['Content-Length: 9000028'])}${part}`);
    const others = Array.from({ length: 8 }, begin);
    // Held in a piece of memory that doubles: four of 16 MiB are the bound.
    await expect.poll(() => others.filter(({ received }) => received() !== '')).toHaveLength(4);
    expect(listener.intake.bytes).toBeLessThanOrEqual(64 * 1024 * 1024);
    const [refused] = others.filter(({ received }) => received() !== '');
    const answer = parseAnswer(refused.received());
    expect([answer.status, read(answer)]).toEqual([
      503,
      { message: 'Service Unavailable: no room for this filter' },
    ]);
    expect(answer.headers).toContainEqual(['retry-after', '30']);
    expect(counted()).toEqual([['no_room', 4]]);
    const kept = others.filter(({ received }) => received() === '');
    for (const { socket } of kept) socket.write('{"wantedDids":["did:web:a"]}');
    for (const { received } of kept) await expect.poll(received).toContain('"wantedDids":1');
    expect(listener.intake.bytes).toBe(0);
  });

  it('that is slow gives its place to other connections, like a slow head', async () => {
    const { port, listener, counted } = await storing({ limits: { ...publicHttpLimits, socketsMax: 2 } });
    const slow = sent(port, `${head('POST /filters', ['Content-Length: 1000000'])}${' '.repeat(100_000)}`);
    await expect.poll(() => listener.intake.bytes).toBeGreaterThan(0);
    const idle = connect(port, '127.0.0.1');
    onTestFinished(() => void idle.destroy());
    await new Promise((resolve) => idle.once('connect', resolve));
    expect((await exchange(port, head('GET /'))).status).toBe(200);
    await slow.closed;
    await expect.poll(counted).toEqual([['unfinished', 1]]);
    expect(listener.socketsRefused).toBe(1);
  });

  it('of other requests is not waited for', async () => {
    const { port } = await storing();
    expect((await exchange(port, post('x', [], '/subscribe'))).status).toBe(405);
  });
});

describe('room', () => {
  it('is for what is in use: an address is told when that is too much', async () => {
    const limits = { ...filterStoreLimits, filtersPerAddressMax: 1 };
    const { send, raw, counted } = await storing({ filters: new FilterStore(limits) });
    const { id } = read(await send(document));
    const client = await raw(`/subscribe?filter=${id}`);
    const refused = await send({ wantedDids: ['did:web:b'] });
    expect([refused.status, read(refused).message]).toEqual([
      429,
      expect.stringMatching(/^Too Many Requests: /),
    ]);
    expect(refused.headers).toContainEqual(['retry-after', '30']);
    client.socket.destroy();
    await expect.poll(async () => (await send({ wantedDids: ['did:web:b'] })).status).toBe(201);
    expect(counted()[0]).toEqual(['stored', 2]);
  });

  it('is told to be gone in all, too', async () => {
    const { send, raw } = await storing({
      filters: new FilterStore({ ...filterStoreLimits, filtersMax: 1 }),
    });
    await raw(`/subscribe?filter=${read(await send(document)).id}`);
    const refused = await send({ wantedDids: ['did:web:b'] });
    expect([refused.status, read(refused).message]).toEqual([
      503,
      'Service Unavailable: no room for this filter',
    ]);
  });

  it('is counted by the address that a trusted proxy names', async () => {
    const { send, filters, port } = await storing({
      filters: new FilterStore({ ...filterStoreLimits, filtersPerAddressMax: 1 }),
      trustedProxies: ['127.0.0.1'],
    });
    const from = (address: string) => [`X-Forwarded-For: ${address}`];
    await send({ wantedDids: ['did:web:a'] }, from('203.0.113.1'));
    await send({ wantedDids: ['did:web:b'] }, from('203.0.113.2'));
    expect(filters).toBeDefined();
    const { id } = read(await send({ wantedDids: ['did:web:c'] }, from('203.0.113.2')));
    const statuses = await Promise.all(
      [{ wantedDids: ['did:web:a'] }, { wantedDids: ['did:web:c'] }].map((body) =>
        send(body, from('203.0.113.9')),
      ),
    );
    expect(statuses.map(({ status }) => status)).toEqual([200, 200]);
    expect((await exchange(port, head(`GET /filters/${id}`))).status).toBe(200);
  });
});

it('who waits for an answer about a filter gives way to new connections', async () => {
  const asked = Promise.withResolvers<void>();
  const store = new FilterStore();
  const filters: Filters = {
    put: (...parameters) => store.put(...parameters),
    look: () => {
      asked.resolve();
      return new Promise(() => {});
    },
    hold: (id) => store.hold(id),
    bytesOf: (id) => store.bytesOf(id),
    release: (id) => store.release(id),
  };
  const limits = { ...publicHttpLimits, socketsMax: 1 };
  const { port, listener } = await listening({ filters, limits });
  const { closed } = sent(port, head('GET /filters/x'));
  await asked.promise;
  expect((await exchange(port, head('GET /'))).status).toBe(200);
  await closed;
  expect(listener.socketsRefused).toBe(1);
});

it('a handshake at its path is a plain request', async () => {
  const { port } = await storing();
  expect((await exchange(port, handshake('/filters'))).status).toBe(405);
});

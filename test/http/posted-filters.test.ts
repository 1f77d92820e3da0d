// Filters as the body of `POST /events` and `POST /events.ndjson`, over raw sockets: what they choose, what is answered,
// how much may be sent, and what it may cost.

import { EventEmitter } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { connect, Socket } from 'node:net';
import { Readable } from 'node:stream';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { ClientAddresses } from '../../lib/http/client-address.ts';
import { publicHttpLimits } from '../../lib/http/http-limits.ts';
import { PostedFilters } from '../../lib/http/posted-filters.ts';
import type { PublicListenerOptions } from '../../lib/http/public-listener.ts';
import { Turns } from '../../lib/session/turns.ts';
import { filterTextBytesMax } from '../../lib/wire/wanted-filter.ts';
import { addressTable } from '../support/addresses.ts';
import { passAll } from '../support/pass-all.ts';
import { connectionSet, listening, nowUs } from './listening.ts';
import { type Answer, exchange, handshake, head, parseAnswer, sent, telling } from './raw-client.ts';

const json = 'content-type: application/json; charset=UTF-8';
const small = '{"wantedDids":["did:web:a"]}';
const filter = { ...passAll, dids: new Set(['did:web:a']) };
const mebibyte = 2 ** 20;
const paths = ['/events', '/events.ndjson'];

/** A POST with a body in latin1. */
function post(body: string, headers: readonly string[] = [], path = '/events.ndjson'): string {
  return `${head(`POST ${path}`, [`Content-Length: ${body.length}`, ...headers])}${body}`;
}

async function posting(options: Partial<PublicListenerOptions> = {}) {
  const server = await listening(options);
  return {
    ...server,
    /** What has reached the delivery loop. */
    filters: () => server.source.subscriptions.map(({ filters }) => filters[0]),
    refused: () => [...server.listener.sessions.refusals].filter(([, count]) => count > 0),
  };
}

const read = ({ body }: Answer) => JSON.parse(body);

describe('a filter in the body', () => {
  it.each(paths)('chooses the events of %s, and the query says the rest', async (path) => {
    const { port, source, filters } = await posting();
    sent(port, post(small, [], `${path}?cursor=5`));
    await vi.waitFor(() => expect(filters()).toEqual([filter]));
    expect(source.subscriptions[0].afterTimeUs).toBe(4);
  });

  it('is answered like one in the query, and leaves the connection for the next request', async () => {
    const { port, source, filters } = await posting();
    const request = `POST /events.ndjson?limit=1 HTTP/1.1\r\nHost: test\r\nContent-Length: ${small.length}\r\n\r\n${small}`;
    const { received } = sent(port, request.repeat(2));
    for (const count of [1, 2]) {
      await vi.waitFor(() => expect(source.subscriptions).toHaveLength(count));
      source.subscriptions[count - 1].transport.write(Buffer.from('{"time_us":1}\n'));
    }
    await vi.waitFor(() => expect(received().split('{"time_us":1}\n\r\n0\r\n\r\n')).toHaveLength(3));
    expect(received()).toContain('Content-Type: application/x-ndjson\r\n');
    expect(filters()).toEqual([filter, filter]);
  });

  it('may have 100,000 DIDs', async () => {
    const { port, filters } = await posting();
    const wantedDids = Array.from({ length: 100_000 }, (_, at) => `did:plc:${String(at).padStart(24, 'a')}`);
    sent(port, post(JSON.stringify({ wantedDids })));
    await vi.waitFor(() => expect(filters()[0]?.dids.size).toBe(100_000), 10_000);
  });

  it('has to be said: {} is everything, and no body is none', async () => {
    const { port, filters } = await posting();
    sent(port, post('{}'));
    await vi.waitFor(() => expect(filters()).toEqual([passAll]));
    expect((await exchange(port, post(''))).status).toBe(400);
    expect((await exchange(port, head('POST /events'))).status).toBe(400);
  });

  it.each(paths)('may be sent by any page to %s', async (path) => {
    const { port, source } = await posting();
    const asked = ['Origin: http://a.test', 'Access-Control-Request-Headers: content-type'];
    const preflight = await exchange(port, head(`OPTIONS ${path}`, asked));
    expect(preflight.status).toBe(204);
    expect(telling(preflight)).toEqual(
      expect.arrayContaining([
        'access-control-allow-headers: content-type',
        'access-control-allow-methods: GET,HEAD,POST,OPTIONS',
        'access-control-allow-origin: *',
        'allow: OPTIONS, GET, HEAD, POST',
      ]),
    );
    const headers = ['Origin: http://a.test', 'Content-Type: text/plain'];
    const { received } = sent(port, post(small, headers, path));
    await vi.waitFor(() => expect(source.subscriptions).toHaveLength(1));
    source.subscriptions[0].transport.progress({ positionUs: nowUs, newestUs: nowUs, live: true });
    await vi.waitFor(() => expect(received()).toContain('Access-Control-Allow-Origin: *'));
  });

  it.each([
    [
      'in chunks',
      ['Transfer-Encoding: chunked'],
      '1\r\n{\r\n1a\r\n"wantedDids":["did:web:a"]\r\n1\r\n}\r\n0\r\n\r\n',
    ],
    ['that was asked for', ['Expect: 100-continue', `Content-Length: ${small.length}`], small],
    [
      'beside an offer of another protocol',
      ['Connection: Upgrade', 'Upgrade: h2c', `Content-Length: ${small.length}`],
      small,
    ],
  ])('may come %s', async (_name, headers, body) => {
    const { port, filters } = await posting();
    sent(port, `POST /events HTTP/1.1\r\nHost: test\r\n${headers.join('\r\n')}\r\n\r\n${body}`);
    await vi.waitFor(() => expect(filters()).toEqual([filter]));
  });
});

describe('a bad filter', () => {
  it('is one whose name is misspelt in the query, too', async () => {
    const { port, filters, refused } = await posting();
    const answer = await exchange(port, post(small, [], '/events?wantedCollection=a.b.c'));
    const text = 'unknown parameter: wantedCollection: did you mean wantedCollections?';
    expect([answer.status, answer.body, filters()]).toEqual([400, text, []]);
    expect(refused()).toEqual([['misspelt_name', 1]]);
  });

  it.each([
    ['', 'invalid JSON: unexpected end of JSON input', 'bad_filter'],
    ['{"wantedDids":', 'invalid JSON: unexpected end of JSON input', 'bad_filter'],
    [
      'wantedDids=did:web:a',
      "invalid JSON: invalid character 'w' looking for beginning of value",
      'bad_filter',
    ],
    ['\x1f\x8b\x08', "invalid JSON: invalid character '\\x1f' looking for beginning of value", 'bad_filter'],
    [
      '{"wantedDid":[]}',
      expect.stringContaining('unknown name wantedDid: give wantedCollections, '),
      'bad_filter',
    ],
    ['{"wantedDids":["x"]}', 'invalid subscriber options: invalid DID: x', 'bad_did'],
    [`${'['.repeat(1_000_000)}`, "invalid JSON: invalid character '[' exceeded max depth", 'bad_filter'],
  ])('%.40j is refused with what is wrong', async (body, problem, reason) => {
    const { port, filters, refused } = await posting();
    const answer = await exchange(port, post(body));
    const message = typeof problem === 'string' ? `Bad Request: ${problem}` : problem;
    expect([answer.status, read(answer)]).toEqual([400, { message }]);
    expect(telling(answer)).toEqual([json, 'vary: Origin']);
    expect([filters(), refused()]).toEqual([[], [[reason, 1]]]);
  });

  it.each([
    'wantedCollections=a.b.c',
    'wantedDids=did:web:a',
    'wantedKinds=commit',
    'wantedOperations=create',
    'wantedSubjects=did:web:a',
    'maxMessageSizeBytes=0',
  ])('is one beside %s in the query', async (parameter) => {
    const { port, refused } = await posting();
    const answer = await exchange(port, post(small, [], `/events?cursor=1&${parameter}`));
    const [name] = parameter.split('=');
    const message = `Bad Request: ${name} is in the query: a POST has its whole filter in the body`;
    expect([answer.status, read(answer)]).toEqual([400, { message }]);
    expect(refused()).toEqual([['filter_twice', 1]]);
  });

  it('is not looked at when the query is bad', async () => {
    const { port, refused } = await posting();
    const answer = await exchange(port, post('nonsense', [], '/events.ndjson?limit=x'));
    expect([answer.status, answer.body]).toEqual([400, 'invalid limit: x: give a number from 1 to 1000000']);
    expect(refused()).toEqual([['bad_limit', 1]]);
  });
});

describe('a body', () => {
  it('may have ten million bytes', async () => {
    const { port, filters } = await posting();
    sent(port, post(small.padEnd(filterTextBytesMax)));
    await vi.waitFor(() => expect(filters()).toEqual([filter]), 10_000);
  });

  it.each([
    ['that says so', [`Content-Length: ${filterTextBytesMax + 1}`], ''],
    ['that does not', ['Transfer-Encoding: chunked'], `${(filterTextBytesMax + 1).toString(16)}\r\n`],
  ])('has no more: one %s', async (_name, headers, start) => {
    const { port, listener, refused } = await posting();
    const body = start === '' ? '' : `${start}${' '.repeat(filterTextBytesMax + 1)}`;
    const { socket, received } = sent(port, head('POST /events', headers) + body);
    await vi.waitFor(() => expect(received()).toContain('\r\n\r\n{'), 10_000);
    expect(parseAnswer(received())).toMatchObject({
      status: 413,
      body: '{"message":"Content Too Large: a filter has at most 10,000,000 bytes"}\n',
    });
    expect(refused()).toEqual([['filter_too_large', 1]]);
    // It goes on, and is not kept.
    socket.write(' '.repeat(1_000_000));
    socket.end();
    expect(listener.held.bytes.message).toBe(0);
  });

  it('that does not come to its end is waited for no longer than a head', async () => {
    const limits = { ...publicHttpLimits, requestTimeoutMs: 50, checkIntervalMs: 10 };
    const { port, source } = await posting({ limits });
    const { received, closed } = sent(
      port,
      `${head('POST /events', [`Content-Length: ${small.length}`])}{"wanted`,
    );
    await closed;
    expect(parseAnswer(received()).status).toBe(408);
    expect(source.subscriptions).toEqual([]);
  });

  it('leaves nothing behind when its client goes', async () => {
    const { port, listener, source, refused } = await posting();
    const { socket } = sent(
      port,
      `${head('POST /events', ['Content-Length: 1000000'])}${' '.repeat(500_000)}`,
    );
    await vi.waitFor(() => expect(listener.held.bytes.message).toBeGreaterThanOrEqual(500_000));
    socket.destroy();
    await vi.waitFor(() => expect(listener.held.bytes.message).toBe(0));
    expect([source.subscriptions, refused()]).toEqual([[], []]);
  });

  it('has to go when all that are under way are too much: the largest', async () => {
    const heldLimits = {
      connectionBytesMax: 20 * mebibyte,
      addressBytesMax: 70 * mebibyte,
      bytesMax: 2 ** 30,
    };
    const { port, listener, filters, refused } = await posting({ heldLimits });
    const part = ' '.repeat(9_000_000);
    const begin = () => sent(port, `${head('POST /events', ['Content-Length: 9000028'])}${part}`);
    const others = Array.from({ length: 8 }, begin);
    // Held in a piece of memory that doubles: there is room for four of 16 MiB.
    await vi.waitFor(
      () => expect(others.filter(({ received }) => received() !== '')).toHaveLength(4),
      10_000,
    );
    expect(listener.held.bytes.message).toBeLessThanOrEqual(70 * mebibyte);
    const answers = others.filter(({ received }) => received() !== '');
    const answer = parseAnswer(answers[0].received());
    expect([answer.status, read(answer)]).toEqual([
      503,
      { message: 'Service Unavailable: no room for this filter' },
    ]);
    expect(answer.headers).toContainEqual(['retry-after', '30']);
    expect(refused()).toEqual([['no_room_for_filter', 4]]);
    for (const { socket } of others.filter((one) => !answers.includes(one))) socket.write(small);
    await vi.waitFor(() => expect(filters()).toHaveLength(4), 10_000);
    expect(listener.held.bytes.message).toBe(0);
  });

  it('that is slow gives its place to other connections, like a slow head', async () => {
    const { port, listener } = await posting({
      limits: { ...publicHttpLimits, socketsMax: 2 },
      addresses: addressTable({ subscribersMax: 0 }),
    });
    const slow = sent(port, `${head('POST /events', ['Content-Length: 1000000'])}${' '.repeat(100_000)}`);
    await vi.waitFor(() => expect(listener.held.bytes.message).toBeGreaterThan(0));
    const idle = connect(port, '127.0.0.1');
    onTestFinished(() => void idle.destroy());
    await new Promise((resolve) => idle.once('connect', resolve));
    expect((await exchange(port, head('GET /'))).status).toBe(200);
    await slow.closed;
    expect(listener.connections.refused).toBe(1);
  });

  it('of other requests is not waited for', async () => {
    const { port } = await posting();
    expect((await exchange(port, post('x', [], '/subscribe'))).status).toBe(405);
    expect((await exchange(port, handshake('/events').replace('GET', 'PUT'))).status).toBe(405);
  });
});

describe('a place', () => {
  it('is needed as with a filter in the query', async () => {
    const addresses = addressTable({ subscribersPerAddressMax: 1 });
    const { port, client, refused } = await posting({ addresses });
    await client();
    const answer = await exchange(port, post(small));
    expect([answer.status, answer.headers.find(([name]) => name === 'retry-after')?.[1]]).toEqual([
      429,
      '30',
    ]);
    expect(refused()).toEqual([['too_many_of_address', 1]]);
    expect(addresses.connections).toBe(1);
  });
});

it('filters are read one at a time, and others have as long after each', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'performance'] });
  onTestFinished(() => void vi.useRealTimers());
  const posted = new PostedFilters(connectionSet(), new ClientAddresses([]), new Turns());
  const used: string[] = [];
  const reading = ['first', 'second', 'third'].map((name) => {
    const request = Object.assign(Readable.from([Buffer.from('{}')]), { headers: {}, socket: new Socket() });
    const response = new EventEmitter();
    return posted.read(request as unknown as IncomingMessage, response as ServerResponse, () => {
      used.push(name);
      vi.advanceTimersByTime(100);
    });
  });
  for (const [index, names] of [['first'], ['first', 'second'], ['first', 'second', 'third']].entries()) {
    await reading[index];
    await vi.advanceTimersByTimeAsync(99);
    expect(used).toEqual(names);
    await vi.advanceTimersByTimeAsync(1);
  }
});

// `GET /events` and `GET /events.ndjson` over real sockets, with a source that the test writes to.

import { connect } from 'node:net';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { publicHttpLimits } from '../../lib/http/http-limits.ts';
import type { PublicListenerOptions } from '../../lib/http/public-listener.ts';
import type { HttpSession } from '../../lib/session/http-session.ts';
import { textEncodings } from '../../lib/wire/text-encodings.ts';
import { addressTable } from '../support/addresses.ts';
import { TestEventSource } from './event-source.ts';
import type { FakeSource } from './fake-source.ts';
import { listening, nowUs } from './listening.ts';
import { exchange, head, sent, telling } from './raw-client.ts';

const streamHeaders = ['vary: Origin', 'x-accel-buffering: no'];
const line = (timeUs: number): string => `{"did":"did:web:a","time_us":${timeUs},"kind":"identity"}\n`;
const event = (timeUs: number): string => `id: ${timeUs}\ndata: ${line(timeUs)}\n`;
const atTip = { positionUs: nowUs, newestUs: nowUs, live: true };
const get = (target: string): string => `GET ${target} HTTP/1.1\r\nHost: test\r\n\r\n`;

/** What was counted at all. */
const counted = (counts: ReadonlyMap<string, number>) => [...counts].filter(([, count]) => count > 0);

const subscribed = (source: FakeSource, count = 1) =>
  vi.waitFor(() => {
    expect(source.subscriptions).toHaveLength(count);
    return source.subscriptions[count - 1];
  });

async function eventSource(port: number, target = '/events') {
  const client = new TestEventSource();
  await client.connect(`http://127.0.0.1:${port}${target}`);
  onTestFinished(() => void client.answer?.destroy());
  return client;
}

describe('what is asked for', () => {
  it.each([
    ['/events?wantedDids=did:web:a&wantedKinds=account&cursor=5', textEncodings.serverSentEvents],
    ['/events.ndjson?wantedDids=did:web:a&wantedKinds=account&cursor=5', textEncodings.ndjson],
  ])('reaches the delivery loop: %s', async (target, encoding) => {
    const { port, source } = await listening();
    sent(port, get(target));
    const { transport, filters, afterTimeUs } = await subscribed(source);
    expect([transport.encoding, transport.wantsProgress, afterTimeUs]).toEqual([encoding, true, 4]);
    expect(filters).toMatchObject([{ dids: new Set(['did:web:a']), kinds: 4 }]);
  });

  it('reaches it with the last time that is wanted', async () => {
    const { port, source } = await listening();
    sent(port, get('/events'));
    sent(port, get('/events.ndjson?until=7'));
    await subscribed(source, 2);
    const ends = source.subscriptions.map(({ transport }) => transport.throughUs);
    expect(ends.sort()).toEqual([6, Number.POSITIVE_INFINITY]);
  });

  it.each([
    [
      '/events?cursor=x',
      400,
      'invalid cursor: x: give 1h (ago), 2026-01-31T12:00:00Z, or microseconds since 1970',
    ],
    ['/events?compress=true', 400, 'compress needs a WebSocket: leave it out, or connect to /subscribe'],
    [
      '/events.ndjson?requireHello=true',
      400,
      'requireHello needs a WebSocket: leave it out, or connect to /subscribe',
    ],
    ['/events.ndjson?limit=x', 400, 'invalid limit: x: give a number from 1 to 1000000'],
    [
      '/events.ndjson?until=x',
      400,
      'invalid until: x: give 1h (ago), 2026-01-31T12:00:00Z, or microseconds since 1970',
    ],
    ['/events/', 404, '{"message":"Not Found"}\n'],
  ])('is refused: %s', async (target, status, body) => {
    const { port, source } = await listening();
    const answer = await exchange(port, head(`GET ${target}`));
    expect([answer.status, answer.body]).toEqual([status, body]);
    expect(source.subscriptions).toEqual([]);
  });

  it.each([
    ['/events', 'text/event-stream', 'no-store, no-transform'],
    ['/events.ndjson', 'application/x-ndjson', 'no-store'],
  ])('HEAD %s is the head alone', async (target, type, caching) => {
    const { port, source } = await listening();
    const answer = await exchange(port, head(`HEAD ${target}`, ['Origin: http://a.test']));
    expect([answer.status, answer.body]).toEqual([200, '']);
    const cors = 'access-control-allow-origin: *';
    expect(telling(answer)).toEqual(
      [...streamHeaders, `cache-control: ${caching}`, `content-type: ${type}`, cors].sort(),
    );
    expect(source.subscriptions).toEqual([]);
    expect((await exchange(port, head(`PUT ${target}`))).status).toBe(405);
  });
});

describe('server-sent events', () => {
  it('come as they are written, with positions between them', async () => {
    const { port, source } = await listening();
    const client = await eventSource(port);
    const { transport } = await subscribed(source);
    expect(client.answer?.headers).toMatchObject({
      'content-type': 'text/event-stream',
      connection: 'close',
    });
    transport.write(Buffer.from(event(7) + event(8)));
    await vi.waitFor(() => expect(client.texts()).toEqual([7, 8].map((time) => line(time).trimEnd())));
    expect([client.parser.lastEventId, client.parser.retryMs]).toEqual(['8', 3000]);
    transport.progress({ positionUs: 9, newestUs: 9, live: true });
    await vi.waitFor(() => expect(client.parser.lastEventId).toBe('9'));
    expect(client.parser.comments).toEqual(['ping']);
    expect(client.parser.events).toHaveLength(2);
  });

  it('tell of progress those who want it', async () => {
    const { port, source } = await listening();
    const client = await eventSource(port, '/events?progress=true');
    (await subscribed(source)).transport.progress({ positionUs: 5, newestUs: 7, live: false });
    const data = '{"kind":"progress","time_us":5,"progress":{"cursor":6,"lag_us":2,"live":false}}';
    await vi.waitFor(() => expect(client.parser.events).toEqual([{ type: 'progress', id: '5', data }]));
  });

  it('say why when the server stops, and take no more', async () => {
    const { port, source, listener } = await listening();
    const client = await eventSource(port);
    const { transport } = await subscribed(source);
    await listener.stop(5_000);
    await vi.waitFor(() => expect(client.closes).toBe(1));
    expect([client.answer?.complete, client.parser.comments]).toEqual([true, ['server shutting down']]);
    expect(transport.write(Buffer.from(event(1)))).toBe(false);
    expect(counted(listener.sessions.counts.ended)).toEqual([['server_stopping', 1]]);
    expect(source.subscriptions[0].ends).toBe(1);
  });

  it('outlive the idle timeout of plain requests', async () => {
    const { port, source } = await listening({ limits: { ...publicHttpLimits, idleTimeoutMs: 20 } });
    const client = await eventSource(port);
    const idle = new Promise((resolve) => connect(port, '127.0.0.1').on('close', resolve).resume());
    await idle;
    await new Promise((resolve) => setTimeout(resolve, 60));
    (await subscribed(source)).transport.write(Buffer.from(event(1)));
    await vi.waitFor(() => expect(client.texts()).toHaveLength(1));
  });

  it('reach clients of HTTP/1.0, and those that offer another protocol', async () => {
    const { port, source } = await listening();
    const old = sent(port, 'GET /events HTTP/1.0\r\n\r\n');
    const upgrading = await sent(
      port,
      'GET /events HTTP/1.1\r\nHost: test\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n',
    );
    await subscribed(source, 2);
    for (const { transport } of source.subscriptions) transport.write(Buffer.from(event(1)));
    await vi.waitFor(() => expect(old.received().endsWith(`\r\n\r\nretry: 3000\n\n${event(1)}`)).toBe(true));
    await vi.waitFor(() => expect(upgrading.received()).toContain(event(1)));
  });
});

describe('a pull', () => {
  it('ends at the newest event, and its connection takes the next request', async () => {
    const addresses = addressTable({ subscribersPerAddressMax: 1 });
    const { port, source, listener } = await listening({ addresses });
    const requests = get('/events.ndjson?progress=true') + get('/events.ndjson') + get('/');
    const { received } = sent(port, requests);
    const first = await subscribed(source);
    first.transport.write(Buffer.from(line(1)));
    await vi.waitFor(() => expect(received()).toContain(line(1)));
    first.transport.progress(atTip);
    const second = await subscribed(source, 2);
    expect(received()).not.toContain('Welcome');
    expect(counted(listener.sessions.counts.ended)).toEqual([['complete', 1]]);
    second.transport.write(Buffer.from(line(3)));
    second.transport.progress(atTip);
    await vi.waitFor(() => expect(received()).toContain('Welcome'));
    const texts = [line(1), '"live":true', '\r\n0\r\n\r\n', line(3), 'Welcome'];
    const order = texts.map((text) => received().indexOf(text));
    expect(order).toEqual([...order].sort((a, b) => a - b));
    expect(order[0]).toBeGreaterThan(0);
    expect(source.subscriptions.map(({ ends }) => ends)).toEqual([1, 1]);
    await vi.waitFor(() => expect(listener.sessions.members.size).toBe(0));
    expect(counted(listener.sessions.counts.ended)).toEqual([['complete', 2]]);
  });

  it('leaves nothing on its connection', async () => {
    const { port, source } = await listening();
    sent(port, get('/events.ndjson').repeat(3));
    const listeners: number[][] = [];
    for (const count of [1, 2, 3]) {
      const { transport } = await subscribed(source, count);
      const { socket } = transport as HttpSession;
      listeners.push(['drain', 'end', 'close'].map((name) => socket.listenerCount(name)));
      transport.progress(atTip);
    }
    expect(listeners).toEqual([listeners[0], listeners[0], listeners[0]]);
  });

  it('that waits for another on its connection has no place when that is cut', async () => {
    const { port, source, listener } = await listening();
    const { socket } = sent(port, get('/events') + get('/events.ndjson') + get('/events'));
    await subscribed(source);
    socket.destroy();
    await vi.waitFor(() => expect(counted(listener.sessions.counts.ended)).toEqual([['client_gone', 1]]));
    expect(source.subscriptions).toHaveLength(1);
  });

  it('stops inside a batch, and says that it is full from then on', async () => {
    const { port, source } = await listening();
    const answer = exchange(port, head('GET /events.ndjson?limit=2'));
    const { transport } = await subscribed(source);
    expect(transport.write(Buffer.from(line(1) + line(2) + line(3)))).toBe(false);
    expect(transport.write(Buffer.from(line(4)))).toBe(false);
    transport.progress(atTip);
    const { headers, body } = await answer;
    expect(headers).toContainEqual(['content-type', 'application/x-ndjson']);
    const text = line(1) + line(2);
    expect(body).toBe(`${text.length.toString(16)}\r\n${text}\r\n0\r\n\r\n`);
    expect(source.subscriptions[0].ends).toBe(1);
  });

  it('is broken off when the server stops, so that it is not taken for whole', async () => {
    const { port, source, listener } = await listening();
    const client = await eventSource(port, '/events.ndjson');
    await subscribed(source);
    await listener.stop(5_000);
    await vi.waitFor(() => expect(client.closes).toBe(1));
    expect(client.answer?.complete).toBe(false);
  });

  /** A pull of a client that knows no chunks: its end is that of the connection. */
  async function oldPull(options: Partial<PublicListenerOptions> = {}) {
    const server = await listening(options);
    const { socket, ...client } = sent(server.port, 'GET /events.ndjson?limit=1000000 HTTP/1.0\r\n\r\n');
    let error = '';
    socket.on('error', ({ code }: NodeJS.ErrnoException) => {
      error = code ?? '';
    });
    const subscription = await subscribed(server.source);
    subscription.transport.write(Buffer.from(line(1)));
    await vi.waitFor(() => expect(client.received()).toContain(line(1)));
    return { ...server, ...client, socket, subscription, error: () => error };
  }

  it.each(['stop', 'delivery_failed', 'stall'] as const)(
    'of a client of HTTP/1.0 that is broken off ends in a reset: %s',
    async (cause) => {
      const timing = cause === 'stall' ? { stallTimeoutMs: 50 } : {};
      const { closed, error, listener, socket, subscription } = await oldPull({ timing });
      if (cause === 'stop') void listener.stop(5_000);
      else if (cause === 'delivery_failed') subscription.transport.close('delivery_failed');
      else {
        socket.pause();
        const batch = Buffer.from(line(1).repeat(1000));
        while (subscription.transport.write(batch));
        await vi.waitFor(() => expect(counted(listener.sessions.counts.ended)).toEqual([['stalled', 1]]));
        socket.resume();
      }
      await closed;
      expect(error()).toBe('ECONNRESET');
    },
  );

  it('of a client of HTTP/1.0 that is whole ends as connections end', async () => {
    const { closed, error, received, subscription } = await oldPull();
    subscription.transport.progress(atTip);
    await closed;
    expect([error(), received().endsWith(line(1))]).toEqual(['', true]);
  });

  it.each([
    [
      'no_room',
      503,
      'Service Unavailable: too many wanted DIDs and subjects on this server: try again later',
    ],
    [
      'no_room_of_address',
      429,
      'Too Many Requests: too many wanted DIDs and subjects of one address: it may have 1,000,000 at a time',
    ],
  ] as const)(
    'is an error when the delivery loop closes it before it has begun: %s',
    async (reason, status, message) => {
      const options: Partial<PublicListenerOptions> = {
        source: {
          subscribe(transport) {
            transport.close(reason);
            return { positionUs: 0, setFilter() {}, drained() {}, end() {} };
          },
        },
      };
      const { port, listener } = await listening(options);
      const answer = await exchange(port, head('GET /events.ndjson'));
      expect([answer.status, answer.body]).toEqual([status, `${JSON.stringify({ message })}\n`]);
      expect(counted(listener.sessions.counts.ended)).toEqual([[reason, 1]]);
    },
  );

  it('breaks off when the log cannot be read', async () => {
    const { port, source, listener } = await listening();
    const client = await eventSource(port, '/events.ndjson');
    (await subscribed(source)).transport.close('delivery_failed');
    await vi.waitFor(() => expect(client.closes).toBe(1));
    expect(client.answer?.complete).toBe(false);
    await vi.waitFor(() => expect(counted(listener.sessions.counts.ended)).toEqual([['delivery_failed', 1]]));
  });
});

describe('a reader that is slow', () => {
  /** Writes until the transport says that it is full. */
  async function filled(target: string, options: Partial<PublicListenerOptions> = {}) {
    const server = await listening(options);
    const client = sent(server.port, get(target));
    client.socket.pause();
    const subscription = await subscribed(server.source);
    const batch = Buffer.from(line(1).repeat(1000));
    let batches = 1;
    while (subscription.transport.write(batch)) batches++;
    return { ...server, ...client, subscription, batch, batches };
  }

  it.each(['/events.ndjson?limit=1000000', '/events'])('drains, and gets all: %s', async (target) => {
    const { subscription, socket, received, batch, batches } = await filled(target);
    // More than the kernel takes: a megabyte is what a connection to this machine holds at least.
    expect(batches).toBeGreaterThan(2);
    expect(subscription.drains).toBe(0);
    socket.resume();
    await vi.waitFor(() => expect(subscription.drains).toBe(1));
    expect(subscription.transport.write(batch)).toBe(true);
    const wanted = (batches + 1) * 1000;
    await vi.waitFor(() => expect(received().split('"time_us":1,')).toHaveLength(wanted + 1));
    expect(subscription.drains).toBe(1);
  });

  it('is let go when it takes nothing', async () => {
    const { listener, socket } = await filled('/events', { timing: { stallTimeoutMs: 50 } });
    await vi.waitFor(() => expect(counted(listener.sessions.counts.ended)).toEqual([['stalled', 1]]));
    expect(listener.sessions.members.size).toBe(0);
    socket.destroy();
  });
});

describe('places', () => {
  it('are counted with those of WebSockets, and come free when a client goes', async () => {
    const addresses = addressTable({ subscribersPerAddressMax: 2 });
    const { port, source, listener, client } = await listening({ addresses });
    await client();
    const { socket } = sent(port, get('/events'));
    await subscribed(source, 2);
    for (const target of ['/events', '/events.ndjson']) {
      const refused = await exchange(port, head(`GET ${target}`));
      expect([refused.status, refused.headers.find(([name]) => name === 'retry-after')?.[1]]).toEqual([
        429,
        '30',
      ]);
    }
    expect((await exchange(port, head('GET /events?x=x'))).status).toBe(429);
    socket.destroy();
    await vi.waitFor(() => expect(counted(listener.sessions.counts.ended)).toEqual([['client_gone', 1]]));
    expect(source.subscriptions[1].ends).toBe(1);
    await eventSource(port);
    expect(counted(listener.sessions.refusals)).toEqual([['too_many_of_address', 3]]);
  });

  it('are refused in all with 503', async () => {
    const { port } = await listening({ addresses: addressTable({ subscribersMax: 1 }) });
    await eventSource(port);
    const refused = await exchange(port, head('GET /events.ndjson'));
    expect([refused.status, refused.headers.find(([name]) => name === 'retry-after')?.[1]]).toEqual([
      503,
      '5',
    ]);
  });

  it.each([
    ['', ''],
    ['Connection: Upgrade\r\nUpgrade: h2c\r\n', ''],
    ['Content-Length: 1000000\r\n', 'x'.repeat(1_000_000)],
  ])('come free when the client shuts its half; %j', async (headers, body) => {
    const { port, source, listener } = await listening();
    const { socket } = sent(port, `GET /events HTTP/1.1\r\nHost: test\r\n${headers}\r\n${body}`);
    await subscribed(source);
    socket.end();
    await vi.waitFor(() => expect(counted(listener.sessions.counts.ended)).toEqual([['client_gone', 1]]));
  });

  it.each(['/events', '/events.ndjson'])(
    'and the connection of a client of HTTP/1.0 end when it shuts its half, by a reset: %s',
    async (path) => {
      const { port, source, listener } = await listening();
      const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
      const error = new Promise<NodeJS.ErrnoException>((resolve) => socket.once('error', resolve));
      socket.resume().end(`GET ${path} HTTP/1.0\r\n\r\n`);
      await subscribed(source);
      expect((await error).code).toBe('ECONNRESET');
      await vi.waitFor(() => expect(listener.connections.sizes.all).toBe(0));
      expect(counted(listener.sessions.counts.ended)).toEqual([['client_gone', 1]]);
    },
  );

  it.each(['', 'Connection: Upgrade\r\nUpgrade: h2c\r\n'])(
    'are not given to a client that has shut its half while it waited for its turn; %j',
    async (headers) => {
      const busyMs = 50;
      const begun = Promise.withResolvers<void>();
      const { port, listener } = await listening({
        source: {
          subscribe() {
            // Requests behind this one have to wait as long.
            for (const endMs = performance.now() + busyMs; performance.now() < endMs; );
            begun.resolve();
            return { positionUs: 0, setFilter() {}, drained() {}, end() {} };
          },
        },
      });
      sent(port, get('/events'));
      await begun.promise;
      const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
      const closed = new Promise((resolve) => socket.once('close', resolve));
      socket.on('end', () => socket.end()).on('error', () => {});
      socket.resume().end(`GET /events HTTP/1.1\r\nHost: test\r\n${headers}\r\n`);
      await closed;
      await vi.waitFor(() => expect(listener.connections.sizes.all).toBe(1));
    },
  );

  it('are not those of plain connections, until an answer has ended', async () => {
    const limits = { ...publicHttpLimits, socketsMax: 2 };
    const addresses = addressTable({ subscribersMax: 5 });
    const { port, source, listener } = await listening({ limits, addresses });
    for (let count = 0; count < 4; count++) await eventSource(port);
    const { received } = sent(port, get('/events.ndjson'));
    const { transport } = await subscribed(source, 5);
    expect((await exchange(port, head('GET /'))).status).toBe(200);
    expect(listener.connections.refused).toBe(0);
    transport.progress(atTip);
    await vi.waitFor(() => expect(received()).toContain('0\r\n\r\n'));
    // One more than may stay can wait at the place that is free.
    for (let count = 0; count < 3; count++) sent(port, 'GET');
    await vi.waitFor(() => expect(listener.connections.refused).toBe(1));
  });
});

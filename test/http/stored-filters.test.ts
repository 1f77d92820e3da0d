// Subscriptions by the id of a stored filter, over WebSocket and plain HTTP: who gets it, who is told what, and that a
// place and a filter that are taken are given back, whatever happens while the filter is asked for.

import { connect } from 'node:net';
import { describe, expect, it, onTestFinished } from 'vitest';
import { type Filter, passAll } from '../../lib/event/filter.ts';
import { publicHttpLimits } from '../../lib/http/http-limits.ts';
import type { PublicListenerOptions } from '../../lib/http/public-listener.ts';
import { FilterStore } from '../../lib/wire/filter-store.ts';
import { storedFormOf } from '../../lib/wire/stored-filter.ts';
import { addressTable } from '../support/addresses.ts';
import { listening } from './listening.ts';
import { clientFrame, exchange, handshake, head, telling } from './raw-client.ts';

const filter: Filter = { ...passAll, dids: new Set(['did:web:a', 'did:web:b']), maxMessageSizeBytes: 900 };
const stored = storedFormOf(filter);
const { id } = stored;
const missing = 'a'.repeat(25);
const unknown = `unknown filter: ${missing}: it may have expired: POST it again to /filters`;

/** A store that can be kept from answering, as another thread may, and notes what is asked. */
class SlowStore extends FilterStore {
  readonly calls: string[] = [];
  #gate = Promise.withResolvers<void>();
  #isOpen = true;

  close(): void {
    this.#isOpen = false;
    this.#gate = Promise.withResolvers();
  }

  open(): void {
    this.#isOpen = true;
    this.#gate.resolve();
  }

  // @ts-expect-error a store in another thread answers later
  override hold(id: string): boolean | Promise<boolean> {
    this.calls.push('hold');
    return this.#isOpen ? super.hold(id) : this.#gate.promise.then(() => super.hold(id));
  }

  override bytesOf(id: string): Uint8Array {
    this.calls.push('bytesOf');
    return super.bytesOf(id);
  }

  override release(id: string): void {
    this.calls.push('release');
    super.release(id);
  }
}

async function storing(options: Partial<PublicListenerOptions> = {}) {
  const store = new SlowStore();
  store.put(stored, 'somebody');
  const addresses = addressTable();
  const server = await listening({ filters: store as FilterStore, addresses, ...options });
  return { store, addresses, ...server };
}

const get = (target: string): string => `GET ${target} HTTP/1.1\r\nHost: test\r\n\r\n`;

/** A socket that has sent `text`. */
function sent(port: number, text: string) {
  const socket = connect(port, '127.0.0.1', () => socket.write(text));
  onTestFinished(() => void socket.destroy());
  let received = '';
  socket.setEncoding('latin1').on('data', (chunk: string) => {
    received += chunk;
  });
  socket.on('error', () => {});
  return { socket, received: () => received };
}

const requests: [string, (target: string) => string, string][] = [
  ['a WebSocket', (target) => handshake(target, { Origin: 'a' }), '/subscribe'],
  ['server-sent events', (target) => head(`GET ${target}`, ['Origin: a']), '/events'],
  ['a pull', (target) => head(`GET ${target}`, ['Origin: a']), '/events.ndjson'],
];

describe.each(requests)('%s', (_name, ask, path) => {
  it('gets the filter that is stored, from its cursor on, and lets go of it at its end', async () => {
    const { port, store, source, addresses, listener } = await storing();
    const { socket } = sent(port, ask(`${path}?filter=${id}&cursor=5`));
    await expect.poll(() => source.subscriptions).toHaveLength(1);
    const { filters, afterTimeUs } = source.subscriptions[0];
    expect([filters, afterTimeUs]).toEqual([[filter], 4]);
    expect([store.calls, addresses.connections]).toEqual([['hold', 'bytesOf'], 1]);
    socket.destroy();
    await expect.poll(() => store.calls).toEqual(['hold', 'bytesOf', 'release']);
    expect([listener.sessions.members.size, addresses.connections]).toEqual([0, 0]);
  });

  it('is told when there is none, and has no place', async () => {
    const { port, store, source, addresses, listener } = await storing();
    const answer = await exchange(port, ask(`${path}?filter=${missing}`));
    expect([answer.status, answer.body]).toEqual([404, unknown]);
    expect(telling(answer)).toEqual([
      'access-control-allow-origin: *',
      'content-type: text/plain; charset=UTF-8',
      'vary: Origin',
    ]);
    expect([store.calls, source.subscriptions, addresses.connections]).toEqual([['hold'], [], 0]);
    expect(listener.sessions.refusals.get('unknown_filter')).toBe(1);
  });

  it('is told when its request names another filter, too', async () => {
    const { port, store, listener } = await storing();
    const answer = await exchange(port, ask(`${path}?filter=${id}&wantedKinds=commit`));
    expect([answer.status, answer.body]).toEqual([
      400,
      'filter cannot be combined with wantedKinds: POST a filter that has both',
    ]);
    expect([store.calls, listener.sessions.refusals.get('filter_not_alone')]).toEqual([[], 1]);
  });

  it('is let in before it is asked for: without a place nothing is', async () => {
    const addresses = addressTable({ subscribersPerAddressMax: 1 });
    const { port, store } = await storing({ addresses });
    store.close();
    const first = sent(port, ask(`${path}?filter=${id}`));
    await expect.poll(() => store.calls).toEqual(['hold']);
    const answer = await exchange(port, ask(`${path}?filter=${id}`));
    expect(answer.status).toBe(429);
    expect(store.calls).toEqual(['hold']);
    store.open();
    await expect.poll(() => first.received()).toContain('HTTP/1.1 ');
  });

  it('is a subscriber while its filter is asked for, and takes no place of a plain connection', async () => {
    const { port, store, listener } = await storing({ limits: { ...publicHttpLimits, socketsMax: 1 } });
    store.close();
    const { socket, received } = sent(port, ask(`${path}?filter=${id}`));
    await expect.poll(() => store.calls).toEqual(['hold']);
    expect((await exchange(port, head('GET /'))).status).toBe(200);
    expect([listener.socketsRefused, received()]).toEqual([0, '']);
    store.open();
    await expect.poll(received).toContain('HTTP/1.1 ');
    socket.destroy();
  });

  it('gives all back when the client goes while it is asked for', async () => {
    const { port, store, source, addresses, listener } = await storing();
    store.close();
    const { socket } = sent(port, ask(`${path}?filter=${id}`));
    await expect.poll(() => store.calls).toEqual(['hold']);
    expect([addresses.connections, listener.sessions.members.size]).toEqual([1, 0]);
    socket.resetAndDestroy();
    await new Promise((resolve) => socket.once('close', resolve));
    store.open();
    await expect.poll(() => addresses.connections).toBe(0);
    expect(store.calls.filter((call) => call === 'release')).toHaveLength(1);
    expect(listener.sessions.members.size).toBe(0);
    for (const { ends } of source.subscriptions) expect(ends).toBe(1);
    await listener.stop(1000);
  });

  it('is refused when the server stops meanwhile', async () => {
    const { port, store, source, addresses, listener } = await storing();
    store.close();
    const { received } = sent(port, ask(`${path}?filter=${id}`));
    await expect.poll(() => store.calls).toEqual(['hold']);
    const stopped = listener.stop(10_000);
    store.open();
    await stopped;
    await expect.poll(received).toContain('"Service Unavailable: the server is stopping"');
    expect([source.subscriptions, addresses.connections, store.calls]).toEqual([
      [],
      0,
      expect.arrayContaining(['hold', 'release']),
    ]);
  });

  it('is cut off with the others when the answer does not come before the server has stopped', async () => {
    const { port, store, source, addresses, listener } = await storing();
    store.close();
    const { socket } = sent(port, ask(`${path}?filter=${id}`));
    await expect.poll(() => store.calls).toEqual(['hold']);
    const closed = new Promise((resolve) => socket.once('close', resolve));
    await listener.stop(50);
    await closed;
    store.open();
    await expect.poll(() => addresses.connections).toBe(0);
    expect([source.subscriptions, store.calls.at(-1)]).toEqual([[], 'release']);
  });
});

it('what a client sends right behind its handshake comes after the filter', async () => {
  const { port, store, source } = await storing();
  store.close();
  const { socket } = sent(port, '');
  const update = JSON.stringify({ type: 'options_update', payload: { wantedDids: ['did:web:z'] } });
  socket.write(Buffer.concat([Buffer.from(handshake(`/subscribe?filter=${id}`)), clientFrame(0x81, update)]));
  await expect.poll(() => store.calls).toEqual(['hold']);
  socket.write(clientFrame(0x81, update.replace('did:web:z', 'did:web:y')));
  store.open();
  await expect.poll(() => source.subscriptions[0]?.filters).toHaveLength(3);
  const { filters } = source.subscriptions[0];
  expect(filters.map(({ dids }) => [...dids])).toEqual([
    ['did:web:a', 'did:web:b'],
    ['did:web:z'],
    ['did:web:y'],
  ]);
  // An update without a size limit keeps that of the stored filter.
  expect(filters.map(({ maxMessageSizeBytes }) => maxMessageSizeBytes)).toEqual([900, 900, 900]);
});

it('with a hello, nothing is delivered for the stored filter', async () => {
  const { raw, source } = await storing();
  const client = await raw(`/subscribe?filter=${id}&requireHello=true`);
  expect(source.subscriptions).toEqual([]);
  client.send(0x81, '{"type":"options_update","payload":{}}');
  await expect.poll(() => source.subscriptions).toHaveLength(1);
  expect(source.subscriptions[0].filters).toEqual([{ ...passAll, maxMessageSizeBytes: 900 }]);
});

it('those who come together share one reading of the filter', async () => {
  const { raw, store, source } = await storing();
  await Promise.all([
    raw(`/subscribe?filter=${id}`),
    raw(`/subscribe?filter=${id}`),
    raw(`/subscribe?filter=${id}`),
  ]);
  expect(store.calls.filter((call) => call === 'bytesOf')).toHaveLength(1);
  expect(store.calls.filter((call) => call === 'hold')).toHaveLength(3);
  const [first, ...others] = source.subscriptions.map(({ filters }) => filters[0]);
  for (const other of others) expect(other).toBe(first);
});

describe('over plain HTTP, where a client asks why its handshake has failed', () => {
  it.each([
    [missing, 404, unknown],
    [id, 400, 'Bad Request\n'],
  ])('%s', async (name, status, body) => {
    const { port, addresses } = await storing();
    const answer = await exchange(port, head(`GET /subscribe?filter=${name}`));
    expect([answer.status, answer.body]).toEqual([status, body]);
    const old = handshake(`/subscribe?filter=${name}`, { 'Sec-WebSocket-Version': '8' });
    const again = await exchange(port, old);
    expect([again.status, again.body, addresses.connections]).toEqual([status, body, 0]);
  });

  it.each([
    ['/events', missing, 404],
    ['/events', id, 200],
    ['/events.ndjson', missing, 404],
    ['/events.ndjson', id, 200],
  ])('HEAD %s %s', async (path, name, status) => {
    const { port, source, store } = await storing();
    const answer = await exchange(port, head(`HEAD ${path}?filter=${name}`));
    expect([answer.status, answer.body, source.subscriptions, store.calls]).toEqual([status, '', [], []]);
  });

  it('is answered in turn on one connection', async () => {
    const { port } = await storing();
    const targets = [`/subscribe?filter=${missing}`, `/events?filter=${missing}`, '/'];
    const { received, socket } = sent(port, targets.map(get).join(''));
    await expect.poll(received).toContain('Welcome');
    socket.destroy();
    expect(received().match(/HTTP\/1\.1 \d+|unknown filter|Welcome/g)).toEqual([
      'HTTP/1.1 404',
      'unknown filter',
      'HTTP/1.1 404',
      'unknown filter',
      'HTTP/1.1 200',
      'Welcome',
    ]);
  });
});

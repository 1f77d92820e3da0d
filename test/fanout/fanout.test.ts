import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate as nextRound } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type Filter, passAll } from '../../lib/event/filter.ts';
import { DeliveryRates } from '../../lib/fanout/delivery-rate.ts';
import { Fanout } from '../../lib/fanout/fanout.ts';
import type { Encoding, Subscription, Transport } from '../../lib/fanout/transport.ts';
import type { EventLog } from '../../lib/log/event-log.ts';
import { LevelLog } from '../../lib/log/level-log.ts';
import {
  fakeCompressor,
  matches,
  payloadsOf,
  randomFilter,
  SampleLog,
  seededRandom,
  unfake,
} from '../support/events.ts';

let dataDir: string;
let log: LevelLog;

beforeEach(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'slipstream-fanout-'));
  // A tail of a few blocks, so that memory, LevelDB and the tip are all crossed.
  log = await LevelLog.open({
    dataDir,
    retentionBytes: 0,
    tailBytesMax: 100_000,
    fsync: false,
    compressor: fakeCompressor,
  });
});
afterEach(async () => {
  await log.close();
  await rm(dataDir, { recursive: true });
});

/** A client with a socket that fills up whenever it likes. */
class FakeClient implements Transport {
  readonly remoteAddress = '192.0.2.1';
  readonly texts: string[] = [];
  closed: [number, string] | undefined;
  isFull = false;
  subscription: Subscription | undefined;
  readonly encoding: Encoding;
  readonly #fills: () => boolean;

  constructor(encoding: Encoding, fills: () => boolean = () => false) {
    this.encoding = encoding;
    this.#fills = fills;
  }

  write(bytes: Uint8Array): boolean {
    if (this.isFull) throw new Error('written to while full');
    const payloads = payloadsOf(bytes, this.encoding === 'json' ? 0x81 : 0x82);
    this.texts.push(
      ...payloads.map((payload) => (this.encoding === 'json' ? `${Buffer.from(payload)}` : unfake(payload))),
    );
    this.isFull = this.#fills();
    return !this.isFull;
  }

  close(code: number, reason: string): void {
    this.closed = [code, reason];
  }

  drain(): void {
    this.isFull = false;
    this.subscription?.drained();
  }
}

test('each of many subscribers gets exactly its events in order, whatever its cursor, filter and speed', async () => {
  const seed = 30;
  const random = seededRandom(seed);
  const fanout = new Fanout(log, new DeliveryRates(0), (error) => expect.unreachable(String(error)));
  const sample = new SampleLog(random, { didHashKey: log.didHashKey });
  const clients: { client: FakeClient; filter: Filter; afterUs: number }[] = [];
  for (let step = 0; step < 300; step++) {
    const block = sample.block(Math.floor(random() ** 2 * 20));
    await log.append(block);
    if (random() < 0.3) await nextRound();
    fanout.publish(block);
    if (random() < 0.3) {
      const chance = random() ** 2;
      const client = new FakeClient(random() < 0.5 ? 'json' : 'zstd', () => random() < chance);
      const filter = randomFilter(random);
      const known = sample.events[Math.floor(random() * sample.events.length)]?.time_us ?? 0;
      const asked = [undefined, 0, known - 1, known, log.lastTimeUs][Math.floor(random() * 5)];
      client.subscription = fanout.subscribe(client, filter, asked);
      clients.push({ client, filter, afterUs: asked ?? log.lastTimeUs });
    }
    for (const { client } of clients) if (client.isFull && random() < 0.4) client.drain();
  }
  const expected = clients.map(({ filter, afterUs }) =>
    sample.events
      .filter((event) => event.time_us > afterUs && matches(filter, event))
      .map((event) => JSON.stringify(event)),
  );
  const total = (lists: readonly (readonly string[])[]): number =>
    lists.reduce((sum, list) => sum + list.length, 0);
  await expect
    .poll(() => {
      for (const { client } of clients) if (client.isFull) client.drain();
      return total(clients.map(({ client }) => client.texts));
    })
    .toBe(total(expected));
  for (const [at, { client }] of clients.entries())
    expect(client.texts, `seed ${seed}, client ${at}`).toEqual(expected[at]);
  expect(fanout.totals.events).toBe(total(expected));
  expect(fanout.subscriberCount).toBe(clients.length);
  for (const { client } of clients) client.subscription?.end();
  expect(fanout.subscriberCount).toBe(0);
});

test('a changed filter holds from the next block on, live and behind', async () => {
  const fanout = new Fanout(log, new DeliveryRates(0), (error) => expect.unreachable(String(error)));
  const sample = new SampleLog(seededRandom(31), { didHashKey: log.didHashKey });
  const client = new FakeClient('json');
  client.subscription = fanout.subscribe(client, passAll, undefined);
  const next = async (): Promise<void> => {
    const block = sample.block(10);
    await log.append(block);
    fanout.publish(block);
    await nextRound();
  };
  await nextRound();
  await next();
  const filter = { ...passAll, collections: new Set(['com.example.rare']) };
  client.subscription.setFilter(filter);
  await next();
  const expected = sample.events.filter((event, at) => at < 10 || matches(filter, event));
  expect(client.texts).toEqual(expected.map((event) => JSON.stringify(event)));
  client.subscription.setFilter(passAll);
  await next();
  expect(client.texts.length).toBe(expected.length + 10);
  client.subscription.end();
  await next();
  expect(client.texts.length).toBe(expected.length + 10);
});

test('a log that cannot be read ends the subscriber with the reason', async () => {
  const failing = {
    didHashKey: log.didHashKey,
    lastTimeUs: 10,
    recentAfter: () => undefined,
    read: () => Promise.reject(new Error('disk on fire')),
  } as unknown as EventLog;
  const errors: unknown[] = [];
  const fanout = new Fanout(failing, new DeliveryRates(0), (error) => errors.push(error));
  const client = new FakeClient('json');
  fanout.subscribe(client, passAll, 0);
  await expect.poll(() => client.closed).toEqual([1000, 'failed to replay events']);
  expect(errors).toEqual([new Error('disk on fire')]);
  expect(fanout.subscriberCount).toBe(0);
});

test('a delivery rate is shared by the connections of an address, and delays without dropping', async () => {
  let nowMs = 0;
  const rates = new DeliveryRates(100, () => nowMs);
  const fanout = new Fanout(log, rates, (error) => expect.unreachable(String(error)));
  const sample = new SampleLog(seededRandom(32), { didHashKey: log.didHashKey });
  for (let made = 0; made < 30; made++) await log.append(sample.block(10));
  const clients = [new FakeClient('json'), new FakeClient('zstd', () => true)];
  for (const client of clients) client.subscription = fanout.subscribe(client, passAll, 0);
  const received = (): number => clients.reduce((sum, client) => sum + client.texts.length, 0);
  await expect.poll(received).toBeGreaterThanOrEqual(100);
  for (let turn = 0; turn < 50; turn++) {
    await nextRound();
    clients[1].drain();
  }
  const first = received();
  // The bucket, and what each of the two may owe: a folded block.
  expect(first).toBeLessThan(100 + 2 * 300);
  await expect
    .poll(() => {
      nowMs += 100;
      clients[1].drain();
      return received();
    })
    .toBe(600);
  const expected = sample.events.map((event) => JSON.stringify(event));
  for (const client of clients) expect(client.texts).toEqual(expected);
  expect(rates.size).toBe(1);
  for (const client of clients) client.subscription?.end();
  expect(rates.size).toBe(0);
});

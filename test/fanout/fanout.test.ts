import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate as nextRound } from 'node:timers/promises';
import { afterEach, beforeEach, expect, onTestFinished, test, vi } from 'vitest';
import type { AddressTable } from '../../lib/fanout/address-table.ts';
import { encodings } from '../../lib/fanout/encodings.ts';
import { Fanout, type FanoutOptions } from '../../lib/fanout/fanout.ts';
import type { Block } from '../../lib/log/block.ts';
import { CoverageLedger } from '../../lib/log/coverage-ledger.ts';
import type { LogReader, ReadResult } from '../../lib/log/event-log.ts';
import { LevelLog } from '../../lib/log/level-log.ts';
import { addressTable } from '../support/addresses.ts';
import { fakeCompressor, matches, SampleLog, sampleDids, seededRandom } from '../support/events.ts';
import { passAll } from '../support/pass-all.ts';
import { FakeClient, Lines } from './fake-client.ts';

let dataDir: string;
let log: LevelLog;
let sample: SampleLog;

beforeEach(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'slipstream-fanout-'));
  log = await LevelLog.open({
    dataDir,
    retentionBytes: 0,
    tailBytesMax: 100_000,
    fsync: false,
    compressor: fakeCompressor,
  });
  sample = new SampleLog(seededRandom(31), { didHashKey: log.didHashKey, textBytesMax: 2000 });
});
afterEach(async () => {
  await log.close();
  await rm(dataDir, { recursive: true });
});

function makeFanout(options: Partial<FanoutOptions> = {}, rates: AddressTable = addressTable()): Fanout {
  return new Fanout(log, rates, (error) => expect.unreachable(String(error)), options);
}

function subscribe(fanout: Fanout, client: FakeClient, afterUs?: number, filter = passAll): FakeClient {
  client.subscription = fanout.subscribe(client, filter, afterUs);
  return client;
}

async function append(events: number): Promise<Block> {
  const block = sample.block(events);
  await log.append(block);
  return block;
}

/** The sample's events, or some of them, as a client gets them. */
function textsOf(from = 0, to?: number): string[] {
  return sample.events.slice(from, to).map((event) => JSON.stringify(event));
}

test.for([
  { name: 'collections', filter: { ...passAll, collections: new Set(['com.example.rare']) } },
  { name: 'subjects', filter: { ...passAll, subjects: new Set(sampleDids.slice(0, 5)) } },
])('a changed filter holds from the next block on: $name', async ({ filter }) => {
  const fanout = makeFanout();
  const client = subscribe(fanout, new FakeClient(encodings.json));
  fanout.publish([await append(10)]);
  client.subscription?.setFilter(filter);
  fanout.publish([await append(100)]);
  const expected = sample.events.filter((event, at) => at < 10 || matches(filter, event));
  expect(expected.length).toBeGreaterThan(10);
  expect(client.texts).toEqual(expected.map((event) => JSON.stringify(event)));
  client.subscription?.setFilter(passAll);
  fanout.publish([await append(10)]);
  expect(client.texts.length).toBe(expected.length + 10);
  client.end();
  fanout.publish([await append(10)]);
  expect(client.texts.length).toBe(expected.length + 10);
});

test('one block is sent without a copy, several by one write, and no more than a full block at once', async () => {
  const fanout = makeFanout();
  const clients = [
    subscribe(fanout, new FakeClient(encodings.json)),
    subscribe(fanout, new FakeClient(encodings.json)),
  ];
  const one = await append(10);
  fanout.publish([one]);
  for (const client of clients) expect(client.chunks[0]).toBe(one.json);
  fanout.publish([await append(3), await append(0), await append(4)]);
  for (const client of clients) expect(client.writes).toEqual([10, 7]);
  expect(clients[0].chunks[1]).toBe(clients[1].chunks[1]);
  const large: Block[] = [];
  for (let bytes = 0; bytes < 400 * 1024; bytes += large.at(-1)?.json.length ?? 0)
    large.push(await append(50));
  fanout.publish(large);
  for (const client of clients) {
    await expect.poll(() => client.texts).toEqual(textsOf());
    expect(client.writes.length).toBe(4);
    for (const chunk of client.chunks) expect(chunk.length).toBeLessThanOrEqual(256 * 1024);
  }
});

test('who gets more than can be sent falls behind, and loses and repeats nothing', async () => {
  const fanout = makeFanout({ publishBytesMax: 10_000, unpublishedBytesMax: 60_000 });
  const filter = { ...passAll, collections: new Set(['com.example.rare']) };
  const all = subscribe(fanout, new FakeClient(encodings.json));
  const some = subscribe(fanout, new FakeClient(encodings.json), undefined, filter);
  const blocks: Block[] = [];
  while (sample.events.length < 900) blocks.push(await append(30));
  fanout.publish(blocks.slice(0, 2));
  fanout.publish(blocks.slice(2));
  expect(fanout.publishedUs).toBe(log.lastTimeUs);
  expect(fanout.stats()).toMatchObject({ live: 0 });
  await expect.poll(() => all.texts).toEqual(textsOf());
  const wanted = sample.events.filter((event) => matches(filter, event));
  await expect.poll(() => some.texts).toEqual(wanted.map((event) => JSON.stringify(event)));
  await expect.poll(() => fanout.stats()).toMatchObject({ live: 2 });
  fanout.publish([await append(5)]);
  expect(all.texts).toEqual(textsOf());
});

test('while a crowd comes, dear publications are put off and sent as one; cheap ones are not', async () => {
  const fanout = makeFanout();
  const client = subscribe(fanout, new FakeClient(encodings.json));
  let nowMs = 1_000;
  let writeMs = 3;
  vi.spyOn(performance, 'now').mockImplementation(() => nowMs);
  onTestFinished(() => void vi.restoreAllMocks());
  const write = client.write.bind(client);
  vi.spyOn(client, 'write').mockImplementation((bytes) => {
    nowMs += writeMs;
    return write(bytes);
  });
  fanout.publish([await append(2)]);
  fanout.isCrowded = () => true;
  fanout.publish([await append(3)]);
  fanout.publish([await append(4)]);
  expect(client.writes).toEqual([2]);
  // Whoever comes back meanwhile is live where the others are, and gets the rest with them.
  const late = subscribe(fanout, new FakeClient(encodings.json), sample.events[1].time_us);
  expect(late.writes).toEqual([]);
  await expect.poll(() => client.writes).toEqual([2, 7]);
  expect(late.texts).toEqual(textsOf(2));
  nowMs += 40;
  fanout.publish([await append(1)]);
  expect(client.writes).toEqual([2, 7, 1]);
  writeMs = 0;
  nowMs += 40;
  for (let blocks = 0; blocks < 3; blocks++) fanout.publish([await append(1)]);
  expect(client.writes).toEqual([2, 7, 1, 1, 1, 1]);
  expect(client.texts).toEqual(textsOf());
});

test('who comes back near the tip for a few accounts looks at the blocks that have something for it, and at no other', async () => {
  const blocks: Block[] = [];
  for (let at = 0; at < 60; at++) blocks.push(await append(4));
  const fanout = makeFanout();
  const look = vi.spyOn(log, 'recentAfter');
  onTestFinished(() => look.mockRestore());
  const filter = { ...passAll, dids: new Set(sampleDids.slice(0, 1)) };
  const since = sample.events[160].time_us;
  // The first one has the index made.
  subscribe(fanout, new FakeClient(encodings.json), since, filter);
  await nextRound();
  look.mockClear();
  const wanted = sample.events.filter((event, at) => at > 160 && matches(filter, event));
  const own = new Set(
    wanted.map(({ time_us }) => blocks.findIndex(({ index }) => index.lastTimeUs >= time_us)),
  );
  const client = subscribe(fanout, new FakeClient(encodings.json), since, filter);
  await expect.poll(() => client.texts).toEqual(wanted.map((event) => JSON.stringify(event)));
  expect(look).toHaveBeenCalledTimes(own.size);
  look.mockClear();
  const stranger = { ...passAll, dids: new Set(['did:web:stranger.test']) };
  expect(subscribe(fanout, new FakeClient(encodings.json), since, stranger).texts).toEqual([]);
  expect(fanout.stats().subscribers - fanout.stats().live).toBe(0);
  expect(look).not.toHaveBeenCalled();
});

test('what a block has of the past is passed over: one that comes again, one that begins too early', async () => {
  const blocks = [await append(4), await append(6)];
  const fanout = makeFanout();
  const client = subscribe(fanout, new FakeClient(encodings.json));
  fanout.publish(blocks);
  fanout.publish([await append(5)]);
  fanout.publish(blocks);
  expect(client.texts).toEqual(textsOf(10));
  const next = await append(6);
  // What a log tells whose newest event is in the middle of that block.
  const reader: LogReader = {
    didHashKey: log.didHashKey,
    oldestUs: 0,
    coverage: new CoverageLedger(),
    lastTimeUs: next.index.timeUs[2],
    recentAfter: () => undefined,
    read: () => expect.unreachable('nothing is behind'),
  };
  const later = new Fanout(reader, addressTable(), (error) => expect.unreachable(String(error)));
  const other = subscribe(later, new FakeClient(encodings.json));
  later.publish([next]);
  expect(other.texts).toEqual(textsOf(18));
});

test('a position that is ahead waits until it is passed, and then gets what follows it', async () => {
  const fanout = makeFanout();
  const [first, second, third] = [await append(5), await append(5), await append(5)];
  const at = (afterUs: number): FakeClient => subscribe(fanout, new FakeClient(encodings.json), afterUs);
  const clients = [
    at(first.index.lastTimeUs),
    at(second.index.timeUs[2]),
    at(second.index.timeUs[2]),
    at(third.index.lastTimeUs + 1),
  ];
  clients[1].end();
  await nextRound();
  fanout.publish([first]);
  expect(clients.flatMap((client) => client.texts)).toEqual([]);
  expect(fanout.stats()).toMatchObject({ subscribers: 3, live: 3, slowestLagUs: 0 });
  fanout.publish([second, third]);
  expect(clients.map((client) => client.texts)).toEqual([textsOf(5), [], textsOf(8), []]);
  fanout.publish([await append(5)]);
  // The next event may be the very one that it has named.
  const last = sample.events.filter((event) => event.time_us > third.index.lastTimeUs + 1);
  const lastTexts = last.map((event) => JSON.stringify(event));
  expect(clients.map((client) => client.texts)).toEqual([textsOf(5), [], textsOf(8), lastTexts]);
});

test('messages are made anew once for the newest block, and once for a block that is read', async () => {
  const lines = new Lines();
  for (let made = 0; made < 40; made++) await append(20);
  const fanout = makeFanout();
  const replay = subscribe(fanout, new FakeClient(lines), 0);
  await expect.poll(() => replay.texts.length).toBe(800);
  expect(lines.recodes).toBeLessThanOrEqual(40);
  const clients = Array.from({ length: 5 }, (_, at) =>
    subscribe(fanout, new FakeClient(lines), undefined, { ...passAll, maxMessageSizeBytes: 100_000 + at }),
  );
  lines.recodes = 0;
  fanout.publish([await append(3), await append(4)]);
  expect(lines.recodes).toBe(2);
  expect(replay.texts).toEqual(textsOf());
  for (const client of clients) expect(client.texts).toEqual(textsOf(800));
});

test('no messages are made of blocks that have nothing for a reader, from memory or from the log', async () => {
  for (let made = 0; made < 200; made++) await append(20);
  const lines = new Lines();
  const fanout = makeFanout();
  // One more who wants something of few blocks, so that what is passed over has an end in the middle.
  const nobody = { ...passAll, dids: new Set(['did:web:nobody.test']) };
  const few = {
    ...passAll,
    dids: new Set([sampleDids[3]]),
    collections: new Set(['com.example.rare']),
    kinds: 1,
  };
  const expected = sample.events.filter((event) => matches(few, event)).map((event) => JSON.stringify(event));
  const clients = [nobody, few].map((filter) => subscribe(fanout, new FakeClient(lines), 0, filter));
  await expect.poll(() => fanout.stats().live).toBe(2);
  expect(clients.map(({ texts }) => texts)).toEqual([[], expected]);
  expect(lines.recodes).toBeLessThanOrEqual(expected.length);
});

test('a socket that gets full gets small pieces from then on, that keep no block in memory', async () => {
  for (let made = 0; made < 10; made++) await append(250);
  const fanout = makeFanout();
  let fast = 5;
  const client = subscribe(fanout, new FakeClient(encodings.json, () => fast-- <= 0), 0);
  await expect
    .poll(() => {
      if (client.isFull) client.drain();
      return client.texts.length;
    })
    .toBe(2500);
  expect(client.texts).toEqual(textsOf());
  expect(Math.max(...client.chunks.map((chunk) => chunk.length))).toBeGreaterThan(64 * 1024);
  const slow = client.chunks.slice(6);
  expect(slow.length).toBeGreaterThan(3);
  for (const chunk of slow) {
    expect(chunk.length).toBeLessThan(32 * 1024 + 2500);
    expect(chunk.buffer.byteLength).toBe(chunk.length);
  }
});

test('what is chosen of a block keeps little more than itself in memory', async () => {
  // Full ones, which stay as they are.
  for (let made = 0; made < 20; made++) await append(256);
  const fanout = makeFanout();
  const filter = {
    ...passAll,
    dids: new Set([sampleDids[3]]),
    collections: new Set(['com.example.rare']),
    kinds: 1,
  };
  const client = subscribe(fanout, new FakeClient(encodings.json), 0, filter);
  const expected = sample.events.filter((event) => matches(filter, event));
  await expect.poll(() => client.texts.length).toBe(expected.length);
  // Those of several are put together, in memory of Node's pool.
  const single = client.chunks.filter((_, at) => client.writes[at] === 1);
  expect(single.length).toBeGreaterThan(3);
  for (const chunk of single) expect(chunk.buffer.byteLength).toBe(chunk.length);
});

test('a filter that changes during a read is not served what was read for the one before', async () => {
  const block = sample.block(20);
  const { index } = block;
  const reads: { readonly after: number; resolve(result: ReadResult): void }[] = [];
  const slow: LogReader = {
    didHashKey: log.didHashKey,
    oldestUs: 0,
    coverage: new CoverageLedger(),
    lastTimeUs: index.lastTimeUs,
    recentAfter: () => undefined,
    read: (after) => new Promise((resolve) => reads.push({ after, resolve })),
  };
  const fanout = new Fanout(slow, addressTable(), (error) => expect.unreachable(String(error)));
  const client = subscribe(fanout, new FakeClient(encodings.json), 0, { ...passAll, prefixes: ['no.'] });
  await expect.poll(() => reads.length).toBe(1);
  client.subscription?.setFilter(passAll);
  // The log has skipped what the first filter did not want.
  reads[0].resolve({ slices: [], throughUs: index.lastTimeUs });
  await expect.poll(() => reads.length).toBe(2);
  expect(reads[1].after).toBe(0);
  reads[1].resolve({ slices: [{ index, messages: block.json }], throughUs: index.lastTimeUs });
  await expect.poll(() => fanout.stats().live).toBe(1);
  expect(client.texts).toEqual(textsOf());
});

test('a log that cannot be read ends the subscriber with the reason', async () => {
  const failing: LogReader = {
    didHashKey: log.didHashKey,
    oldestUs: 0,
    coverage: new CoverageLedger(),
    lastTimeUs: 10,
    recentAfter: () => undefined,
    read: () => Promise.reject(new Error('disk on fire')),
  };
  const errors: unknown[] = [];
  const fanout = new Fanout(failing, addressTable(), (error) => errors.push(error));
  const client = subscribe(fanout, new FakeClient(encodings.json), 0);
  await expect.poll(() => client.closed).toBe('delivery_failed');
  expect(errors).toEqual([new Error('disk on fire')]);
  expect(fanout.stats().subscribers).toBe(0);
});

test('wanted DIDs beyond the bound are refused, when subscribing and when changing the filter', async () => {
  const fanout = makeFanout({ wantedDidsMax: 3 });
  const wants = (...names: string[]) => ({
    ...passAll,
    dids: new Set(names.map((name) => `did:web:${name}`)),
  });
  const client = subscribe(fanout, new FakeClient(encodings.json), undefined, wants('a', 'b'));
  const refused = subscribe(fanout, new FakeClient(encodings.json), undefined, wants('c', 'd'));
  expect(refused.closed).toBe('no_room');
  refused.subscription?.setFilter(passAll);
  refused.end();
  fanout.publish([await append(5)]);
  expect(refused.texts).toEqual([]);
  const other = subscribe(fanout, new FakeClient(encodings.json), undefined, wants('c'));
  expect([client.closed, other.closed]).toEqual([undefined, undefined]);
  other.subscription?.setFilter(wants('d', 'e'));
  expect(other.closed).toBe('no_room');
  expect(fanout.stats().subscribers).toBe(1);
  expect(fanout.groups.wantedDids).toBe(2);
});

test('a delivery rate is shared by the connections of an address, and delays without dropping', async () => {
  let nowMs = 0;
  const rates = addressTable({ eventsPerSecond: 100 }, () => nowMs);
  for (let made = 0; made < 30; made++) await append(10);
  const fanout = makeFanout({}, rates);
  const clients = [new FakeClient(encodings.json), new FakeClient(encodings.zstd, () => true)];
  for (const client of clients) subscribe(fanout, client, 0);
  const received = (): number => clients.reduce((sum, client) => sum + client.texts.length, 0);
  await expect.poll(received).toBeGreaterThanOrEqual(100);
  for (let turn = 0; turn < 50; turn++) {
    await nextRound();
    clients[1].drain();
  }
  // The bucket, and what each of the two may owe: a compacted block.
  expect(received()).toBeLessThan(100 + 2 * 300);
  await expect
    .poll(() => {
      nowMs += 100;
      clients[1].drain();
      return received();
    })
    .toBe(600);
  for (const client of clients) expect(client.texts).toEqual(textsOf());
  expect(rates.addresses).toBe(1);
  for (const client of clients) client.end();
  expect(rates.addresses).toBe(0);
});

test('progress is told at the tip, again after having fallen behind, and in intervals', async () => {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
  onTestFinished(() => {
    vi.useRealTimers();
  });
  for (let made = 0; made < 30; made++) await append(20);
  const fanout = makeFanout();
  subscribe(fanout, new FakeClient(encodings.json));
  expect(vi.getTimerCount()).toBe(0);
  let fills = false;
  const client = subscribe(fanout, new FakeClient(encodings.json, () => fills, true), 0);
  expect(vi.getTimerCount()).toBe(1);
  const atTip = (received: number) => ({
    positionUs: fanout.publishedUs,
    newestUs: fanout.publishedUs,
    live: true,
    received,
  });
  vi.advanceTimersByTime(5_000);
  expect(client.reports).toEqual([{ positionUs: 0, newestUs: fanout.publishedUs, live: false, received: 0 }]);
  await expect.poll(() => fanout.stats().live).toBe(2);
  expect(client.reports.slice(1)).toEqual([atTip(600)]);

  // A new subscriber at the tip is told so before it gets anything.
  const newcomer = subscribe(fanout, new FakeClient(encodings.json, undefined, true));
  expect(newcomer.reports).toEqual([atTip(0)]);
  // A block alone is no reason; the interval is.
  fanout.publish([await append(5)]);
  expect(client.reports.length).toBe(2);
  vi.advanceTimersByTime(5_000);
  expect(client.reports[2]).toEqual(atTip(605));
  expect(newcomer.reports[1]).toEqual(atTip(5));

  fills = true;
  fanout.publish([await append(5)]);
  fanout.publish([await append(5)]);
  vi.advanceTimersByTime(5_000);
  expect(client.reports.length).toBe(3);
  fills = false;
  client.drain();
  await expect.poll(() => fanout.stats().live).toBe(3);
  expect(client.reports.slice(3)).toEqual([atTip(615)]);

  client.end();
  expect(vi.getTimerCount()).toBe(1);
  newcomer.end();
  expect(vi.getTimerCount()).toBe(0);
});

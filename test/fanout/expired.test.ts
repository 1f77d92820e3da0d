// A subscriber that comes from further back than the log goes, or that retention overtakes: it is told of what it misses, if it
// wants to be told of gaps, in its place and once.

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { encodings } from '../../lib/fanout/encodings.ts';
import { Fanout } from '../../lib/fanout/fanout.ts';
import { GapNotices } from '../../lib/fanout/gap-notices.ts';
import type { Transport } from '../../lib/fanout/transport.ts';
import { CoverageLedger } from '../../lib/log/coverage-ledger.ts';
import type { LogReader } from '../../lib/log/event-log.ts';
import { LevelLog } from '../../lib/log/level-log.ts';
import { addressTable } from '../support/addresses.ts';
import { fakeCompressor, SampleLog, seededRandom } from '../support/events.ts';
import { passAll } from '../support/pass-all.ts';
import { FakeClient } from './fake-client.ts';

/** Events of a block that is stored at once. */
const blockEvents = 256;
const nobody = { ...passAll, dids: new Set(['did:plc:nobody']) };

class Client extends FakeClient implements Transport {
  readonly throughUs?: number;

  constructor({ throughUs, fills }: { throughUs?: number; fills?: () => boolean } = {}) {
    super(encodings.json, fills, true);
    if (throughUs !== undefined) this.throughUs = throughUs;
  }

  get times(): number[] {
    return this.texts.map((text) => JSON.parse(text).time_us);
  }

  get told(): (string | number)[][] {
    return this.gaps.map(({ row: { reason, fromUs, toUs }, received }) => [reason, fromUs, toUs, received]);
  }
}

let dataDir: string;
let log: LevelLog;
let sample: SampleLog;

beforeEach(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'slipstream-expired-'));
  await open();
  sample = new SampleLog(seededRandom(37), { didHashKey: log.didHashKey });
});
afterEach(async () => {
  await log.close();
  await rm(dataDir, { recursive: true });
});

async function open(): Promise<void> {
  const options = { retentionBytes: 0, tailBytesMax: 0, fsync: false, compressor: fakeCompressor };
  log = await LevelLog.open({ dataDir, ...options });
}

async function append(blocks: number, events = blockEvents): Promise<void> {
  for (let block = 0; block < blocks; block++) await log.append(sample.block(events));
}

function fanout(): Fanout {
  return new Fanout(log, addressTable(), (error) => expect.unreachable(String(error)), {
    progressIntervalMs: 5,
  });
}

function subscribe(to: Fanout, client: Client, afterUs: number, filter = passAll): Client {
  client.subscription = to.subscribe(client, filter, afterUs);
  return client;
}

const timeOf = (event: number): number => sample.events[event].time_us;

async function hasEverythingFrom(client: Client, event: number): Promise<void> {
  const times = sample.events.slice(event).map(({ time_us }) => time_us);
  await expect.poll(() => client.texts.length).toBeGreaterThanOrEqual(times.length);
  expect(client.times).toEqual(times);
}

test('one that comes from before what is left is told, before the first event; one that asks for all there is is not', async () => {
  await append(8);
  const cut = 3 * blockEvents;
  await log.trim(timeOf(cut));
  const all = fanout();
  const late = subscribe(all, new Client(), timeOf(100));
  const lastMissed = subscribe(all, new Client(), timeOf(cut - 2));
  const inTime = subscribe(all, new Client(), timeOf(cut - 1));
  const fromTheStart = subscribe(all, new Client(), 0);
  const beforeThat = subscribe(all, new Client(), -1);
  for (const client of [late, lastMissed, inTime, fromTheStart, beforeThat])
    await hasEverythingFrom(client, cut);
  expect(late.told).toEqual([['expired', timeOf(100), timeOf(cut - 1), 0]]);
  expect(lastMissed.told).toEqual([['expired', timeOf(cut - 2), timeOf(cut - 1), 0]]);
  for (const client of [inTime, fromTheStart, beforeThat]) expect(client.told).toEqual([]);
  // Who comes back after what it was told misses no more.
  const again = subscribe(all, new Client(), timeOf(cut - 1));
  await hasEverythingFrom(again, cut);
  expect(again.told).toEqual([]);
});

test('one that wants nothing of what is left is told too, and so is one that ends before it', async () => {
  await append(6);
  const cut = 2 * blockEvents;
  await log.trim(timeOf(cut));
  const all = fanout();
  const idle = subscribe(all, new Client(), timeOf(5), nobody);
  await expect.poll(() => idle.told).toEqual([['expired', timeOf(5), timeOf(cut - 1), 0]]);
  const past = subscribe(all, new Client({ throughUs: timeOf(50) }), timeOf(5));
  await expect.poll(() => past.told).toEqual([['expired', timeOf(5), timeOf(50), 0]]);
  await expect.poll(() => past.reports.at(-1)?.positionUs).toBeGreaterThanOrEqual(timeOf(50));
});

test('a log that begins later than a cursor has missed what is between, from its first process on and after a restart', async () => {
  await append(1);
  await append(1, 3);
  const beforeUs = timeOf(0) - 5_000_000;
  for (const round of ['first', 'reopened']) {
    const client = subscribe(fanout(), new Client(), beforeUs);
    await hasEverythingFrom(client, 0);
    expect(client.told, round).toEqual([['expired', beforeUs, timeOf(0) - 1, 0]]);
    await log.close();
    await open();
  }
});

test('on an empty log, what came before its first event has been missed', async () => {
  const live = fanout();
  const [late, fromTheStart] = [1_000, 0].map((afterUs) => subscribe(live, new Client(), afterUs));
  const block = sample.block(5);
  const early = subscribe(live, new Client(), timeOf(0) - 1);
  await log.append(block);
  live.publish([block]);
  for (const client of [late, fromTheStart, early]) await hasEverythingFrom(client, 0);
  expect([late.told, fromTheStart.told, early.told]).toEqual([
    [['expired', 1_000, timeOf(0) - 1, 0]],
    [],
    [],
  ]);
});

test('who has had the last block that is deleted has missed nothing, also after a restart', async () => {
  await append(6);
  const cut = 3 * blockEvents;
  await log.trim(timeOf(cut));
  for (const round of ['trimmed', 'reopened']) {
    const client = subscribe(fanout(), new Client(), timeOf(cut - 1));
    await hasEverythingFrom(client, cut);
    expect(client.told, round).toEqual([]);
    expect(log.oldestUs, round).toBe(timeOf(cut - 1) + 1);
    await log.close();
    await open();
  }
});

test('rows of the ledger that lie in front of the first event are told too', () => {
  const coverage = new CoverageLedger();
  const row = { relay: '', count: 1 };
  coverage.add([
    { ...row, reason: 'log_damaged', fromUs: 500, toUs: 600 },
    { ...row, reason: 'set_back', fromUs: 0, toUs: 700 },
  ]);
  const gaps = new GapNotices({ coverage, oldestUs: 1_000 } as unknown as LogReader);
  const told: (string | number)[][] = [];
  for (let at = 100, gap = gaps.next(at, 5_000); gap !== undefined; at = gap.toUs, gap = gaps.next(at, 5_000))
    told.push([gap.reason, gap.fromUs, gap.toUs]);
  expect(told).toEqual([
    ['expired', 100, 500],
    ['log_damaged', 500, 600],
    ['set_back', 0, 700],
    ['expired', 700, 999],
  ]);
});

test('a slow replay that retention overtakes is told where it goes on', async () => {
  await append(12);
  let fills = true;
  const client = subscribe(fanout(), new Client({ fills: () => fills }), 0);
  await expect.poll(() => client.isFull).toBe(true);
  const received = client.texts.length;
  expect(received).toBeLessThan(8 * blockEvents);
  const cut = 9 * blockEvents;
  await log.trim(timeOf(cut));
  fills = false;
  client.drain();
  await expect.poll(() => client.texts.length).toBe(received + 3 * blockEvents);
  expect(client.told).toEqual([['expired', timeOf(received - 1), timeOf(cut - 1), received]]);
});

test('retention that comes in the middle of a read is told as well, whatever the read has found', async () => {
  await append(12);
  const cut = 6 * blockEvents;
  const clients = Array.from({ length: 8 }, (_, at) => at % 2 === 0);
  const all = fanout();
  const subscribed = clients.map((wantsAll) =>
    subscribe(all, new Client(), timeOf(0), wantsAll ? passAll : nobody),
  );
  await log.trim(timeOf(cut));
  for (const [at, client] of subscribed.entries()) {
    await expect.poll(() => client.reports.at(-1)?.live).toBe(true);
    // Nothing is both sent and told to be missing, and nothing is neither.
    const [gap] = client.gaps;
    const toldUs = (us: number): boolean => gap !== undefined && us > gap.row.fromUs && us <= gap.row.toUs;
    const wanted = clients[at] ? sample.events.slice(1).map(({ time_us }) => time_us) : [];
    expect(client.times).toEqual(wanted.filter((us) => !toldUs(us)));
    expect(client.gaps.length).toBeLessThan(2);
  }
});

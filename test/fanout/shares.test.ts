// What subscribers share, they share by address: with a hostile address at its limit, an honest one keeps half of what it had.
// Here in rounds of the event loop, which no other load on the machine changes; in test/safety against a daemon.

import { setImmediate as nextRound } from 'node:timers/promises';
import { expect, onTestFinished, test } from 'vitest';
import type { Filter } from '../../lib/event/filter.ts';
import { AddressTable } from '../../lib/fanout/address-table.ts';
import { encodings } from '../../lib/fanout/encodings.ts';
import { Fanout } from '../../lib/fanout/fanout.ts';
import type { Block } from '../../lib/log/block.ts';
import { CoverageLedger } from '../../lib/log/coverage-ledger.ts';
import type { LogReader } from '../../lib/log/event-log.ts';
import { addressTable } from '../support/addresses.ts';
import { SampleLog, seededRandom } from '../support/events.ts';
import { passAll } from '../support/pass-all.ts';
import { FakeClient } from './fake-client.ts';

const hostile = '192.0.2.66';
const honest = '192.0.2.1';
const matchesNothing = { ...passAll, maxMessageSizeBytes: 1 };
const didHashKey = new Uint8Array(8);

const sample = new SampleLog(seededRandom(71), { didHashKey, textBytesMax: 2000 });
const blocks: readonly Block[] = Array.from({ length: 400 }, () => sample.block(256));
const lastTimeUs = blocks.at(-1)?.index.lastTimeUs as number;

/** Blocks that were looked at of memory. */
let looks = 0;

function blockAfter(timeUs: number): Block | undefined {
  return blocks.find(({ index }) => index.lastTimeUs > timeUs);
}

/** A log that has everything in memory, or nothing; then a read takes a few rounds. */
function logIn(place: 'memory' | 'store'): LogReader {
  return {
    didHashKey,
    oldestUs: 0,
    coverage: new CoverageLedger(),
    lastTimeUs,
    recentAfter: (timeUs) => {
      looks++;
      return place === 'memory' ? blockAfter(timeUs) : undefined;
    },
    read: async (timeUs) => {
      for (let rounds = 0; rounds < 4; rounds++) await nextRound();
      const block = blockAfter(timeUs) as Block;
      const { index, json } = block;
      return { slices: [{ index, messages: json }], throughUs: index.lastTimeUs };
    },
  };
}

/** A client that ends with the test: what is behind would be given turns for as long as there is a process. */
function clientOf(address?: string): FakeClient {
  const client = new FakeClient(encodings.json);
  if (address !== undefined) client.remoteAddress = address;
  onTestFinished(() => client.end());
  return client;
}

/** How many events an honest replay gets in some rounds beside so many hostile ones that match nothing. */
async function replayed(place: 'memory' | 'store', rounds: number, attackers: number): Promise<number> {
  const fanout = new Fanout(logIn(place), addressTable(), (error) => expect.unreachable(String(error)));
  for (let made = 0; made < attackers; made++) {
    const attacker = clientOf(hostile);
    attacker.subscription = fanout.subscribe(attacker, matchesNothing, 0);
  }
  const client = clientOf(honest);
  client.subscription = fanout.subscribe(client, passAll, 0);
  for (let round = 0; round < rounds; round++) await nextRound();
  return client.texts.length;
}

test('reads of the log', async () => {
  const alone = await replayed('store', 200, 0);
  expect(alone).toBeGreaterThan(5000);
  expect(await replayed('store', 200, 1000)).toBeGreaterThan(alone / 2);
});

test('turns', async () => {
  const alone = await replayed('memory', 10, 0);
  expect(alone).toBeGreaterThan(1000);
  // Half, but for the turn that is under way.
  expect(await replayed('memory', 10, 1000)).toBeGreaterThan((alone / 2) * 0.98);
});

test('a turn ends when it has looked at enough, whatever it finds', async () => {
  looks = 0;
  await replayed('memory', 1, 8);
  // It was 6,421: all of memory, for each.
  expect(looks).toBeLessThan(400);
});

const wants = (...dids: number[]) => ({ ...passAll, dids: new Set(dids.map((did) => `did:web:${did}`)) });

test('wanted DIDs and subjects', () => {
  const rates = addressTable({ wantedDidsMax: 10 });
  const unreachable = (error: unknown) => expect.unreachable(String(error));
  // Two threads, each with a bound of its own.
  const threads = [0, 1].map(
    () => new Fanout(logIn('memory'), new AddressTable(rates.memory), unreachable, { wantedDidsMax: 20 }),
  );
  const subscribe = (thread: number, address: string, filter: Filter): FakeClient => {
    const client = clientOf(address);
    client.subscription = threads[thread].subscribe(client, filter, undefined);
    return client;
  };
  const attackers = Array.from({ length: 20 }, (_, at) =>
    subscribe(at % 2, hostile, wants(at * 2, at * 2 + 1)),
  );
  expect(attackers.filter(({ closed }) => closed === undefined)).toHaveLength(5);
  expect(new Set(attackers.slice(5).map(({ closed }) => closed))).toEqual(new Set(['no_room_of_address']));
  expect(subscribe(0, hostile, { ...passAll, subjects: new Set(['did:web:1']) }).closed).toBe(
    'no_room_of_address',
  );
  expect(subscribe(0, hostile, passAll).closed).toBeUndefined();
  const other = subscribe(0, honest, wants(100, 101, 102, 103, 104));
  const another = subscribe(1, honest, wants(105, 106, 107, 108, 109));
  expect([other.closed, another.closed]).toEqual([undefined, undefined]);
  // A changed filter counts instead of the one before.
  other.subscription?.setFilter(wants(110, 111, 112, 113, 114));
  another.subscription?.setFilter(wants(105));
  expect([other.closed, another.closed]).toEqual([undefined, undefined]);
  other.subscription?.setFilter(wants(0, 1, 2, 3, 4, 5, 6, 7, 8, 9));
  expect(other.closed).toBe('no_room_of_address');
  expect(threads[0].stats().subscribers).toBe(4);
  // And what ends counts no more.
  for (const client of [...attackers.slice(0, 5), another]) client.end();
  expect(rates.addresses).toBe(0);
  for (const address of [hostile, honest]) {
    const client = subscribe(0, address, wants(0, 1, 2, 3, 4, 5, 6, 7, 8, 9));
    expect(client.closed).toBeUndefined();
    client.end();
  }
  expect(threads.map(({ groups }) => groups.wantedDids)).toEqual([0, 0]);
});

test('for want of memory those go that are farthest behind, and no live one', async () => {
  const fanout = new Fanout(logIn('store'), addressTable(), (error) => expect.unreachable(String(error)));
  const clients = [lastTimeUs, 0, blocks[300].index.lastTimeUs, blocks[100].index.lastTimeUs].map(
    (afterUs) => {
      const client = clientOf();
      client.subscription = fanout.subscribe(client, matchesNothing, afterUs);
      return client;
    },
  );
  expect(fanout.shedBehind(2)).toBe(2);
  expect(clients.map(({ closed }) => closed)).toEqual([undefined, 'memory_short', undefined, 'memory_short']);
  expect(fanout.stats().subscribers).toBe(2);
  expect(fanout.shedBehind(8)).toBe(1);
  expect(clients[0].closed).toBe(undefined);
});

// Limits by address: against a simple model, over time, and from several threads at once.

import { Worker } from 'node:worker_threads';
import { describe, expect, it } from 'vitest';
import { AddressTable } from '../../lib/fanout/address-table.ts';
import { addressTable } from '../support/addresses.ts';
import { seededRandom } from '../support/events.ts';
import type { AddressWork } from './address-worker.ts';

describe('connections', () => {
  it('are counted like a map would, in a table with hardly any room', () => {
    const seed = 50;
    const random = seededRandom(seed);
    const limits = { subscribersMax: 8, subscribersPerAddressMax: 3, eventsPerSecond: 1, wantedDidsMax: 7 };
    const first = new AddressTable(AddressTable.memoryFor(limits));
    const second = new AddressTable(first.memory);
    expect(second.limits).toEqual(limits);
    const model = new Map<string, number>();
    let connections = 0;
    for (let step = 0; step < 50_000; step++) {
      const table = step % 2 === 0 ? first : second;
      const address = `2001:db8::${Math.floor(random() * 40)}`;
      const count = model.get(address) ?? 0;
      const message = `seed ${seed}, step ${step}`;
      if (count > 0 && random() < 0.5) {
        table.leave(address);
        connections--;
        if (count === 1) model.delete(address);
        else model.set(address, count - 1);
      } else {
        const expected = connections >= 8 ? 'too_many' : count >= 3 ? 'too_many_of_address' : 'entered';
        expect(table.enter(address), message).toBe(expected);
        if (expected !== 'entered') continue;
        connections++;
        model.set(address, count + 1);
      }
      expect([table.connections, table.addresses], message).toEqual([connections, model.size]);
    }
  });

  it('of one address have no limit when it is 0', () => {
    const table = addressTable({ subscribersMax: 100 });
    for (let at = 0; at < 100; at++) expect(table.enter('192.0.2.1')).toBe('entered');
    expect(table.enter('192.0.2.1')).toBe('too_many');
    expect(table.addresses).toBe(1);
  });

  it('are hashed with another secret in every table', () => {
    const [one, other] = [addressTable(), addressTable()];
    for (const table of [one, other]) table.enter('192.0.2.1');
    expect(new Uint8Array(one.memory)).not.toEqual(new Uint8Array(other.memory));
  });

  it('stay within the limits when several threads come and go at once, and are none at the end', async () => {
    const limits = {
      subscribersMax: 40,
      subscribersPerAddressMax: 5,
      eventsPerSecond: 1e6,
      wantedDidsMax: 0,
    };
    const memory = AddressTable.memoryFor(limits);
    const addresses = 30;
    const counters = new SharedArrayBuffer((addresses + 1) * 4);
    const refusals = await Promise.all(
      [1, 2, 3, 4].map((seed) => {
        const workerData: AddressWork = { memory, counters, addresses, rounds: 20_000, seed };
        const worker = new Worker(new URL('./address-worker.ts', import.meta.url), { workerData });
        return new Promise<Record<string, number>>((resolve, reject) => {
          worker.once('message', resolve);
          worker.once('error', reject);
        });
      }),
    );
    const table = new AddressTable(memory);
    expect([table.connections, table.addresses]).toEqual([0, 0]);
    expect([...new Int32Array(counters)]).toEqual(Array(addresses + 1).fill(0));
    for (const reason of ['too_many', 'too_many_of_address'])
      expect(refusals.reduce((sum, one) => sum + one[reason], 0)).toBeGreaterThan(0);
    for (let at = 0; at < limits.subscribersMax; at++) expect(table.enter(`new ${at}`)).toBe('entered');
    expect(table.addresses).toBe(limits.subscribersMax);
  });
});

describe('a delivery rate', () => {
  it('is shared by all who hold it, allows a second at once, and is waited off', () => {
    let nowMs = 1000;
    const first = addressTable({ eventsPerSecond: 100 }, () => nowMs);
    const second = new AddressTable(first.memory, () => nowMs);
    const [one, other] = [first.hold('192.0.2.1'), second.hold('192.0.2.1')];
    const else_ = first.hold('192.0.2.2');
    one?.take(99);
    expect(other?.waitMs()).toBe(0);
    other?.take(51);
    expect([one?.waitMs(), other?.waitMs(), else_?.waitMs()]).toEqual([501, 501, 0]);
    nowMs += 500;
    expect(one?.waitMs()).toBe(1);
    nowMs += 1;
    expect(one?.waitMs()).toBe(0);
    nowMs += 1_000_000;
    one?.take(100);
    expect(one?.waitMs()).toBe(1);
    expect(first.pacing).toEqual({ waits: 3, waitedMs: 503 });
    expect(second.pacing).toEqual({ waits: 1, waitedMs: 501 });
  });

  it('below one event a second waits no longer than it has to, in steps', () => {
    let nowMs = 0;
    const rate = addressTable({ eventsPerSecond: 0.01 }, () => nowMs).hold('192.0.2.1');
    rate?.take(1);
    let waitedMs = 0;
    for (let waitMs = rate?.waitMs() ?? 0; waitMs > 0; waitMs = rate?.waitMs() ?? 0) {
      expect(waitMs).toBeLessThanOrEqual(60_000);
      nowMs += waitMs;
      waitedMs += waitMs;
    }
    expect(waitedMs).toBe(99_001);
  });

  it('is remembered for one who comes back', () => {
    const table = addressTable({ eventsPerSecond: 100 }, () => 0);
    table.hold('192.0.2.1')?.take(500);
    table.release('192.0.2.1');
    expect(table.addresses).toBe(0);
    expect(table.hold('192.0.2.1')?.waitMs()).toBe(4001);
    expect(table.hold('192.0.2.2')?.waitMs()).toBe(0);
  });

  it('is none without a limit', () => {
    const table = addressTable();
    expect(table.hold('192.0.2.1')).toBeUndefined();
    table.release('192.0.2.1');
    expect(table.addresses).toBe(0);
  });

  it('has one clock in all threads', async () => {
    const code = `require('node:worker_threads').parentPort.postMessage(performance.now())`;
    const beforeMs = performance.now();
    const worker = new Worker(code, { eval: true });
    const thereMs = await new Promise((resolve) => worker.once('message', resolve));
    expect(thereMs).toBeGreaterThan(beforeMs);
    expect(thereMs).toBeLessThan(performance.now());
  });
});

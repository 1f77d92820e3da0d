// Who has to go when clients hold too much, judged without sockets.

import { describe, expect, it } from 'vitest';
import { HeldBytes, type HeldKind, heldKinds, heldLimitsOf } from '../../lib/session/held-bytes.ts';
import { seededRandom } from '../support/events.ts';

const limits = { connectionBytesMax: 100, addressBytesMax: 200, bytesMax: 800 };

function holding(held: HeldBytes) {
  const gone: string[] = [];
  return {
    gone,
    open: (name: string, address: string | undefined) =>
      held.open(address, (kind) => gone.push(`${name} ${kind}`)),
  };
}

describe('a connection has to go', () => {
  it('when it holds too much itself, of all kinds', () => {
    const held = new HeldBytes(limits);
    const { gone, open } = holding(held);
    const one = open('one', 'a');
    one.set('request', 60);
    one.set('message', 40);
    expect(gone).toEqual([]);
    one.set('answer', 1);
    expect(gone).toEqual(['one request']);
    expect(held.shed).toEqual({ connection: 1, address: 0, all: 0 });
    expect(held.bytes).toEqual({ request: 0, message: 0, answer: 0 });
    // What it goes on to say counts for nothing: it is on its way out.
    one.set('answer', 90);
    one.close();
    expect([gone.length, held.bytes.answer, held.mostOfAddress]).toEqual([1, 0, 0]);
  });

  it('when its address holds too much: the largest', () => {
    const held = new HeldBytes(limits);
    const { gone, open } = holding(held);
    const honest = open('honest', 'b');
    honest.set('message', 99);
    const [small, large, other] = [open('small', 'a'), open('large', 'a'), open('other', 'a')];
    small.set('message', 40);
    large.set('answer', 90);
    other.set('message', 71);
    expect(gone).toEqual(['large answer']);
    expect(held.shed.address).toBe(1);
    expect(held.mostOfAddress).toBe(111);
  });

  it('when all hold too much: the largest of the address that holds most', () => {
    const held = new HeldBytes(limits);
    const { gone, open } = holding(held);
    const honest = open('honest', 'h');
    honest.set('message', 100);
    for (const address of ['a', 'b', 'c', 'd']) {
      for (const at of [1, 2, 3]) open(`${address}${at}`, address).set('message', 60 + at);
    }
    // A little more than has to be, so that not every byte from now on makes another go.
    expect(gone).toEqual(['a3 message', 'b3 message']);
    expect(held.shed.all).toBe(2);
    expect(held.bytes.message).toBe(100 + 4 * 186 - 2 * 63);
  });

  it('never for the sum of an address that is not known, such as a proxy’s', () => {
    const held = new HeldBytes(limits);
    const { gone, open } = holding(held);
    const all = Array.from({ length: 8 }, (_, at) => open(`${at}`, undefined));
    for (const one of all) one.set('request', 100);
    expect(gone).toEqual([]);
    open('last', undefined).set('request', 1);
    expect(gone).toEqual(['0 request']);
  });
});

it('what a connection holds moves with it to another address', () => {
  const held = new HeldBytes(limits);
  const { gone, open } = holding(held);
  const proxied = Array.from({ length: 3 }, (_, at) => open(`${at}`, undefined));
  for (const one of proxied) one.set('request', 80);
  for (const one of proxied) one.move('a');
  expect([gone, held.mostOfAddress]).toEqual([[], 240]);
  proxied[1].set('request', 81);
  expect(gone).toEqual(['1 request']);
});

it('sums are right whatever happens, and never above their bounds', () => {
  const seed = 7;
  const random = seededRandom(seed);
  const pick = <T>(list: readonly T[]): T => list[Math.floor(random() * list.length)];
  const held = new HeldBytes(limits);
  const addresses = [undefined, 'a', 'b', 'c', 'd', 'e', 'f'];
  const open = new Map<number, { one: ReturnType<HeldBytes['open']>; kinds: Record<HeldKind, number> }>();
  for (let step = 0; step < 20_000; step++) {
    const id = Math.floor(random() * 60);
    const known = open.get(id);
    if (known === undefined) {
      const one = held.open(pick(addresses), () => open.delete(id));
      open.set(id, { one, kinds: { request: 0, message: 0, answer: 0 } });
    } else if (step % 10 === 0) {
      known.one.close();
      open.delete(id);
    } else if (step % 10 === 1) {
      known.one.move(pick(['a', 'b', 'c']));
    } else {
      const kind = pick(heldKinds);
      known.kinds[kind] = Math.floor(random() * 60);
      known.one.set(kind, known.kinds[kind]);
    }
    const sums: Record<HeldKind, number> = { request: 0, message: 0, answer: 0 };
    for (const { kinds } of open.values()) for (const kind of heldKinds) sums[kind] += kinds[kind];
    expect(held.bytes, `seed ${seed}, step ${step}`).toEqual(sums);
    expect(sums.request + sums.message + sums.answer).toBeLessThanOrEqual(limits.bytesMax);
  }
  const { connection, address, all } = held.shed;
  expect(Math.min(connection, address, all), `seed ${seed}`).toBeGreaterThan(10);
});

it('the bounds go by the memory there is', () => {
  const mebibyte = 2 ** 20;
  expect(heldLimitsOf(2 ** 30, 1)).toMatchObject({
    addressBytesMax: 32 * mebibyte,
    bytesMax: 256 * mebibyte,
  });
  expect(heldLimitsOf(512 * mebibyte, 2).bytesMax).toBe(64 * mebibyte);
  expect(heldLimitsOf(2 ** 40, 2)).toMatchObject({
    addressBytesMax: 64 * mebibyte,
    bytesMax: 1024 * mebibyte,
  });
});

it('where there is little memory it is a part of what the daemon does not take, and of that one has half', () => {
  const mebibyte = 2 ** 20;
  const limits = { connectionBytesMax: 4 * mebibyte, addressBytesMax: 4 * mebibyte, bytesMax: 8 * mebibyte };
  expect(heldLimitsOf(128 * mebibyte, 1)).toEqual(limits);
  for (const megabytes of [16, 64, 128, 256, 300, 488, 512, 1024]) {
    const { connectionBytesMax, addressBytesMax, bytesMax } = heldLimitsOf(megabytes * mebibyte, 1);
    expect(bytesMax).toBeLessThanOrEqual(Math.max(4, (megabytes - 104) / 3) * mebibyte);
    // The longest body that there may be, in memory that doubles.
    expect(connectionBytesMax).toBeGreaterThanOrEqual((megabytes <= 256 ? 1 : 16) * mebibyte);
    expect(addressBytesMax).toBeGreaterThanOrEqual(connectionBytesMax);
  }
});

it('it is told whenever as much has been sent as all may hold, whatever became of it', () => {
  const held = new HeldBytes({ connectionBytesMax: 100, addressBytesMax: 100, bytesMax: 100 });
  let turns = 0;
  held.turnedOver = () => turns++;
  for (let sent = 0; sent < 5; sent++) {
    const one = held.open('a', () => {});
    one.set('answer', 90);
    one.set('answer', 0);
    one.set('message', 50);
    one.close();
  }
  expect(turns).toBe(2);
});

// What is kept of the filters that clients store: for how long, how much, and who has to make room for whom.

import { describe, expect, it } from 'vitest';
import { passAll } from '../../lib/event/filter.ts';
import { FilterStore, type FilterStoreLimits } from '../../lib/wire/filter-store.ts';
import { type StoredFilter, storedFormOf } from '../../lib/wire/stored-filter.ts';
import { seededRandom } from '../support/events.ts';

const hourMs = 3_600_000;
const startMs = 1_780_000_000_000;

/** Filters of equal size, told apart by a number. */
function made(number: number): StoredFilter {
  return storedFormOf({ ...passAll, dids: new Set([`did:plc:${String(number).padStart(24, 'a')}`]) });
}
const filterBytes = made(0).bytes.length;

function storing(limits: Partial<FilterStoreLimits> = {}) {
  const clock = { nowMs: startMs };
  const store = new FilterStore(
    {
      filtersMax: 100,
      bytesMax: 100 * filterBytes,
      filtersPerAddressMax: 100,
      bytesPerAddressMax: 100 * filterBytes,
      unusedMs: 24 * hourMs,
      ...limits,
    },
    () => clock.nowMs,
  );
  return {
    store,
    clock,
    put: (number: number, address = 'a') => store.put(made(number), address).outcome,
    hold: (number: number) => store.hold(made(number).id),
    release: (number: number) => store.release(made(number).id),
    /** Those of the first few that are there. */
    kept: (count: number) =>
      Array.from({ length: count }, (_, number) => number).filter((number) => store.look(made(number).id)),
  };
}

describe('a stored filter', () => {
  it('is described, and given to who asks', () => {
    const { store, clock } = storing();
    const { id, bytes, counts } = made(1);
    const description = { id, counts, expiresMs: startMs + 24 * hourMs };
    expect(store.put({ id, bytes, counts }, 'a')).toEqual({ outcome: 'stored', description });
    clock.nowMs += hourMs;
    expect(store.look(id)).toEqual(description);
    expect(store.put({ id, bytes, counts }, 'b')).toEqual({
      outcome: 'known',
      description: { ...description, expiresMs: clock.nowMs + 24 * hourMs },
    });
    expect(store.hold(id)).toBe(true);
    expect(store.bytesOf(id)).toBe(bytes);
    expect(store.stats()).toEqual({ filters: 1, bytes: bytes.length });
    expect([store.look(made(2).id), store.hold(made(2).id)]).toEqual([undefined, false]);
  });

  it('is forgotten a day after its last use', () => {
    const { store, clock, put, hold, release, kept } = storing();
    for (let number = 0; number < 4; number++) put(number);
    clock.nowMs += 20 * hourMs;
    put(1);
    hold(2);
    // Looking is no use.
    kept(4);
    clock.nowMs += 4 * hourMs - 1;
    expect(kept(4)).toEqual([0, 1, 2, 3]);
    clock.nowMs += 1;
    expect(kept(4)).toEqual([1, 2]);
    clock.nowMs += 100 * hourMs;
    expect(kept(4)).toEqual([2]);
    expect(store.look(made(2).id)?.expiresMs).toBe(clock.nowMs + 24 * hourMs);
    release(2);
    clock.nowMs += 24 * hourMs - 1;
    expect(kept(4)).toEqual([2]);
    clock.nowMs += 1;
    expect(store.stats()).toEqual({ filters: 0, bytes: 0 });
    expect(store.ended).toEqual({ expired: 4, pushed_out: 0 });
  });

  it('is in use until the last of its users is gone', () => {
    const { clock, put, hold, release, kept } = storing();
    put(0);
    hold(0);
    hold(0);
    release(0);
    clock.nowMs += 48 * hourMs;
    expect(kept(1)).toEqual([0]);
    release(0);
    clock.nowMs += 24 * hourMs;
    expect(kept(1)).toEqual([]);
  });
});

describe('room', () => {
  it.each([
    ['filters', { filtersPerAddressMax: 3 }],
    ['bytes', { bytesPerAddressMax: 3.5 * filterBytes }],
  ])('for one address is bounded in %s: what it used longest ago goes', (_name, limits) => {
    const { store, put, hold, release, kept } = storing(limits);
    for (const number of [0, 1, 2]) put(number);
    put(0);
    hold(1);
    expect(put(3)).toBe('stored');
    expect(kept(9)).toEqual([0, 1, 3]);
    expect(put(4, 'b')).toBe('stored');
    expect(kept(9)).toEqual([0, 1, 3, 4]);
    hold(0);
    hold(3);
    expect(put(5)).toBe('no_room_for_address');
    // What others have stored can be used by everyone.
    expect([put(4), put(3)]).toEqual(['known', 'known']);
    expect(kept(9)).toEqual([0, 1, 3, 4]);
    release(0);
    expect(put(5)).toBe('stored');
    expect(kept(9)).toEqual([1, 3, 4, 5]);
    expect(store.ended).toEqual({ expired: 0, pushed_out: 2 });
  });

  it.each([
    ['filters', { filtersMax: 3 }],
    ['bytes', { bytesMax: 3.5 * filterBytes }],
  ])('in all is bounded in %s', (_name, limits) => {
    const { put, hold, kept } = storing(limits);
    put(0, 'a');
    put(1, 'b');
    put(2, 'c');
    hold(0);
    expect(put(3, 'd')).toBe('stored');
    expect(kept(9)).toEqual([0, 2, 3]);
    hold(2);
    hold(3);
    expect(put(4, 'e')).toBe('no_room');
    expect(kept(9)).toEqual([0, 2, 3]);
  });

  it('is not made for one that is too large for it', () => {
    const { store, put, kept } = storing({ bytesPerAddressMax: filterBytes });
    put(0);
    const large = storedFormOf({ ...passAll, dids: new Set([`did:web:${'b'.repeat(filterBytes)}`]) });
    expect(store.put(large, 'a').outcome).toBe('no_room_for_address');
    expect(kept(1)).toEqual([0]);
  });

  it('cannot be taken from everybody by one', () => {
    const { put, kept } = storing({ filtersMax: 10, filtersPerAddressMax: 2 });
    for (const number of [0, 1, 2, 3, 4, 5, 6, 7]) put(number, `address ${number}`);
    for (let number = 100; number < 1000; number++) put(number, 'greedy');
    expect(kept(9)).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
  });

  it('is given back: counts are right after any number of puts, uses and ends', () => {
    const seed = 3;
    const random = seededRandom(seed);
    const { store, clock, put, hold, release } = storing({
      filtersMax: 12,
      filtersPerAddressMax: 5,
      bytesPerAddressMax: 4 * filterBytes,
    });
    const held: number[] = [];
    for (let step = 0; step < 5_000; step++) {
      const number = Math.floor(random() * 30);
      const roll = random();
      if (roll < 0.5) put(number, `address ${Math.floor(random() * 4)}`);
      else if (roll < 0.7) {
        if (hold(number)) held.push(number);
      } else if (roll < 0.9) {
        if (held.length > 0) release(held.splice(Math.floor(random() * held.length), 1)[0]);
      } else clock.nowMs += random() * 10 * hourMs;
      const { filters, bytes } = store.stats();
      expect(bytes, `seed ${seed}, step ${step}`).toBe(filters * filterBytes);
      expect(filters).toBeLessThanOrEqual(12);
      for (const one of held) expect(store.bytesOf(made(one).id)).toBeDefined();
    }
    for (const number of held) release(number);
    clock.nowMs += 24 * hourMs;
    expect(store.stats()).toEqual({ filters: 0, bytes: 0 });
    for (let number = 0; number < 4; number++) expect(put(number)).toBe('stored');
  });
});

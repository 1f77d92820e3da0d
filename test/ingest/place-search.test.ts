import { describe, expect, test } from 'vitest';
import { PlaceSearch, probesMax, searchMarginUs } from '../../lib/ingest/place-search.ts';
import { SeededRandom } from '../../lib/seeded-random.ts';

const secondUs = 1_000_000;
const nowUs = 1_800_000_000_000_000;

/** A relay as a search sees it: frames at times that rise, and what it answers to a cursor. */
class Relay {
  readonly #times: number[];
  readonly first: number;

  constructor(first: number, times: number[]) {
    this.first = first;
    this.#times = times;
  }

  get last(): number {
    return this.first + this.#times.length - 1;
  }

  timeOf(seq: number): number {
    return this.#times[seq - this.first];
  }

  /** The first frame of a connection; undefined when nothing comes. */
  answer(cursor: number | undefined): { seq: number; timeUs: number } | undefined {
    const seq = cursor === undefined ? this.last : Math.max(cursor + 1, this.first);
    return seq > this.last ? undefined : { seq, timeUs: this.timeOf(seq) };
  }
}

/** A relay of so many hours at a rate that changes from minute to minute. */
function relayOf(random: SeededRandom, hours: number, framesPerSecond: number): Relay {
  const times: number[] = [];
  let timeUs = nowUs - hours * 3600 * secondUs;
  let rate = framesPerSecond;
  while (timeUs < nowUs) {
    if (times.length % 1000 === 0) rate = framesPerSecond * (random.between(3, 23) / 10);
    timeUs += secondUs / rate;
    times.push(timeUs);
  }
  return new Relay(random.between(1, 1e10), times);
}

/** Runs a search to its end: the frame that it ends at, and how many connections it took. */
function run(search: PlaceSearch, relay: Relay): { seq: number | undefined; probes: number } {
  for (let probes = 1; ; probes++) {
    expect(probes).toBeLessThanOrEqual(probesMax);
    const place = relay.answer(search.cursor);
    const isOver = place === undefined ? search.sawNothing() : search.saw(place);
    if (isOver) return { seq: place?.seq, probes };
  }
}

describe('PlaceSearch', () => {
  test('finds the time, from nothing or from an old place, in few connections', () => {
    const random = new SeededRandom('place', 'place');
    let most = 0;
    for (let at = 0; at < 60; at++) {
      const relay = relayOf(random, random.between(1, 3), random.pick([5, 50, 300]));
      const newestUs = nowUs - random.between(0, 1800) * secondUs;
      const known = random.chance(0.5) ? random.between(relay.first, relay.last) : undefined;
      const search = new PlaceSearch(newestUs, known);
      const { seq = 0, probes } = run(search, relay);
      most = Math.max(most, probes);
      expect(search.isJoined).toBe(true);
      const isKnown = known !== undefined && relay.timeOf(known) > newestUs - searchMarginUs - secondUs;
      // Nothing that was not taken lies before it, and not much that was lies after it.
      if (!isKnown) expect(relay.timeOf(seq)).toBeLessThanOrEqual(newestUs - searchMarginUs);
      if (!isKnown) expect(newestUs - relay.timeOf(seq)).toBeLessThan(60 * secondUs);
    }
    expect(most).toBeLessThanOrEqual(8);
  });

  test('a relay that keeps less than that begins where it begins, and is not joined', () => {
    const relay = relayOf(new SeededRandom('place', 'short'), 0.2, 50);
    const search = new PlaceSearch(nowUs - 3600 * secondUs, undefined);
    expect(run(search, relay).seq).toBe(relay.first);
    expect(search.isJoined).toBe(false);
  });

  test('a relay that is behind is followed from where it is', () => {
    const relay = new Relay(100, [nowUs - 100 * secondUs]);
    const search = new PlaceSearch(nowUs, undefined);
    expect(run(search, relay)).toEqual({ seq: 100, probes: 1 });
    expect(search.isJoined).toBe(true);
  });

  test('a quiet relay is asked for all that it has', () => {
    const search = new PlaceSearch(nowUs, undefined);
    expect(search.sawNothing()).toBe(false);
    expect(search.cursor).toBe(0);
    expect(search.saw({ seq: 1, timeUs: nowUs - 5 * secondUs })).toBe(true);
    expect(search.isJoined).toBe(true);
    const empty = new PlaceSearch(nowUs, undefined);
    empty.sawNothing();
    expect(empty.sawNothing()).toBe(true);
  });

  test('a relay that was only slow to begin is not read from the first frame that it keeps', () => {
    const relay = relayOf(new SeededRandom('place', 'slow'), 20, 50);
    const search = new PlaceSearch(nowUs, undefined);
    expect([search.sawNothing(), search.cursor]).toEqual([false, 0]);
    const { seq = 0 } = run(search, relay);
    expect(nowUs - relay.timeOf(seq)).toBeLessThan(2 * searchMarginUs + secondUs);
    expect([relay.timeOf(seq) <= nowUs - searchMarginUs, search.isJoined]).toEqual([true, true]);
  });

  test('a quiet relay is listened to once more before all that it has is taken for little', () => {
    const search = new PlaceSearch(nowUs, undefined);
    const old = { seq: 100, timeUs: nowUs - 900 * secondUs };
    expect([search.sawNothing(), search.cursor, search.saw(old)]).toEqual([false, 0, false]);
    expect([search.cursor, search.sawNothing(), search.cursor]).toEqual([undefined, false, 99]);
    expect([search.saw(old), search.isJoined]).toEqual([true, true]);
  });

  test('a quiet relay with an old place is asked for what came after it', () => {
    const search = new PlaceSearch(nowUs, 500);
    expect(search.saw({ seq: 501, timeUs: nowUs - 900 * secondUs })).toBe(false);
    for (const isOver of [false, true]) {
      expect([search.cursor, search.sawNothing(), search.cursor]).toEqual([undefined, false, 500]);
      expect(search.saw({ seq: 501, timeUs: nowUs - 900 * secondUs })).toBe(isOver);
    }
    expect(search.isJoined).toBe(true);
  });

  test('a known place with nothing after it is the place', () => {
    const search = new PlaceSearch(nowUs, 500);
    expect(search.sawNothing()).toBe(true);
    expect([search.isJoined, search.cursor]).toEqual([true, 500]);
  });

  test('a relay that refuses every cursor is followed live', () => {
    const search = new PlaceSearch(nowUs, 500);
    search.refused();
    expect(search.cursor).toBeUndefined();
    expect(search.saw({ seq: 77, timeUs: nowUs + secondUs })).toBe(false);
    expect(search.cursor).toBe(0);
    search.refused();
    expect(search.saw({ seq: 78, timeUs: nowUs + secondUs })).toBe(true);
    expect(search.isJoined).toBe(false);
  });

  test('frames without a time are followed where they are', () => {
    expect(new PlaceSearch(nowUs, undefined).saw({ seq: 1, timeUs: Number.NaN })).toBe(true);
  });

  test('a relay that lies about its times ends the search', () => {
    const random = new SeededRandom('place', 'liar');
    for (let at = 0; at < 2000; at++) {
      const search = new PlaceSearch(nowUs, random.chance(0.5) ? random.between(0, 1e9) : undefined);
      let probes = 0;
      for (let isOver = false; !isOver; probes++) {
        const { cursor } = search;
        if (cursor !== undefined) expect(Number.isSafeInteger(cursor) && cursor >= 0).toBe(true);
        isOver = random.chance(0.1)
          ? search.sawNothing()
          : search.saw({ seq: random.between(0, 2e9), timeUs: nowUs + random.between(-1e12, 1e12) });
      }
      expect(probes).toBeLessThanOrEqual(probesMax);
    }
  });
});

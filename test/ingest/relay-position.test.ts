import { describe, expect, test } from 'vitest';
import {
  fallFrames,
  heldBytesMax,
  leapFrames,
  leapMax,
  refusalsMin,
  refusalsMsMin,
  staleFramesMax,
  staleFramesMin,
  staleMsMin,
} from '../../lib/ingest/relay-position.ts';
import { takenFramesMax } from '../../lib/ingest/taken-frames.ts';
import { FrameMaker, PositionSeat, type TestFrame } from './position-seat.ts';

const idsOf = (frames: readonly TestFrame[]): number[] => frames.map(({ id }) => id);
const upTo = (count: number): number[] => Array.from({ length: count }, (_, at) => at + 1);

/** A relay at 1,000,001, and a position that has taken its first `frames`. */
function started(frames = 100): { seat: PositionSeat; relay: FrameMaker; history: TestFrame[] } {
  const relay = new FrameMaker(1_000_001);
  const seat = new PositionSeat();
  const history = relay.some(frames);
  for (const frame of history) seat.give(frame);
  return { seat, relay, history };
}

/** A position of a process that began after those frames had been stored. */
function restarted(frames = 100): ReturnType<typeof started> {
  const { relay, history } = started(frames);
  const seat = new PositionSeat(history[frames - 1].seq, relay.timeUs);
  return { seat, relay, history };
}

describe('frames that go on', () => {
  test('are taken and confirmed, also after small steps', () => {
    const { seat, relay } = started(10);
    relay.seq += leapMax - 1;
    seat.give(relay.next());
    seat.give(relay.next());
    expect(seat.taken).toEqual(upTo(12));
    expect(seat.position.confirmed).toBe(relay.seq - 1);
    expect([seat.outcomes, seat.stale, seat.position.isHolding]).toEqual([[], 0, false]);
  });

  test('the first of a relay is where we are, whatever its number', () => {
    for (const seq of [0, 1, 5, leapMax, 2 ** 52]) {
      const seat = new PositionSeat();
      expect(seat.position.confirmed).toBeUndefined();
      seat.give({ seq, id: 1, timeUs: 5 });
      expect([seat.position.confirmed, seat.taken, seat.names]).toEqual([seq, [1], []]);
    }
  });

  test('the log says where to go on, and an override is stronger', () => {
    const seat = new PositionSeat(500, 10);
    expect(seat.position.confirmed).toBe(500);
    seat.position.resumeAfter(300);
    seat.give({ seq: 301, id: 1, timeUs: 5 });
    expect([seat.position.confirmed, seat.taken]).toEqual([301, [1]]);
  });
});

describe('a leap', () => {
  test('one odd number far ahead is taken, and nothing after it is lost', () => {
    const { seat, relay } = started();
    const confirmed = seat.position.confirmed as number;
    const odd = relay.odd(relay.seq + 1_000_000);
    seat.give(odd);
    expect(seat.position.confirmed).toBe(confirmed);
    for (const frame of relay.some(300)) seat.give(frame);
    expect(seat.taken).toEqual(upTo(401));
    expect(seat.outcomes).toEqual([{ name: 'odd_sequence', from: confirmed, to: odd.seq }]);
    expect(seat.position.confirmed).toBe(confirmed + 300);
  });

  test('that goes on is followed, and told', () => {
    const { seat, relay } = started();
    const from = seat.position.confirmed as number;
    relay.seq += 5_000_000;
    const to = relay.seq;
    for (const frame of relay.some(leapFrames - 1)) seat.give(frame);
    expect([seat.position.confirmed, seat.names]).toEqual([from, []]);
    seat.give(relay.next());
    expect(seat.outcomes).toEqual([{ name: 'relay_gap', from, to }]);
    expect(seat.position.confirmed).toBe(relay.seq - 1);
    expect(seat.taken).toEqual(upTo(100 + leapFrames));
  });

  test('of one more than a usual step is one', () => {
    const { seat, relay } = started();
    relay.seq += leapMax;
    for (const frame of relay.some(leapFrames)) seat.give(frame);
    expect(seat.names).toEqual(['relay_gap']);
  });

  test('several odd numbers in a row are each taken', () => {
    const { seat, relay } = started();
    for (const by of [9_000_000, 8_000_000, 5_000_000, 5_000_001, 2_000_000])
      seat.give(relay.odd(relay.seq + by));
    for (const frame of relay.some(20)) seat.give(frame);
    expect(seat.taken).toEqual(upTo(125));
    expect(seat.position.confirmed).toBe(relay.seq - 1);
    expect(new Set(seat.names)).toEqual(new Set(['odd_sequence']));
  });

  test('that a reconnect interrupts comes again, once', () => {
    const { seat, relay } = started();
    relay.seq += 5_000_000;
    const before = relay.some(leapFrames - 2);
    for (const frame of before) seat.give(frame);
    seat.expire();
    expect(seat.taken).toEqual(upTo(100 + before.length));
    // The relay is asked for what is after the confirmed one.
    for (const frame of [...before, ...relay.some(10)]) seat.give(frame);
    expect(seat.taken).toEqual(upTo(110 + before.length));
    expect(seat.names).toEqual(['relay_gap']);
    expect(seat.position.confirmed).toBe(relay.seq - 1);
  });

  test('an odd frame that comes again at every reconnect is taken once', () => {
    const { seat, relay } = started();
    const odd = relay.odd(relay.seq + 70_000_000);
    for (let connection = 0; connection < 5; connection++) {
      seat.give(odd);
      seat.expire();
      for (const frame of relay.some(10)) seat.give(frame);
    }
    expect(seat.taken).toEqual([...upTo(151)]);
  });

  test('at the end of a process is left to the relay', () => {
    const { seat, relay } = started();
    relay.seq += 5_000_000;
    seat.give(relay.next());
    seat.expire(true);
    expect([seat.taken, seat.position.isHolding]).toEqual([upTo(100), false]);
  });

  test('a relay whose every step is long is followed without a word', () => {
    const { seat, relay } = started();
    let told = 0;
    for (let frame = 0; frame < 1000; frame++) {
      relay.seq += 20_000 + ((frame * 7919) % 30_000);
      seat.give(relay.next());
      if (frame === 20) told = seat.outcomes.length;
    }
    expect(seat.taken).toEqual(upTo(1100));
    expect([told, seat.outcomes.length]).toEqual([told, told]);
    expect(seat.position.confirmed).toBe(relay.seq - 1);
  });

  test('frames too large to wait with are not waited with', () => {
    const { seat, relay } = started();
    relay.seq += 5_000_000;
    seat.give({ ...relay.next(), byteLength: heldBytesMax + 1 });
    expect(seat.position.isHolding).toBe(false);
    expect(seat.taken).toEqual(upTo(101));
    for (const frame of relay.some(leapFrames - 1)) seat.give(frame);
    expect(seat.names).toEqual(['relay_gap']);
  });
});

describe('lower numbers', () => {
  test('that come again are dropped, on any connection, from anywhere', () => {
    const { seat, history, relay } = started(2000);
    for (const from of [0, 1, 1000, 1990, 1999]) {
      for (const frame of history.slice(from)) seat.give(frame);
    }
    seat.give(relay.next());
    expect(seat.taken).toEqual(upTo(2001));
    expect([seat.stale, seat.names]).toEqual([2000 + 1999 + 1000 + 10 + 1, []]);
  });

  test('are followed, with every frame, once they are new', () => {
    for (const first of [1, 500_000, 1_000_001, 1_000_060]) {
      const { seat, relay } = started();
      const from = seat.position.confirmed as number;
      relay.seq = first;
      for (const frame of relay.some(fallFrames - 1)) seat.give(frame);
      expect(seat.position.confirmed).toBe(from);
      for (const frame of relay.some(1000)) seat.give(frame);
      expect(seat.taken).toEqual(upTo(1099 + fallFrames));
      expect(seat.outcomes).toEqual([{ name: 'new_numbering', from, to: first }]);
      expect([seat.position.confirmed, seat.stale]).toEqual([relay.seq - 1, 0]);
    }
  });

  test('are followed also when many servers are late with their clocks', () => {
    const { seat, relay } = started();
    relay.seq = 7;
    for (let frame = 0; frame < 200; frame++) {
      seat.give(relay.next(relay.timeUs - (frame % 3 === 0 ? 3_600_000_000 : 0)));
    }
    expect(seat.taken).toEqual(upTo(300));
    expect(seat.names).toEqual(['new_numbering']);
  });

  test('are not followed for the few servers whose clocks are ahead', () => {
    const { seat, relay, history } = restarted(5000);
    const ahead = history.map((frame, at) =>
      at % 3 === 0 ? { ...frame, timeUs: frame.timeUs + 3_600_000_000 } : frame,
    );
    for (const frame of [...ahead, ...relay.some(10)]) seat.give(frame);
    expect(idsOf(relay.some(1))[0]).toBe(5011);
    expect(seat.taken).toEqual(upTo(5010).slice(5000));
    expect([seat.stale, seat.names]).toEqual([5000, []]);
  });

  test('clocks that are ahead before do not keep us from following', () => {
    const { seat, relay } = restarted(16);
    for (let frame = 0; frame < 300; frame++) {
      seat.give(relay.next(relay.timeUs + (frame % 3 === 0 ? 1e15 : 0)));
    }
    relay.seq = 1;
    for (const frame of relay.some(fallFrames)) seat.give(frame);
    expect(seat.taken).toEqual(upTo(316 + fallFrames).slice(16));
  });

  test('after a restart, what was stored is known by its times', () => {
    const { seat, relay, history } = restarted();
    for (const frame of history) seat.give(frame);
    for (const frame of relay.some(5)) seat.give(frame);
    expect(seat.taken).toEqual([101, 102, 103, 104, 105]);
    // Again, when the process has frames of its own to compare with.
    for (const frame of history) seat.give(frame);
    seat.give(relay.next());
    expect(seat.taken).toEqual([101, 102, 103, 104, 105, 106]);
    expect(seat.names).toEqual([]);
  });

  test('after a restart, a new numbering is followed at once', () => {
    const { seat, relay } = restarted();
    relay.seq = 12;
    for (const frame of relay.some(50)) seat.give(frame);
    expect(seat.taken).toEqual(upTo(150).slice(100));
    expect(seat.names).toEqual(['new_numbering']);
  });

  test('what came before we had the relay is taken, once: it is new to us', () => {
    const { relay, history } = started(10_000);
    const seat = new PositionSeat();
    for (const frame of history.slice(9000)) seat.give(frame);
    for (const frame of [...history, ...relay.some(10)]) seat.give(frame);
    expect(seat.taken.toSorted((one, other) => one - other)).toEqual(upTo(10_010));
    expect(seat.stale).toBe(1000);
  });

  test('a resent history longer than memory is dropped', () => {
    const { seat, relay, history } = started(takenFramesMax + 20_000);
    for (const frame of [...history, ...relay.some(10)]) seat.give(frame);
    expect(seat.taken.length).toBe(history.length + 10);
    expect([seat.stale, seat.names]).toEqual([history.length, []]);
  });

  test('an odd low number is taken, and the old ones go on', () => {
    const { seat, relay } = started();
    const from = seat.position.confirmed;
    seat.give(relay.odd(3));
    for (const frame of relay.some(10)) seat.give(frame);
    expect(seat.taken).toEqual(upTo(111));
    expect(seat.outcomes).toEqual([{ name: 'odd_sequence', from, to: 3 }]);
    expect(seat.position.confirmed).toBe(relay.seq - 1);
  });

  test('two frames in the wrong order are both taken, however old', () => {
    const { seat, relay } = started();
    const [early, late] = [relay.next(0), relay.next()];
    for (const frame of [late, early, ...relay.some(3)]) seat.give(frame);
    expect(seat.taken.toSorted((one, other) => one - other)).toEqual(upTo(105));
    expect(seat.stale).toBe(0);
  });

  test('few of them are not waited with for ever', () => {
    const { seat, relay } = started();
    relay.seq = 9;
    for (const frame of relay.some(3)) seat.give(frame);
    expect([seat.position.isHolding, seat.taken.length]).toEqual([true, 100]);
    seat.expire();
    expect([seat.position.isHolding, seat.taken.length]).toEqual([false, 103]);
    expect(seat.position.confirmed).toBe(1_000_100);
    for (const frame of relay.some(fallFrames - 3)) seat.give(frame);
    expect(seat.taken).toEqual(upTo(100 + fallFrames));
    expect([seat.names, seat.position.confirmed]).toEqual([['new_numbering'], relay.seq - 1]);
  });

  test('and back again: nothing twice, nothing missing', () => {
    const { seat, relay } = started();
    const high = relay.seq;
    relay.seq = 1;
    const low = relay.some(100);
    for (const frame of low) seat.give(frame);
    relay.seq = high;
    for (const frame of relay.some(100)) seat.give(frame);
    for (const frame of low) seat.give(frame);
    relay.seq = 101;
    for (const frame of relay.some(100)) seat.give(frame);
    expect(seat.taken).toEqual(upTo(400));
    expect(seat.names).toEqual(['new_numbering', 'relay_gap', 'new_numbering']);
  });
});

describe('times that lie', () => {
  /** Feeds honest frames whose time is always the same old one, at a rate, until one is taken; how many were dropped. */
  function droppedAt(
    framesPerSecond: number,
    between: (seat: PositionSeat, relay: FrameMaker) => void,
  ): number {
    const { seat, relay } = restarted();
    for (const frame of relay.some(100)) seat.give(frame);
    const normal = new FrameMaker(1_000_201);
    relay.seq = 1;
    let given = 0;
    while (seat.stale < 2_000_000) {
      seat.nowMs += 1000 / framesPerSecond;
      seat.give({ ...relay.next(), timeUs: 0 });
      between(seat, normal);
      given++;
      if (seat.outcomes.length > 0) break;
    }
    expect(given).toBeLessThanOrEqual(seat.stale + 2 * fallFrames);
    return seat.stale;
  }
  const nothing = (): void => {};

  test('cannot drop more than a minute, or so many frames of a quiet relay', () => {
    const most = (framesPerSecond: number): number =>
      Math.max(staleFramesMin, (framesPerSecond * staleMsMin) / 1000) + 2 * fallFrames;
    for (const framesPerSecond of [0.1, 1, 50, 500, 2100]) {
      const dropped = droppedAt(framesPerSecond, nothing);
      expect(dropped).toBeLessThanOrEqual(most(framesPerSecond));
      expect(dropped).toBeGreaterThanOrEqual(most(framesPerSecond) - 3 * fallFrames);
    }
  });

  test('cannot drop more than the most, however fast', () => {
    const dropped = droppedAt(1e6, nothing);
    expect(dropped).toBeLessThanOrEqual(staleFramesMax);
    expect(dropped).toBeGreaterThan(staleFramesMax - 2 * fallFrames);
  });

  test('nor between frames that go on', () => {
    let id = 5_000_000;
    const dropped = droppedAt(500, (seat, normal) => seat.give({ ...normal.next(), id: id++ }));
    expect(dropped).toBeLessThanOrEqual((500 * staleMsMin) / 1000 + 2 * fallFrames);
  });

  test('a repetition that was cut off is forgotten once frames go on', () => {
    const { seat, relay, history } = restarted(4000);
    for (const frame of history.slice(0, 1500)) seat.give(frame);
    for (const frame of relay.some(leapMax + 20)) seat.give(frame);
    seat.nowMs += 10 * staleMsMin;
    for (const frame of history.slice(0, 1500)) seat.give(frame);
    seat.give(relay.next());
    expect([seat.taken.length, seat.stale, seat.names]).toEqual([leapMax + 21, 3000, []]);
  });

  test('none at all: numbers alone decide, while memory reaches', () => {
    const relay = new FrameMaker(1_000_001);
    const seat = new PositionSeat();
    const timeless = (frames: TestFrame[]): TestFrame[] =>
      frames.map((frame) => ({ ...frame, timeUs: Number.NaN }));
    const history = timeless(relay.some(1000));
    for (const frame of [...history, ...history.slice(500)]) seat.give(frame);
    relay.seq = 17;
    for (const frame of timeless(relay.some(100))) seat.give(frame);
    expect(seat.taken).toEqual(upTo(1100));
    expect([seat.stale, seat.names]).toEqual([500, ['new_numbering']]);
  });

  test('all the same: numbers alone decide, too', () => {
    const relay = new FrameMaker(1_000_001);
    const seat = new PositionSeat();
    const timed = (frames: TestFrame[]): TestFrame[] => frames.map((frame) => ({ ...frame, timeUs: 7e15 }));
    const history = timed(relay.some(1000));
    for (const frame of [...history, ...history.slice(500)]) seat.give(frame);
    relay.seq = 17;
    for (const frame of timed(relay.some(100))) seat.give(frame);
    expect(seat.taken).toEqual(upTo(1100));
  });
});

describe('FutureCursor', () => {
  test('is not believed at once, nor for few answers or for a short time', () => {
    const { seat } = started();
    for (let answer = 1; answer < refusalsMin; answer++) {
      expect(seat.position.refused(seat.nowMs + answer * refusalsMsMin)).toBe(false);
    }
    expect(seat.position.refused(seat.nowMs + refusalsMin * refusalsMsMin)).toBe(true);
    const other = started().seat;
    for (let answer = 0; answer < 50; answer++) expect(other.position.refused(500)).toBe(false);
    expect(other.position.confirmed).toBe(1_000_100);
  });

  test('is forgotten once a frame goes on', () => {
    const { seat, relay } = started();
    for (let answer = 1; answer < refusalsMin; answer++) seat.position.refused(0);
    seat.give(relay.next());
    expect(seat.position.refused(refusalsMsMin * 2)).toBe(false);
    expect(seat.taken).toEqual(upTo(101));
  });

  test('when it is believed, the next frame is where we are, and nothing comes twice', () => {
    const { seat, relay, history } = started();
    seat.position.forget();
    expect(seat.position.confirmed).toBeUndefined();
    expect(seat.outcomes).toEqual([{ name: 'started_over', from: 1_000_100, to: undefined }]);
    for (const frame of history.slice(50)) seat.give(frame);
    relay.seq = 5;
    for (const frame of relay.some(10)) seat.give(frame);
    expect(seat.taken).toEqual(upTo(110));
    expect(seat.position.confirmed).toBe(14);
  });
});

import { describe, expect, test } from 'vitest';
import { frameTypes } from '../../lib/decode/frame.ts';
import {
  endsMin,
  fallFrames,
  leapFrames,
  refusalsMin,
  refusalsMsMin,
  staleFramesMin,
  staleMsMin,
} from '../../lib/ingest/relay-position.ts';
import { takenFramesMin } from '../../lib/ingest/taken-frames.ts';
import { leapMax, leapMin, stepsMax } from '../../lib/ingest/usual-steps.ts';
import {
  droppedAt,
  FrameMaker,
  keyedFrame,
  PositionSeat,
  restarted,
  started,
  type TestFrame,
} from './position-seat.ts';

const idsOf = (frames: readonly TestFrame[]): number[] => frames.map(({ id }) => id);
const upTo = (count: number): number[] => Array.from({ length: count }, (_, at) => at + 1);

describe('frames that go on', () => {
  test('are taken and confirmed, also after small steps', () => {
    const { seat, relay } = started(10);
    relay.seq += leapMin - 1;
    seat.give(relay.next());
    seat.give(relay.next());
    expect(seat.taken).toEqual(upTo(12));
    expect(seat.position.confirmed).toBe(relay.seq - 1);
    expect([seat.outcomes, seat.stale]).toEqual([[], 0]);
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
    const seat = new PositionSeat(500);
    expect(seat.position.confirmed).toBe(500);
    seat.position.resumeAfter(300);
    seat.give({ seq: 301, id: 1, timeUs: 5 });
    expect([seat.position.confirmed, seat.taken]).toEqual([301, [1]]);
  });
});

describe('a start that the operator asks for', () => {
  const above = 30_000_000_000;

  test('asks for it until a frame comes, and that is where we are: no hole where nothing was before', () => {
    for (const seq of [0, 12_345, above]) {
      const seat = new PositionSeat();
      seat.position.startAfter(seq);
      expect([seat.position.cursor, seat.position.confirmed]).toEqual([seq, undefined]);
      const relay = new FrameMaker(above);
      for (const frame of relay.some(100)) seat.give(frame);
      expect([seat.position.confirmed, seat.taken, seat.outcomes]).toEqual([above + 99, upTo(100), []]);
    }
  });

  test('at what the log does not reach leaves out what is between the log and the first frame, and says that', () => {
    for (const seq of [0, above - 1, above + 1]) {
      const { seat } = restarted();
      const from = seat.position.confirmed as number;
      seat.position.startAfter(seq);
      expect([seat.position.cursor, seat.position.confirmed]).toEqual([seq, from]);
      const relay = new FrameMaker(above);
      for (const frame of relay.some(100)) seat.give(frame);
      expect(seat.outcomes).toEqual([{ name: 'relay_gap', from, to: above, isHole: true }]);
      expect([seat.position.confirmed, seat.taken.length]).toEqual([above + 99, 100]);
    }
  });

  test('below what the log has takes it again, and says that', () => {
    const { seat, history, relay } = restarted();
    seat.position.startAfter(history[49].seq);
    expect(seat.position.cursor).toBe(history[49].seq);
    for (const frame of [...history.slice(50), ...relay.some(20)]) seat.give(frame);
    const to = history[50].seq;
    expect(seat.outcomes).toEqual([{ name: 'set_back', from: history[99].seq, to, isHole: true }]);
    expect([seat.position.confirmed, seat.taken.length]).toEqual([relay.seq - 1, 70]);
  });

  test('that the relay refuses, or that a frame ends, is over or goes on behind it', () => {
    const { seat } = restarted();
    seat.position.startAfter(50);
    for (let ends = 0; ends < endsMin; ends++) seat.position.ended();
    expect(seat.position.cursor).toBe(51);
    seat.position.forget();
    expect(seat.position.cursor).toBeUndefined();
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
    expect(seat.outcomes).toEqual([{ name: 'odd_sequence', from: confirmed, to: odd.seq, isHole: false }]);
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
    expect(seat.outcomes).toEqual([{ name: 'relay_gap', from, to, isHole: true }]);
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
    expect(seat.taken).toEqual(upTo(100 + before.length));
    // The relay is asked for what is after the confirmed one.
    for (const frame of [...before, ...relay.some(10)]) seat.give(frame);
    expect(seat.taken).toEqual(upTo(110 + before.length));
    expect(seat.names).toEqual(['relay_gap']);
    expect(seat.position.confirmed).toBe(relay.seq - 1);
  });

  test('that a restart interrupts comes again, once, however many frames of it had come', () => {
    const { seat, relay, history } = started();
    relay.seq += 1_000_000;
    // Two of them in the wrong order: the run begins anew, and more frames than make a leap are in doubt.
    const leap = relay.some(leapFrames + 1);
    const came = [leap[0], leap[1], leap[leapFrames], ...leap.slice(2, leapFrames)];
    for (const frame of came) seat.give(frame);
    const next = new PositionSeat(seat.position.confirmed, [...history, ...leap]);
    for (const frame of [...leap, ...relay.some(10)]) next.give(frame);
    expect([next.taken.length, next.stale, next.names]).toEqual([10, leapFrames + 1, ['relay_gap']]);
  });

  test('an odd frame that comes again at every reconnect is taken once', () => {
    const { seat, relay } = started();
    const odd = relay.odd(relay.seq + 70_000_000);
    for (let connection = 0; connection < 5; connection++) {
      seat.give(odd);
      for (const frame of relay.some(10)) seat.give(frame);
    }
    expect(seat.taken).toEqual([...upTo(151)]);
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
});

describe('a message that ends every connection', () => {
  test('is stepped over after a few ends at the same place, and further each time', () => {
    const { seat, relay } = started();
    const { position } = seat;
    const from = position.confirmed as number;
    for (let end = 1; end < endsMin; end++) {
      position.ended();
      expect(position.cursor).toBe(from);
    }
    for (const skip of [1, 2, 4]) {
      position.ended();
      expect([position.cursor, position.confirmed]).toEqual([from + skip, from]);
    }
    relay.seq = from + 5;
    const to = relay.seq;
    for (const frame of relay.some(10)) seat.give(frame);
    expect(seat.outcomes).toEqual([{ name: 'frame_skipped', from, to, isHole: true }]);
    expect([position.cursor, position.confirmed]).toEqual([to + 9, to + 9]);
    expect(seat.taken).toEqual(upTo(110));
  });

  test('at another place each time is not', () => {
    const { seat, relay } = started();
    for (let end = 0; end < 10; end++) {
      seat.position.ended();
      expect(seat.position.cursor).toBe(relay.seq - 1);
      seat.give(relay.next());
      expect(seat.position.cursor).toBe(relay.seq - 1);
    }
    expect(seat.names).toEqual([]);
  });

  test('is told when the relay goes on far above, too', () => {
    const { seat, relay } = started();
    for (let end = 0; end < endsMin; end++) seat.position.ended();
    relay.seq += 5_000_000;
    for (const frame of relay.some(leapFrames)) seat.give(frame);
    expect(seat.names).toEqual(['frame_skipped']);
  });
});

describe('steps', () => {
  test('that a relay takes often are no gap, and are learned', () => {
    const { seat, relay } = started(stepsMax * 2);
    for (const step of [20, 40, 80, 160]) {
      for (let frame = 0; frame < 4 * stepsMax; frame++) {
        if (frame % 10 === 0) relay.seq += step - 1;
        seat.give(relay.next());
      }
    }
    expect(seat.names).toEqual([]);
    relay.seq += leapMax;
    for (const frame of relay.some(leapFrames)) seat.give(frame);
    expect(seat.names).toEqual(['relay_gap']);
  });

  test('that are longer are told each time', () => {
    const { seat, relay } = started(stepsMax * 2);
    for (let gap = 0; gap < 5; gap++) {
      relay.seq += 300;
      for (const frame of relay.some(20)) seat.give(frame);
    }
    expect(seat.names).toEqual(Array(5).fill('relay_gap'));
  });

  test('are short again once the relay leaves out nothing', () => {
    const { seat, relay } = started();
    relay.seq += 100;
    for (const frame of relay.some(3 * stepsMax)) seat.give(frame);
    relay.seq += leapMin;
    for (const frame of relay.some(leapFrames)) seat.give(frame);
    expect(seat.names).toEqual(['relay_gap', 'relay_gap']);
  });
});

describe('another relay, or other numbers', () => {
  test('what both have comes once, and then it goes on', () => {
    const { seat, history } = started(2000);
    const other = seat.positionAt();
    other.restart();
    // The other relay has the same commits in another order and under its own numbers.
    const swapped = history.slice(1000).map((frame, at) => ({ ...frame, seq: 77_000 + (at ^ 1) }));
    swapped.sort((one, another) => one.seq - another.seq);
    for (const frame of swapped) expect(seat.give(frame, other)).toBe(false);
    const more = new FrameMaker(78_000);
    for (const frame of more.some(500)) seat.give({ ...frame, id: frame.id + 1_000_000 }, other);
    expect(seat.taken.length).toBe(2500);
    expect(other.confirmed).toBe(78_499);
  });

  test('and back again', () => {
    const { seat, relay, history } = started(1000);
    const other = seat.positionAt();
    other.restart();
    const more = relay.some(500);
    const numbered = [...history.slice(500), ...more].map((frame, at) => ({ ...frame, seq: 9_000 + at }));
    for (const frame of numbered) seat.give(frame, other);
    expect(seat.taken).toEqual(upTo(1500));
    seat.position.overlap();
    for (const frame of [...more, ...relay.some(100)]) seat.give(frame);
    expect(seat.taken).toEqual(upTo(1600));
    expect(seat.names).toEqual([]);
  });

  test('a process that is killed meanwhile goes on comparing', () => {
    const { seat, history } = started(1000);
    const other = seat.positionAt();
    other.restart();
    const numbered = history.slice(500).map((frame, at) => ({ ...frame, seq: 9_000 + at }));
    for (const frame of numbered.slice(0, 100)) seat.give(frame, other);
    const next = new PositionSeat(other.confirmed, history, true, seat.times.overlapUntilUs);
    for (const frame of numbered.slice(100)) next.give(frame);
    expect(next.taken).toEqual([]);
  });

  test.each([1, 0])(
    'what goes on after a restart is taken, however short a time memory reaches (%d ms a frame)',
    (msPerFrame) => {
      const { seat: before, relay } = started(0);
      const timed = (frames: TestFrame[]): TestFrame[] =>
        frames.map((frame) => (msPerFrame > 0 ? frame : { ...frame, timeUs: 1_800_000_000_000_000 }));
      const history = timed(relay.some(3000));
      for (const frame of history) before.give(frame);
      const overlapUntilUs = (history.at(-1)?.timeUs ?? 0) + 30_000_000;
      const seat = new PositionSeat(relay.seq - 1, history.slice(-1000), false, overlapUntilUs);
      for (const frame of timed(relay.some(2000))) seat.give(frame);
      expect(seat.taken.length).toBe(2000);
    },
  );

  test('events of one account that say the same in the same millisecond are as many as there are numbers', () => {
    const { seat, history } = started();
    const other = seat.positionAt();
    other.restart();
    const { timeUs } = history[99];
    const verdicts = [1, 2, 3].map((seq) =>
      other.offer(keyedFrame({ seq, id: 7, timeUs }, frameTypes.account), 0),
    );
    expect(verdicts).toEqual(['take', 'take', 'take']);
    const third = seat.positionAt();
    third.restart();
    expect(third.offer(keyedFrame({ seq: 9, id: 7, timeUs }, frameTypes.account), 0)).toBe('repeat');
  });

  test('frames that say the same under two numbers of one numbering are two', () => {
    const { seat, relay } = started();
    for (const frame of relay.some(50)) seat.give({ ...frame, id: (frame.id % 5) + 1 });
    expect([seat.taken.length, seat.stale]).toEqual([150, 0]);
  });

  test('frames that say the same under many numbers are known by their numbers when they come again', () => {
    const relay = new FrameMaker(1_000_001);
    const seat = new PositionSeat();
    // Longer than one half of memory, so that both know of them.
    const frames = relay.some(takenFramesMin + 5000).map((frame) => ({ ...frame, id: (frame.id % 5) + 1 }));
    for (const frame of frames) seat.give(frame);
    for (const from of [-5, -100, -10_000]) for (const frame of frames.slice(from)) seat.give(frame);
    expect([seat.taken.length, seat.stale, seat.names]).toEqual([frames.length, 10_105, []]);
  });

  test('frames that say the same under many numbers are none of them known under lower ones', () => {
    const relay = new FrameMaker(1_000_001);
    const seat = new PositionSeat();
    for (const frame of relay.some(100)) seat.give({ ...frame, id: (frame.id % 5) + 1 });
    relay.seq = 1;
    for (const frame of relay.some(100)) seat.give({ ...frame, id: (frame.id % 5) + 1 });
    expect([seat.taken.length, seat.stale, seat.names]).toEqual([200, 0, ['new_numbering']]);
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
      expect(seat.outcomes).toEqual([{ name: 'new_numbering', from, to: first, isHole: true }]);
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
    const { seat, relay, history } = started(2 * takenFramesMin + 20_000);
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
    expect(seat.outcomes).toEqual([{ name: 'odd_sequence', from, to: 3, isHole: false }]);
    expect(seat.position.confirmed).toBe(relay.seq - 1);
  });

  test('a number that has come, among new ones, says that the relay repeats itself', () => {
    const seat = new PositionSeat();
    const relay = new FrameMaker(1_000_001);
    const history = Array.from({ length: 4 * fallFrames }, () => {
      relay.seq++;
      return relay.next();
    });
    for (const frame of history) seat.give(frame);
    const { length } = seat.taken;
    for (let at = 0; at < 2 * fallFrames - 2; at++) {
      if (at === fallFrames - 1) seat.give(history[at]);
      seat.give(relay.odd(history[at].seq + 1));
    }
    expect(seat.taken).toHaveLength(length + 2 * fallFrames - 2);
    expect(seat.names).not.toContain('new_numbering');
    expect(seat.position.confirmed).toBe(relay.seq - 1);
  });

  test('two frames in the wrong order are both taken, however old', () => {
    const { seat, relay } = started();
    const [early, late] = [relay.next(0), relay.next()];
    for (const frame of [late, early, ...relay.some(3)]) seat.give(frame);
    expect(seat.taken.toSorted((one, other) => one - other)).toEqual(upTo(105));
    expect(seat.stale).toBe(0);
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
    for (const frame of history.slice(50)) seat.give(frame);
    relay.seq = 5;
    for (const frame of relay.some(10)) seat.give(frame);
    expect(seat.taken).toEqual(upTo(110));
    expect(seat.position.confirmed).toBe(14);
  });
});

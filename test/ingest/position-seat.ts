// A relay position as ingest uses it, with frames that are numbers: what was taken, in which order, and what was told.

import { expect } from 'vitest';
import { type FrameType, frameTypes } from '../../lib/decode/frame.ts';
import { FrameTimes } from '../../lib/ingest/frame-times.ts';
import type { RelayOutcome } from '../../lib/ingest/relay-outcome.ts';
import { fallFrames, RelayPosition } from '../../lib/ingest/relay-position.ts';
import { earlierNumbering, type KeyedFrame, TakenFrames } from '../../lib/ingest/taken-frames.ts';

/** A frame of a test. `id` is what it says: frames of the same id are the same commit. */
export interface TestFrame {
  readonly seq: number;
  readonly id: number;
  /** Microseconds; NaN for none. */
  readonly timeUs: number;
}

const blockFrames = 16;

/** A commit of an account and a revision that stand for the id. @param type an account event, say, in place of a commit. */
export function keyedFrame({ seq, id, timeUs }: TestFrame, type: FrameType = frameTypes.commit): KeyedFrame {
  const did = `did:plc:${id % 7}`;
  const rev = `3${id}`;
  const time = Number.isNaN(timeUs) ? '' : new Date(timeUs / 1000).toISOString();
  const revStart = did.length;
  const timeStart = revStart + rev.length;
  const timeEnd = timeStart + time.length;
  const spans = { didStart: 0, didEnd: revStart, revStart, revEnd: timeStart, timeStart, timeEnd };
  const bytes = Buffer.from(did + rev + time);
  return { type, seq, bytes, ...spans, handleOrStatusStart: -1, handleOrStatusEnd: -1 };
}

/** See the file comment. */
export class PositionSeat {
  readonly taken: number[] = [];
  readonly outcomes: RelayOutcome[] = [];
  /** Frames that were not taken. */
  stale = 0;
  nowMs = 1000;
  readonly memory = new TakenFrames(Buffer.alloc(8, 7));
  readonly times: FrameTimes;
  readonly position: RelayPosition;
  #frames = 0;

  /** @param earlier what was taken before, as the end of the log holds it. @param isWhole whether it is the whole log. */
  constructor(
    confirmed?: number,
    earlier: readonly TestFrame[] = [],
    isWhole = true,
    overlapUntilUs?: number,
  ) {
    const timesUs = earlier.map(({ timeUs }) => timeUs);
    for (const frame of earlier) this.memory.note(keyedFrame(frame), earlierNumbering, Number.NaN);
    if (!isWhole) this.memory.beginAt(timesUs[0]);
    this.times = new FrameTimes(timesUs.at(-1), overlapUntilUs);
    this.position = this.positionAt(confirmed);
  }

  /** Another relay's position, with the same memory. */
  positionAt(confirmed?: number): RelayPosition {
    return new RelayPosition(confirmed, this.memory, this.times, {
      mark: () => undefined,
      outcome: (outcome) => this.outcomes.push(outcome),
    });
  }

  get names(): string[] {
    return this.outcomes.map(({ name }) => name);
  }

  give(frame: TestFrame, position = this.position): boolean {
    const isTaken = position.offer(keyedFrame(frame), this.nowMs) === 'take';
    if (!isTaken) {
      this.stale++;
      return false;
    }
    this.taken.push(frame.id);
    // Blocks are sealed in between.
    if (this.#frames++ % blockFrames === 0 && !Number.isNaN(frame.timeUs)) this.times.dated(frame.timeUs);
    return true;
  }
}

/** Frames that a relay makes: one a millisecond, each with an id of its own. */
export class FrameMaker {
  seq: number;
  timeUs = 1_800_000_000_000_000;
  #id = 0;

  constructor(seq: number) {
    this.seq = seq;
  }

  next(timeUs = this.timeUs): TestFrame {
    this.timeUs += 1000;
    return { seq: this.seq++, id: ++this.#id, timeUs };
  }

  /** One frame of that number, after which numbers go on as before. */
  odd(seq: number): TestFrame {
    const { seq: before } = this;
    this.seq = seq;
    const frame = this.next();
    this.seq = before;
    return frame;
  }

  some(count: number): TestFrame[] {
    return Array.from({ length: count }, () => this.next());
  }
}

/** A relay at 1,000,001, and a position that has taken its first `frames`. */
export function started(frames = 100): { seat: PositionSeat; relay: FrameMaker; history: TestFrame[] } {
  const relay = new FrameMaker(1_000_001);
  const seat = new PositionSeat();
  const history = relay.some(frames);
  for (const frame of history) seat.give(frame);
  return { seat, relay, history };
}

/** A position of a process that began after those frames had been stored, and has read back the last `known` of them. */
export function restarted(frames = 100, known = frames): ReturnType<typeof started> {
  const { relay, history } = started(frames);
  const seat = new PositionSeat(history[frames - 1].seq, history.slice(-known), known === frames);
  return { seat, relay, history };
}

/** Feeds honest frames whose time is always the same old one, at a rate, until one is taken; how many were dropped. */
export function droppedAt(
  framesPerSecond: number,
  between: (seat: PositionSeat, relay: FrameMaker) => void,
): number {
  const { seat, relay } = restarted(200, 100);
  for (const frame of relay.some(100)) seat.give(frame);
  const normal = new FrameMaker(1_000_301);
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

// Where we are in the numbering of one relay: which frames go on, which are a leap, which come again, and when numbers mean
// something else than before. Frames in doubt are held, a few and briefly, until those after them decide; then they are
// taken or dropped. Pure: it reads no frame, no clock and no socket. Ingest asks it, and knows nothing else of sequences.

import { TakenFrames, takenFramesMax } from './taken-frames.ts';

/**
 * What can happen to a relay's numbering, as a closed list: metric labels, and log lines.
 * - `relay_gap`: the relay goes on far above the last frame: what was between has not come
 * - `odd_sequence`: frames far above or below, after which the relay went on as before; they were taken
 * - `new_numbering`: the relay goes on at lower numbers, and is followed
 * - `started_over`: the relay keeps saying that it does not know our sequence, and is followed live
 * - `relay_changed`: another relay than before is connected
 */
export const relayOutcomes = [
  'relay_gap',
  'odd_sequence',
  'new_numbering',
  'started_over',
  'relay_changed',
] as const;

/** One of them, with the last confirmed sequence, and the first of what was new. */
export interface RelayOutcome {
  readonly name: (typeof relayOutcomes)[number];
  readonly from: number | undefined;
  readonly to: number | undefined;
}

/**
 * Longest step that is nothing special: half a second of the network at its peak of 2,100 frames/s, so that a hole of more
 * is told. Relays leave out few numbers at a time, and a longer step costs a wait for `leapFrames` and nothing else.
 */
export const leapMax = 1000;
/** Rising frames beyond that, with none before it in between, that make a leap: a single odd number has no followers. */
export const leapFrames = 4;
/** Rising frames below that are new (or old), of twice as many at most, that make a new numbering (or a repetition). */
export const fallFrames = 8;
/** Bytes of frames held, beyond which they are not waited with, and how long the caller may wait at most. */
export const heldBytesMax = 4 * 1024 * 1024;
export const heldMsMax = 5_000;
/**
 * What is dropped as a repetition, by its times alone, before it is taken all the same: so much for so long, or so much
 * in any case. Clocks of relays may lie, and no rule may blind us for good. At the network's peak a minute is 126,000
 * frames; a relay that repeats days of its backlog as fast as we read sends a million in half a minute.
 */
export const staleFramesMin = 100;
export const staleMsMin = 60_000;
export const staleFramesMax = 1_000_000;
/** How far times of frames are trusted: those of the network differ by seconds, and memory of frames goes back further. */
export const timeSlackUs = 10_000_000;
/** `FutureCursor` answers before the place is given up, and over how long: replicas behind one name lag by seconds. */
export const refusalsMin = 5;
export const refusalsMsMin = 30_000;

/** Blocks whose time is remembered; their median is not moved by a few servers that lie. */
const timesMax = 15;
/** The first of them, of which a few may lie too. */
const firstTimes = 5;
const unknown = -1;

/** What decisions lead to, called in order. */
export interface PositionSink {
  take(bytes: Uint8Array): void;
  /** So many frames came again and are dropped. */
  stale(frames: number): void;
  outcome(outcome: RelayOutcome): void;
}

/** A frame as it is judged. */
export interface OfferedFrame {
  readonly seq: number;
  readonly print: number;
  /** The time that it carries, in microseconds since 1970; NaN when it has none. */
  readonly timeUs: number;
  readonly bytes: Uint8Array;
}

/** Frames in a row on one side of the confirmed sequence, with rising numbers. */
interface Run {
  readonly isAbove: boolean;
  readonly first: number;
  last: number;
  frames: number;
  /** Of them that cannot have come before. */
  newFrames: number;
  stepMin: number;
  stepMax: number;
  held: OfferedFrame[];
  heldBytes: number;
}

/** See the file comment. */
export class RelayPosition {
  readonly #sink: PositionSink;
  readonly #taken = new TakenFrames();
  #confirmed = unknown;
  /** Up to where frames go on without a question; below `#confirmed` while anything is in doubt. */
  #limit = unknown;
  #leapMax = leapMax;
  /** Every frame above it that came was noted in `#taken`, as far as that goes back. */
  #notedFrom = unknown;
  #run: Run | undefined;
  #staleFrames = 0;
  #staleSinceMs = 0;
  #staleLast = unknown;
  /** Frames that went on since the last stale one. */
  #goneOn = 0;
  #times: number[] = [];
  /** When the newest event of the log was made, if it has some of this relay. */
  #storedUs = Number.NEGATIVE_INFINITY;
  /** Frames that came before this process are older. */
  #sinceUs = Number.NEGATIVE_INFINITY;
  #refusals = 0;
  #refusedSinceMs = 0;

  /** @param confirmed what the log says. @param storedUs when the newest event of the log was made. */
  constructor(confirmed: number | undefined, storedUs: number, sink: PositionSink) {
    this.#sink = sink;
    if (confirmed === undefined) return;
    this.#storedUs = this.#sinceUs = storedUs;
    this.resumeAfter(confirmed);
  }

  /** Everything up to here is taken, and the relay is to go on after it. */
  get confirmed(): number | undefined {
    return this.#confirmed === unknown ? undefined : this.#confirmed;
  }

  /** Whether frames are held. The caller calls {@link expire} after `heldMsMax`. */
  get isHolding(): boolean {
    return this.#run !== undefined && this.#run.held.length > 0;
  }

  /** Continues after `seq`, whatever was. */
  resumeAfter(seq: number): void {
    this.#run = undefined;
    this.#confirmed = this.#notedFrom = seq;
    this.#goOn();
  }

  /** The usual case: the frame goes on. The caller takes it, and calls {@link advance}. */
  isNext(seq: number, print: number): boolean {
    return seq > this.#confirmed && seq <= this.#limit && !this.#taken.has(seq, print);
  }

  advance(seq: number, print: number): void {
    this.#confirmed = seq;
    this.#limit = seq + this.#leapMax;
    this.#taken.note(seq, print);
  }

  /** Any other case. @param nowMs monotonic. */
  offer(frame: OfferedFrame, nowMs: number): void {
    const { seq, print } = frame;
    const isBelow = seq <= this.#confirmed;
    if (this.#taken.has(seq, print)) {
      // What was taken above, before a reconnect, says nothing about a leap; below, that the relay repeats itself.
      if (isBelow) {
        this.#endRun(nowMs);
        this.#staleLast = seq;
      }
      this.#sink.stale(1);
    } else if (this.#confirmed === unknown) {
      this.#sink.take(frame.bytes);
      this.#notedFrom = seq - 1;
      this.advance(seq, print);
    } else if (!isBelow && seq <= this.#confirmed + this.#leapMax) {
      this.#endRun(nowMs);
      this.#sink.take(frame.bytes);
      const isArrival = this.#staleLast >= this.#confirmed - this.#leapMax;
      this.advance(seq, print);
      this.#refusals = 0;
      if (this.#staleFrames === 0 || isArrival || ++this.#goneOn >= leapMax) this.#goOn();
      else this.#limit = unknown;
    } else {
      this.#limit = unknown;
      this.#addToRun(frame, nowMs);
    }
  }

  /** The newest frame of a block, all of which was taken, carried this time. */
  dated(timeUs: number): void {
    this.#times.push(timeUs);
    // Our clock and theirs may differ, and we may be far behind: the first frames say when this process began, in their time.
    if (this.#times.length <= firstTimes) this.#sinceUs = Math.min(this.#storedUs, medianOf(this.#times));
    if (this.#times.length > timesMax) this.#times.shift();
  }

  /**
   * Waits no longer for what decides: frames held are taken if they look new.
   * @param isLast nothing comes after this, and the relay is asked again for what is above the confirmed sequence.
   */
  expire(nowMs: number, isLast = false): void {
    const run = this.#run;
    if (run === undefined) return;
    if (run.isAbove && isLast) this.#run = undefined;
    else this.#release(run, looksNew(run), nowMs);
  }

  /** The relay said that it does not know our sequence. Whether to believe it: then the caller calls {@link forget}. */
  refused(nowMs: number, msMin = refusalsMsMin): boolean {
    if (this.#refusals++ === 0) this.#refusedSinceMs = nowMs;
    this.#limit = unknown;
    return this.#refusals >= refusalsMin && nowMs - this.#refusedSinceMs >= msMin;
  }

  /** Whatever the relay sends next is where we are. */
  forget(): void {
    this.#sink.outcome({ name: 'started_over', from: this.confirmed, to: undefined });
    this.resumeAfter(unknown);
  }

  /** Nothing is in doubt any more. */
  #goOn(): void {
    this.#limit = this.#confirmed === unknown ? unknown : this.#confirmed + this.#leapMax;
    this.#staleFrames = this.#refusals = 0;
    this.#staleLast = unknown;
  }

  #addToRun(frame: OfferedFrame, nowMs: number): void {
    const isAbove = frame.seq > this.#confirmed;
    if (this.#run !== undefined && (this.#run.isAbove !== isAbove || frame.seq <= this.#run.last)) {
      this.#endRun(nowMs);
    }
    this.#run ??= newRun(isAbove, frame.seq);
    const run = this.#run;
    if (run.frames++ > 0) {
      run.stepMin = Math.min(run.stepMin, frame.seq - run.last);
      run.stepMax = Math.max(run.stepMax, frame.seq - run.last);
    }
    run.last = frame.seq;
    if (isAbove || this.#isNew(frame)) run.newFrames++;
    run.held.push(frame);
    run.heldBytes += frame.bytes.length;
    if (isAbove && run.frames >= leapFrames) this.#leap(run, nowMs);
    else if (!isAbove && run.newFrames >= fallFrames) this.#renumber(run, nowMs);
    else if (run.frames - run.newFrames >= fallFrames) {
      if (this.#isStaleForLong(run.held.length, nowMs)) this.#renumber(run, nowMs);
      else this.#endRun(nowMs);
    } else if (run.heldBytes > heldBytesMax) this.expire(nowMs);
  }

  /** Whether a frame below cannot have come before. */
  #isNew({ seq, timeUs }: OfferedFrame): boolean {
    if (seq > this.#notedFrom && seq > this.#confirmed - takenFramesMax) return true;
    // With nothing stored before, memory goes back to the first frame that we had.
    if (this.#storedUs < 0 && !this.#taken.isFull) return true;
    if (this.#times.length === 0) return timeUs > this.#sinceUs;
    const newestUs = medianOf(this.#times);
    return timeUs >= Math.max(newestUs - timeSlackUs, Math.min(this.#sinceUs, newestUs));
  }

  #leap(run: Run, nowMs: number): void {
    // A relay whose every step is long numbers by time, or so: that is no gap.
    if (run.stepMin > this.#leapMax) this.#leapMax = 4 * run.stepMax;
    if (run.first - this.#confirmed > this.#leapMax) this.#tell('relay_gap', run.first);
    this.#follow(run, nowMs);
  }

  #renumber(run: Run, nowMs: number): void {
    this.#tell('new_numbering', run.first);
    this.#notedFrom = run.first - 1;
    this.#follow(run, nowMs);
  }

  #follow(run: Run, nowMs: number): void {
    this.#release(run, true, nowMs);
    this.#confirmed = run.last;
    this.#run = undefined;
    this.#goOn();
  }

  /** The run leads nowhere: the relay went on elsewhere. */
  #endRun(nowMs: number): void {
    const run = this.#run;
    if (run === undefined) return;
    this.#run = undefined;
    const isTaken = looksNew(run) || this.#isStaleForLong(run.held.length, nowMs);
    if (isTaken) this.#tell('odd_sequence', run.first);
    this.#release(run, isTaken, nowMs);
  }

  #release(run: Run, isTaken: boolean, nowMs: number): void {
    const { held } = run;
    run.held = [];
    run.heldBytes = 0;
    if (isTaken) {
      for (const { seq, print, bytes } of held) {
        this.#taken.note(seq, print);
        this.#sink.take(bytes);
      }
    } else if (held.length > 0) {
      if (this.#staleFrames === 0) this.#staleSinceMs = nowMs;
      this.#staleFrames += held.length;
      this.#staleLast = run.last;
      this.#goneOn = 0;
      this.#sink.stale(held.length);
    }
  }

  #isStaleForLong(more: number, nowMs: number): boolean {
    if (this.#staleFrames + more > staleFramesMax) return true;
    return this.#staleFrames >= staleFramesMin && nowMs - this.#staleSinceMs >= staleMsMin;
  }

  #tell(name: RelayOutcome['name'], to: number): void {
    this.#sink.outcome({ name, from: this.confirmed, to });
  }
}

function newRun(isAbove: boolean, first: number): Run {
  const steps = { stepMin: Number.POSITIVE_INFINITY, stepMax: 0 };
  return { isAbove, first, last: first, frames: 0, newFrames: 0, ...steps, held: [], heldBytes: 0 };
}

function looksNew({ newFrames, frames }: Run): boolean {
  return newFrames * 2 > frames;
}

function medianOf(numbers: readonly number[]): number {
  return numbers.toSorted((one, other) => one - other)[numbers.length >> 1];
}

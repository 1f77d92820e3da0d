// Where we are in the numbering of one relay: which frames go on, which have come before, what is a leap, and when numbers mean
// something else than they did. A frame is decided on at once and alone: taken unless it was taken before. Numbers decide only
// after which of them the relay is asked to go on, so no rule about numbers can lose a frame; times can, below the confirmed number
// and at new places, up to `staleFramesMax` that are older than the memory. Pure: no clock, no socket. Ingest asks it, and knows
// nothing else of sequences.

import type { FrameTimes } from './frame-times.ts';
import type { RelayOutcome } from './relay-outcome.ts';
import { earlierNumbering, type KeyedFrame, type TakenFrames, takenFramesMin } from './taken-frames.ts';
import { leapMax, UsualSteps } from './usual-steps.ts';

/** Rising frames beyond the usual step, with none that goes on in between, that make a leap: a single odd number has no followers. */
export const leapFrames = 4;
/** Rising frames below, that have not come under these numbers, that make a new numbering. */
export const fallFrames = 8;
/**
 * Below the confirmed number, and where numbers are new, frames older than what is remembered are dropped: most likely they were
 * taken. So many, for so long, or so many in any case; after that the relay is followed where it is, whatever its clock says. At
 * the network's peak a minute is 126,000 frames; a relay that repeats days of its backlog sends a million in half a minute.
 */
export const staleFramesMin = 100;
export const staleMsMin = 60_000;
export const staleFramesMax = 1_000_000;
/** `FutureCursor` answers before the place is given up, and over how long: replicas behind one name lag by seconds. */
export const refusalsMin = 5;
export const refusalsMsMin = 15_000;
/** Connections ended by a frame at the same place before it is stepped over; each further one doubles the step. */
export const endsMin = 3;
const skipMax = 1_048_576;
/** How far past the newest known time frames are still compared with what came under other numbers. */
const overlapUs = 30_000_000;

const none = -1;

/** What is to be done with a frame: `repeat` came before; `stale` is too old to know, and most likely did. */
export type Verdict = 'take' | 'repeat' | 'stale';

/** What happens beside verdicts. */
export interface PositionSink {
  /** Frames from here on may follow a hole: called before the frame is taken, followed by `outcome` if it is one. */
  mark(): void;
  outcome(outcome: RelayOutcome): void;
}

/** Frames in a row on one side of the confirmed sequence, with rising numbers. */
interface Run {
  readonly isAbove: boolean;
  readonly first: number;
  /** The numbering that it may be the beginning of. */
  readonly numbering: number;
  last: number;
  frames: number;
  taken: number;
  /** Of them that say that numbers are new: they have not come under theirs. */
  evidence: number;
  stepMin: number;
  stepMax: number;
}

/** See the file comment. */
export class RelayPosition {
  readonly #sink: PositionSink;
  readonly #taken: TakenFrames;
  readonly #times: FrameTimes;
  #confirmed = none;
  /** What the operator has the relay asked for, until its first frame. */
  #startAfter: number | undefined;
  #numbering: number;
  /** Up to where frames go on without a question; `none` while anything is in doubt. */
  #limit = none;
  readonly #steps = new UsualSteps();
  #run: Run | undefined;
  /** Frames that are still compared with all that was taken, whatever their number, until `overlapUntilUs` of times. */
  #overlapFrames = 0;
  /** A leap led to what earlier processes took in doubt: what follows they may have taken, too. */
  #isBehind = false;
  #staleFrames = 0;
  #staleSinceMs = 0;
  /** Frames that went on since the last stale one. */
  #goneOn = 0;
  #refusals = 0;
  #refusedSinceMs = 0;
  #endedAt = none;
  #ends = 0;
  #skip = 0;

  /** @param confirmed what the log says. `taken` and `times` are shared by the positions of all relays. */
  constructor(confirmed: number | undefined, taken: TakenFrames, times: FrameTimes, sink: PositionSink) {
    this.#sink = sink;
    this.#taken = taken;
    this.#times = times;
    this.#numbering = taken.newNumbering();
    if (times.overlapUntilUs !== undefined) this.#overlapFrames = takenFramesMin;
    if (confirmed !== undefined) this.resumeAfter(confirmed);
  }

  /** Everything up to here is taken. */
  get confirmed(): number | undefined {
    return this.#confirmed === none ? undefined : this.#confirmed;
  }

  /** What the relay is asked to go on after; undefined is live. */
  get cursor(): number | undefined {
    const after = this.#startAfter ?? this.confirmed;
    return after === undefined ? undefined : after + this.#skip;
  }

  /** Has the relay asked to go on after `seq`, 0 for its oldest. Where we are says the first frame: missing is what lies above all that was taken. */
  startAfter(seq: number): void {
    this.resumeAfter(this.#confirmed);
    this.#startAfter = seq;
  }

  /** Continues after `seq`, whatever was. */
  resumeAfter(seq: number): void {
    this.#run = this.#startAfter = undefined;
    this.#confirmed = seq;
    this.#skip = this.#ends = 0;
    this.#settle();
  }

  /** What comes next may have come before, under other numbers: of another relay, or of this one before. */
  overlap(): void {
    this.#times.leave();
    this.#overlapFrames = takenFramesMin;
    this.#times.overlapUntilUs = this.#times.newestUs + overlapUs;
    this.#limit = none;
  }

  /** What comes next is at a place that its time has been found for. */
  restart(): void {
    this.resumeAfter(none);
    this.overlap();
  }

  /** Says what is to be done with a frame, and notes it. @param nowMs monotonic. */
  offer(frame: KeyedFrame, nowMs: number): Verdict {
    const { seq } = frame;
    const isKnown = this.#taken.find(frame);
    if (this.#startAfter !== undefined) return this.#begin(frame, isKnown, nowMs);
    if (seq > this.#confirmed && seq <= this.#limit) {
      this.#advance(seq);
      if (isKnown && this.#isSame(frame)) return 'repeat';
      this.#taken.note(frame, this.#numbering, this.#times.nowUs);
      return 'take';
    }
    const isBelow = this.#confirmed !== none && seq <= this.#confirmed;
    const goesOn =
      !isBelow && (this.#confirmed === none || seq <= this.#confirmed + this.#skip + this.#steps.leap);
    return goesOn ? this.#goOn(frame, isKnown, nowMs) : this.#doubt(frame, isBelow, isKnown, nowMs);
  }

  /** The relay said that it does not know our sequence. Whether to believe it: then the caller calls {@link forget}. */
  refused(nowMs: number, msMin = refusalsMsMin): boolean {
    if (this.#refusals++ === 0) this.#refusedSinceMs = nowMs;
    this.#limit = none;
    return this.#refusals >= refusalsMin && nowMs - this.#refusedSinceMs >= msMin;
  }

  /** The relay's numbers mean something else than before. */
  forget(): void {
    this.#numbering = this.#taken.newNumbering();
    this.restart();
  }

  /** A message of the relay ended the connection, and comes again after a reconnect. */
  ended(): void {
    if (this.#confirmed === none) return;
    if (this.#endedAt !== this.#confirmed) this.#ends = 0;
    this.#endedAt = this.#confirmed;
    if (++this.#ends < endsMin) return;
    this.#skip = Math.min(2 ** (this.#ends - endsMin), skipMax);
    this.#limit = none;
  }

  #begin(frame: KeyedFrame, isKnown: boolean, nowMs: number): Verdict {
    this.#startAfter = undefined;
    const step = this.#confirmed === none ? 1 : frame.seq - this.#confirmed;
    if (step < 1 || step > this.#steps.leap) this.#sink.mark();
    if (step < 1) this.#tell('set_back', frame.seq);
    else if (step > this.#steps.leap) this.#tell('relay_gap', frame.seq);
    this.#confirmed = none;
    return this.#goOn(frame, isKnown, nowMs);
  }

  #goOn(frame: KeyedFrame, isKnown: boolean, nowMs: number): Verdict {
    const { seq } = frame;
    this.#endRun();
    this.#times.near(frame);
    const verdict = this.#overlaps()
      ? this.#verdictOf(frame, isKnown, this.#numbering)
      : isKnown && (this.#isSame(frame) || (this.#isBehind && this.#taken.numbering === earlierNumbering))
        ? 'repeat'
        : 'take';
    if (verdict === 'take') this.#isBehind = false;
    if (this.#skip > 0 && seq > this.#confirmed + 1) {
      this.#sink.mark();
      this.#tell('frame_skipped', seq);
    }
    this.#advance(seq);
    if (verdict !== 'stale') this.#taken.note(frame, this.#numbering, this.#times.nowUs);
    else if (this.#isStaleForLong(nowMs)) this.#overlapFrames = 1;
    this.#settle();
    return verdict;
  }

  #doubt(frame: KeyedFrame, isBelow: boolean, isKnown: boolean, nowMs: number): Verdict {
    const { seq } = frame;
    this.#limit = none;
    const isSame = isKnown && this.#isSame(frame);
    if (this.#run !== undefined && (this.#run.isAbove === isBelow || seq <= this.#run.last)) {
      // What comes again, after a reconnect, does not make what it follows odd.
      if (isSame) this.#run = undefined;
      this.#endRun();
    }
    this.#run ??= this.#newRun(!isBelow, seq);
    const run = this.#run;
    this.#times.near(frame);
    const verdict = isSame ? 'repeat' : this.#verdictInRun(frame, isKnown, run);
    // A number under which it has come says that the relay repeats itself.
    if (isSame) run.evidence = 0;
    if (run.frames++ > 0) {
      run.stepMin = Math.min(run.stepMin, seq - run.last);
      run.stepMax = Math.max(run.stepMax, seq - run.last);
    }
    run.last = seq;
    if (verdict === 'take') run.taken++;
    if (isBelow) {
      const isOldForLong = verdict === 'stale' && this.#isStaleForLong(nowMs);
      if (isOldForLong || run.evidence >= fallFrames) this.#renumber(run);
    } else if (run.frames >= leapFrames) this.#leapTo(run);
    return verdict;
  }

  #verdictInRun(frame: KeyedFrame, isKnown: boolean, run: Run): Verdict {
    let verdict: Verdict = isKnown && this.#taken.numbering === earlierNumbering ? 'repeat' : 'take';
    if (!run.isAbove || this.#overlaps()) verdict = this.#verdictOf(frame, isKnown, run.numbering);
    // Of what came before this process the numbers are not known.
    const isEarlier = verdict === 'repeat' && this.#taken.numbering === earlierNumbering;
    if (isEarlier || verdict === 'stale') {
      run.evidence = 0;
      return verdict;
    }
    this.#taken.note(frame, run.numbering, this.#times.nowUs);
    run.evidence++;
    return verdict;
  }

  /** Whether the frame that was found is this one under its own number. */
  #isSame({ seq }: KeyedFrame): boolean {
    return this.#taken.seq === seq >>> 0 && this.#taken.numbering === this.#numbering;
  }

  /** Of a frame that may have come under other numbers. */
  #verdictOf(frame: KeyedFrame, isKnown: boolean, numbering: number): Verdict {
    const taken = this.#taken;
    // Of what came before this process the numbers are not known, and what is no commit has nothing else of its own.
    if (isKnown || (taken.findSame(frame) && taken.numbering !== earlierNumbering)) {
      // Under two numbers of one numbering it is another one, whatever it says.
      return taken.numbering === numbering && taken.seq !== frame.seq >>> 0 ? 'take' : 'repeat';
    }
    return this.#times.isBefore(taken.sinceUs) ? 'stale' : 'take';
  }

  #leapTo(run: Run): void {
    const isLeap = this.#steps.isLeap(run.first - this.#confirmed, run.stepMin, run.stepMax);
    if (this.#skip > 0) this.#tell('frame_skipped', run.first);
    else if (isLeap) this.#tell('relay_gap', run.first);
    this.#confirmed = run.last;
    this.#run = undefined;
    this.#isBehind = run.taken < run.frames;
    this.#settle();
  }

  #renumber(run: Run): void {
    this.#tell('new_numbering', run.first);
    this.#confirmed = run.last;
    this.#numbering = run.numbering;
    this.#run = undefined;
    this.#settle();
    this.overlap();
  }

  #newRun(isAbove: boolean, first: number): Run {
    this.#sink.mark();
    this.#times.leave();
    const numbering = isAbove ? this.#numbering : this.#taken.newNumbering();
    const steps = { stepMin: Number.POSITIVE_INFINITY, stepMax: 0 };
    return { isAbove, first, numbering, last: first, frames: 0, taken: 0, evidence: 0, ...steps };
  }

  /** The run leads nowhere: the relay went on elsewhere. */
  #endRun(): void {
    const run = this.#run;
    this.#run = undefined;
    if (run !== undefined && run.taken > 0) this.#tell('odd_sequence', run.first);
  }

  #advance(seq: number): void {
    if (this.#confirmed !== none) this.#steps.note(seq - this.#confirmed);
    this.#confirmed = seq;
    if (this.#limit !== none) this.#limit = seq + this.#steps.leap;
  }

  /** Whether the frame that is judged may have come under other numbers. */
  #overlaps(): boolean {
    if (this.#overlapFrames === 0) return false;
    const { nearUs, overlapUntilUs = Number.NEGATIVE_INFINITY } = this.#times;
    this.#overlapFrames = nearUs > overlapUntilUs ? 0 : this.#overlapFrames - 1;
    if (this.#overlapFrames === 0) this.#times.overlapUntilUs = undefined;
    return this.#overlapFrames > 0;
  }

  /** A frame goes on: nothing is in doubt any more, unless numbers are new. */
  #settle(): void {
    this.#refusals = this.#skip = 0;
    if (this.#overlapFrames > 0 || this.#confirmed === none || this.#isBehind) {
      this.#limit = none;
      return;
    }
    if (this.#staleFrames > 0 && ++this.#goneOn < leapMax) {
      this.#limit = none;
      return;
    }
    this.#staleFrames = 0;
    this.#limit = this.#confirmed + this.#steps.leap;
  }

  #isStaleForLong(nowMs: number): boolean {
    if (this.#staleFrames++ === 0) this.#staleSinceMs = nowMs;
    this.#goneOn = 0;
    if (this.#staleFrames >= staleFramesMax) return true;
    return this.#staleFrames > staleFramesMin && nowMs - this.#staleSinceMs >= staleMsMin;
  }

  #tell(name: RelayOutcome['name'], to: number | undefined): void {
    this.#sink.outcome({ name, from: this.confirmed, to, isHole: name !== 'odd_sequence' });
  }
}

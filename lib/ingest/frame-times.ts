// What time it is in the stream, by the times that its frames carry: medians of a few, since servers date their frames
// themselves and some lie. Two of them: of frames that were taken, for all that comes, and of those in doubt, for the place that
// a relay has gone to. Numbers only; whether a frame counts is relay-position.ts's decision.

import type { StreamTimes } from '../log/block.ts';
import type { KeyedFrame } from './taken-frames.ts';

/** Times of which the median is taken: as many as few liars do not move. */
const timesMax = 15;

/** How far times of frames that come together differ, few liars aside: those of the network by seconds. */
const slackUs = 10_000_000;

/** See the file comment. All times in microseconds since 1970, NaN while there is none. */
export class FrameTimes {
  readonly #taken: number[] = [];
  #near: number[] = [];
  /** The newest median of frames that were taken, ever: how far the log has come. */
  #newestUs: number;
  #nowUs = Number.NaN;
  /** Frames up to this time may have come before, from another relay or under other numbers; undefined: none of those to come. */
  overlapUntilUs: number | undefined;

  /** @param newestUs what the log says; -Infinity for an empty one. */
  constructor(newestUs = Number.NEGATIVE_INFINITY, overlapUntilUs?: number) {
    this.#newestUs = newestUs;
    this.overlapUntilUs = overlapUntilUs;
  }

  /** As it is kept with a block; undefined before any frame carried a time. */
  get stream(): StreamTimes | undefined {
    const { overlapUntilUs } = this;
    return Number.isNaN(this.#nowUs) ? undefined : { nowUs: this.#nowUs, overlapUntilUs };
  }

  /** Of frames that were taken, lately. */
  get nowUs(): number {
    return this.#nowUs;
  }

  get newestUs(): number {
    return this.#newestUs;
  }

  /** Of the last frames in doubt. */
  get nearUs(): number {
    return medianOf(this.#near);
  }

  /**
   * Whether the place in doubt lies before the time from which on taken frames are known, or so near to it that it is not certain.
   * Where memory reaches back for seconds only, in a catch-up say, half of them are certain: what comes now is.
   */
  isBefore(sinceUs: number): boolean {
    return this.nearUs < sinceUs + Math.min(slackUs, Math.max(0, (this.#newestUs - sinceUs) / 2));
  }

  /** A frame that was taken carries this time; called for some of them. */
  dated(timeUs: number): void {
    if (this.#taken.push(timeUs) > timesMax) this.#taken.shift();
    this.#nowUs = medianOf(this.#taken);
    this.#newestUs = Math.max(this.#newestUs, this.#nowUs);
  }

  /** A frame whose place is in doubt. */
  near(frame: KeyedFrame): void {
    const timeUs = timeUsOf(frame);
    if (Number.isNaN(timeUs)) return;
    if (this.#near.push(timeUs) > timesMax) this.#near.shift();
  }

  /** Frames that come next are of another place. */
  leave(): void {
    this.#near = [];
  }
}

/** The time that a frame carries, in microseconds since 1970; NaN when it has none. */
export function timeUsOf({ bytes, timeStart, timeEnd }: KeyedFrame): number {
  return Date.parse(Buffer.prototype.latin1Slice.call(bytes, timeStart, timeEnd)) * 1000;
}

/** NaN of none. */
export function medianOf(numbers: readonly number[]): number {
  return numbers.length === 0
    ? Number.NaN
    : numbers.toSorted((one, other) => one - other)[numbers.length >> 1];
}

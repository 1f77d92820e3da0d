// The source of `time_us`: microseconds of the time made strictly increasing. It is the coordinate of the whole daemon
// (cursor, log key, wire field), so it continues after the last stored value and never trusts the time to move forward.
// How far the wall clock is believed is trusted-time.ts.

/** Hands out strictly increasing microseconds. */
export class Clock {
  #lastUs: number;
  readonly #nowMs: () => number;

  /** @param lastUs the largest value ever handed out, 0 for a new log; `nowMs` is the time, in whole milliseconds. */
  constructor(lastUs: number, nowMs: () => number = Date.now) {
    this.#lastUs = lastUs;
    this.#nowMs = nowMs;
  }

  /** The last value handed out; 0 before the first. */
  get lastUs(): number {
    return this.#lastUs;
  }

  /** The time, or the value after the last one when that is later (time went back, or it is the same millisecond). */
  next(): number {
    const nowUs = this.#nowMs() * 1000;
    this.#lastUs = nowUs > this.#lastUs ? nowUs : this.#lastUs + 1;
    return this.#lastUs;
  }

  /** The later of time and last value: what a cursor is compared with. Hands out nothing. */
  nowUs(): number {
    return Math.max(this.#nowMs() * 1000, this.#lastUs);
  }
}

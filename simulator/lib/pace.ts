// How many frames are due: a rate and the time that passed, with the fraction carried over. Reads no clock and sets no
// timer; the relay server asks.

/** Debt is forgiven beyond this, so that a process that stood still does not flood its readers afterwards. */
const debtMaxMs = 1000;

/** Counts frames that are due at a rate. */
export class Pace {
  #framesPerSecond: number;
  #sinceMs: number;
  #owed = 0;

  /** @param framesPerSecond 0 for none, Infinity for as many as anybody takes. */
  constructor(framesPerSecond: number, nowMs: number) {
    this.#framesPerSecond = framesPerSecond;
    this.#sinceMs = nowMs;
  }

  get framesPerSecond(): number {
    return this.#framesPerSecond;
  }

  /** Changes the rate. What is due by now stays due. */
  setRate(framesPerSecond: number, nowMs: number): void {
    this.#accrue(nowMs);
    this.#framesPerSecond = framesPerSecond;
  }

  /** Whole frames that became due since the last call; 0 at an infinite rate, which is paced by the readers. */
  take(nowMs: number): number {
    this.#accrue(nowMs);
    const frames = Math.floor(this.#owed);
    this.#owed -= frames;
    return frames;
  }

  #accrue(nowMs: number): void {
    const passedMs = Math.min(Math.max(nowMs - this.#sinceMs, 0), debtMaxMs);
    this.#sinceMs = nowMs;
    if (Number.isFinite(this.#framesPerSecond)) {
      this.#owed += (passedMs * this.#framesPerSecond) / 1000;
    }
  }
}

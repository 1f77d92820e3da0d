// How far apart a relay's numbers usually are, and so which step is a leap. Arithmetic on steps that relay-position.ts has seen.

/**
 * Longest step that is nothing special: twice the longest that went on lately, within these bounds. Relays leave out a number here
 * and there; half a second of the network at its peak is always told. A longer step costs a comparison and nothing else.
 */
export const leapMin = 32;
export const leapMax = 1000;
const leapFactor = 2;
/** Steps that are "lately", and as many before. */
export const stepsMax = 64;

/** See the file comment. */
export class UsualSteps {
  /** The longest step that is usual. */
  leap = leapMin;
  #steps = 0;
  #longest = 1;
  #longestBefore = 1;

  /** A frame went on, by this step. */
  note(step: number): void {
    if (step > this.#longest) this.#longest = step;
    if (++this.#steps < stepsMax) return;
    // Never shorter than what a relay that numbers in long steps has shown.
    if (this.leap <= leapMax) this.leap = leapOf(Math.max(this.#longest, this.#longestBefore));
    this.#longestBefore = this.#longest;
    this.#longest = 1;
    this.#steps = 0;
  }

  /**
   * A leap was followed by frames with steps of at least `least` and at most `most`. Whether it was longer than usual steps, as
   * is known now.
   */
  isLeap(step: number, least: number, most: number): boolean {
    // A relay whose every step is long numbers by time, or so: that is no gap.
    if (least > this.leap) this.leap = 4 * most;
    return step > this.leap;
  }
}

function leapOf(step: number): number {
  return Math.min(Math.max(leapFactor * step, leapMin), leapMax);
}

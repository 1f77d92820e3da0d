// When the positions of an endless history were published, to the millisecond, in bounded memory: a frame that is sent again
// carries the time that it had, as at a real relay. Of positions that are too old only the oldest time known is told.

/** Times kept: hours at one for each tick of a relay with a rate. */
const marksMax = 1_000_000;

interface Mark {
  readonly position: number;
  readonly timeMs: number;
}

/** See the file comment. */
export class PublishTimes {
  #marks: Mark[] = [];
  /** Of the last answer: readers go on from there. */
  #at = 0;

  /** What is published from `position` on has this time. Positions and calls rise. */
  note(position: number, timeMs: number): void {
    if (this.#marks.at(-1)?.timeMs === timeMs) return;
    if (this.#marks.length >= marksMax) this.#marks = this.#marks.slice(marksMax >>> 1);
    this.#marks.push({ position, timeMs });
  }

  /** Undefined before anything was noted. */
  at(position: number): number | undefined {
    const marks = this.#marks;
    let at = Math.min(this.#at, marks.length - 1);
    if (at > 0 && marks[at].position > position) at = this.#search(position);
    while (at + 1 < marks.length && marks[at + 1].position <= position) at++;
    this.#at = Math.max(at, 0);
    return marks[this.#at]?.timeMs;
  }

  #search(position: number): number {
    let [low, high] = [0, this.#marks.length];
    while (high - low > 1) {
      const middle = (low + high) >>> 1;
      if (this.#marks[middle].position <= position) low = middle;
      else high = middle;
    }
    return low;
  }
}

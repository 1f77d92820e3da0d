// Tells subscribers that asked for it how far they have got, every few seconds. It has a timer only while there are such
// subscribers, and for others it costs nothing. Owned by the delivery loop.

/** What is told in one go, so that events get their turn in between: about 200 µs. */
const reportsPerStep = 64;

/** What can be asked to report. */
export interface Reporter {
  report(): void;
}

/** See the file comment. */
export class ProgressTimer {
  readonly #intervalMs: number;
  readonly #reporters = new Set<Reporter>();
  #timer: NodeJS.Timeout | undefined;
  /** The rest of a sweep that is under way. */
  #sweep: Iterator<Reporter> | undefined;

  constructor(intervalMs: number) {
    this.#intervalMs = intervalMs;
  }

  add(reporter: Reporter): void {
    this.#reporters.add(reporter);
    this.#timer ??= setInterval(this.#start, this.#intervalMs).unref();
  }

  delete(reporter: Reporter): void {
    if (!this.#reporters.delete(reporter) || this.#reporters.size > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  readonly #start = (): void => {
    if (this.#sweep !== undefined) return;
    this.#sweep = this.#reporters.values();
    this.#step();
  };

  readonly #step = (): void => {
    for (let told = 0; told < reportsPerStep; told++) {
      const next = this.#sweep?.next();
      if (next === undefined || next.done) {
        this.#sweep = undefined;
        return;
      }
      next.value.report();
    }
    setImmediate(this.#step);
  };
}

// When the thread that checks looks for the next batch. At the network's rate one comes every window, and it costs the thread that ingests
// less when this one looks by itself, a little before and then every millisecond, than when it has to be woken. Where batches come seldom,
// or stay away, it is woken. It owns that choice.

/** What has batches: the receiving side of frame-ring.ts. */
export interface BatchSource {
  readonly hasNext: boolean;
  sleep(): Promise<unknown> | undefined;
  wake(): void;
}

/** From one batch to the next: beyond that it is woken. */
const gapMsMax = 25;
/** Looks a millisecond apart, after which it is woken. */
const looksMax = 8;
const lookMs = 1;
/** How the pause before the first look changes: one in five finds a batch, and a batch waits for half a millisecond. */
const laterMs = 0.25;
const earlierMs = 1;
const pauseMsMax = 20;

/** See the file comment. */
export class BatchWatch {
  readonly #source: BatchSource;
  readonly #came: () => void;
  readonly #nowMs: () => number;
  #looks = 0;
  #pauseMs = 8;
  #cameMs = Number.NEGATIVE_INFINITY;
  #gapMs = Number.POSITIVE_INFINITY;

  /** @param came called once after each {@link next}. */
  constructor(source: BatchSource, came: () => void, nowMs = () => performance.now()) {
    this.#source = source;
    this.#came = came;
    this.#nowMs = nowMs;
  }

  /** The batch before is done: waits for the next. */
  next(): void {
    this.#looks = 0;
    if (this.#source.hasNext) this.#tell();
    else if (this.#gapMs > gapMsMax) this.#sleep();
    else setTimeout(this.#look, this.#pauseMs);
  }

  readonly #look = (): void => {
    const { hasNext } = this.#source;
    if (this.#looks === 0) {
      const pauseMs = hasNext ? this.#pauseMs - earlierMs : this.#pauseMs + laterMs;
      this.#pauseMs = Math.min(Math.max(lookMs, pauseMs), pauseMsMax);
    }
    if (hasNext) this.#tell();
    else if (++this.#looks < looksMax) setTimeout(this.#look, lookMs);
    else this.#sleep();
  };

  #sleep(): void {
    const next = this.#source.sleep();
    if (next === undefined) this.#tell();
    else
      void next.then(() => {
        this.#source.wake();
        this.#tell();
      });
  }

  #tell(): void {
    const nowMs = this.#nowMs();
    this.#gapMs = nowMs - this.#cameMs;
    this.#cameMs = nowMs;
    this.#came();
  }
}

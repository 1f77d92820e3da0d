// Whether the thread that ingests stands still for the verdicts of a block. Where they are a few milliseconds away, that costs it less than
// to do something else and be called back, and events are out sooner; but subscribers, and whoever asks something over HTTP, wait as
// well. It owns how much of the thread's time may go that way, and what is learnt from verdicts that did not come.

/** One time: what the checks of a usual batch take, twice. */
const msMax = 4;
/** Of a batch. At the network's rate a block has eight; where more come, the thread has other things to do. */
const framesMax = 12;
/** Of all time, and what may be saved up for a while. */
const share = 1 / 8;
const savedMsMax = 12;
/** Blocks after verdicts that did not come, for which it is not tried; twice as many after each such time in a row. */
const pauseMin = 4;
const pausesMax = 8;

/** See the file comment. */
export class Standstill {
  #savedMs = savedMsMax;
  #savedAtMs = Number.NEGATIVE_INFINITY;
  /** Times that it did not pay, less those that it did. */
  #misses = 0;
  #pause = 0;

  /** How long the thread may stand still for a batch; 0: not at all. To be asked once a batch. */
  msFor(frames: number, nowMs: number): number {
    this.#savedMs = Math.min(this.#savedMs + (nowMs - this.#savedAtMs) * share, savedMsMax);
    this.#savedAtMs = nowMs;
    if (frames > framesMax) return 0;
    if (this.#pause > 0) {
      this.#pause--;
      return 0;
    }
    return this.#savedMs >= msMax ? msMax : 0;
  }

  /** It stood still for so long. @param isAnswered whether the verdicts came. */
  stood(ms: number, isAnswered: boolean): void {
    this.#savedMs -= ms;
    if (isAnswered) this.#misses = Math.max(0, this.#misses - 1);
    else {
      this.#pause = pauseMin << this.#misses;
      this.#misses = Math.min(this.#misses + 1, pausesMax);
    }
  }
}

// Turns at work that keeps a thread busy for long, such as reading a filter of 100,000 DIDs: one piece at a time, address by
// address, and after each a rest as long as it took. So events get at least half of the thread, however many clients ask, and
// a client that asks often waits for itself. Owned by the listener; used for messages and for bodies.

import { AddressQueue } from '../address-queue.ts';

/** Shortest rest, in milliseconds: Node's timers know nothing shorter, and below it events do not suffer. */
const restMsMin = 1;

/** See the file comment. */
export class Turns {
  readonly #waiting = new AddressQueue<() => void>();
  #isBusy = false;
  /** Worked since the last rest. */
  #tookMs = 0;

  /** Does a piece of work in its turn: at once, if nothing else is being done or rested from. Work must not throw. */
  take(address: string, work: () => void): void {
    if (this.#isBusy) this.#waiting.push(address, work);
    else this.#do(work);
  }

  #do(work: () => void): void {
    const startMs = performance.now();
    work();
    this.#tookMs += performance.now() - startMs;
    this.#isBusy = this.#tookMs >= restMsMin;
    if (!this.#isBusy) return;
    setTimeout(this.#next, this.#tookMs);
    this.#tookMs = 0;
  }

  readonly #next = (): void => {
    this.#isBusy = false;
    while (!this.#isBusy) {
      const work = this.#waiting.shift();
      if (work === undefined) return;
      this.#do(work);
    }
  };
}

// Turns at work that keeps a thread busy for long: one piece at a time, address by address, and after each a rest as long
// as it took. So events get at least half of the thread, however many clients ask, and one that asks often waits for
// itself. Used by filter-desk.ts, for large filters.

/** Longest rest: a piece that took longer has waited for another thread. */
const restMsMax = 500;

/** See the file comment. */
export class FairTurns {
  /** Those that wait, by address; the address whose turn is next comes first. */
  readonly #waiting = new Map<string, (() => void)[]>();
  #isBusy = false;

  /** Does a piece of work when it is the turn of its address: at once, if nobody works or rests. */
  async take<T>(address: string, work: () => Promise<T>): Promise<T> {
    if (this.#isBusy) {
      await new Promise<void>((begin) => {
        const others = this.#waiting.get(address);
        if (others === undefined) this.#waiting.set(address, [begin]);
        else others.push(begin);
      });
    }
    this.#isBusy = true;
    const startMs = performance.now();
    try {
      return await work();
    } finally {
      setTimeout(this.#next, Math.min(performance.now() - startMs, restMsMax));
    }
  }

  readonly #next = (): void => {
    for (const [address, [begin, ...others]] of this.#waiting) {
      this.#waiting.delete(address);
      if (others.length > 0) this.#waiting.set(address, others);
      begin();
      return;
    }
    this.#isBusy = false;
  };
}

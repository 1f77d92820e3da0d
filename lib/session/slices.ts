// Turns at work that is short and comes in crowds, such as the handshakes of ten thousand clients who come back at once: a slice of
// it at a time, address by address. Between two slices everything else that is due has a pass of the event loop, and the next slice is
// as long as that took: so events have at least half of the thread, and no time goes by unused. Work that is long nonetheless is
// rested from as turns.ts does. Used by lib/http's waiting-requests.ts.

import { TurnGiver } from './turns.ts';

/** A slice, in milliseconds: what it may be if nothing else was due, and at most. A publication to a thousand is some six. */
const sliceMsMin = 1;
const sliceMsMax = 10;
/** A piece of work that is long: the query of 10,000 DIDs takes 5 to 10. */
const longMs = 4;

/** See the file comment. */
export class Slices extends TurnGiver {
  /** Of this slice: what it may take, and what it has. */
  #sliceMs = sliceMsMin;
  #tookMs = 0;
  #endedMs = 0;

  protected rests(workMs: number): boolean {
    this.#tookMs += workMs;
    const isLong = workMs >= longMs;
    if (this.#tookMs < this.#sliceMs && !isLong) return false;
    this.#endedMs = performance.now();
    if (isLong) setTimeout(this.#begin, this.#tookMs);
    else setImmediate(this.#begin);
    this.#tookMs = 0;
    return true;
  }

  readonly #begin = (): void => {
    this.#sliceMs = Math.min(sliceMsMax, Math.max(sliceMsMin, performance.now() - this.#endedMs));
    this.goOn();
  };
}

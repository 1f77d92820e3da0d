// How many events a second one client address receives, over all its connections in all threads. The delivery loop asks
// before and tells after; nothing is ever dropped, only sent later. Where addresses are kept is address-table.ts.

/** How long an address may receive without a limit before it is held to its rate: as v1's burst. */
const burstMs = 1000;
/** Longest wait that is answered; the caller asks again after it. A timer holds no more than 24 days. */
const waitMsMax = 60_000;

/** Waits that the subscribers of one thread were told, and how long they were together. */
export interface Pacing {
  waits: number;
  waitedMs: number;
}

/** What the rates of one thread share. */
export interface RateBasis {
  /** Theoretical times, in milliseconds of `nowMs`, in memory that all threads share. */
  readonly times: Float64Array;
  /** What one event takes of an address's time. */
  readonly eventMs: number;
  readonly nowMs: () => number;
  readonly pacing: Pacing;
}

/**
 * The rate of one address as its theoretical time (GCRA): when it would have received all that it has at its rate. Read
 * and written without a lock: of two threads that write at once one is lost, and the address gets one batch too many.
 */
export class DeliveryRate {
  readonly #basis: RateBasis;
  readonly #at: number;

  /** @param at which of `basis.times`. */
  constructor(basis: RateBasis, at: number) {
    this.#basis = basis;
    this.#at = at;
  }

  /** Events were sent. The address may go into debt by a batch, which is then waited off. */
  take(events: number): void {
    const { times, eventMs, nowMs } = this.#basis;
    times[this.#at] = Math.max(times[this.#at], nowMs()) + events * eventMs;
  }

  /** Milliseconds until more may be sent; 0 is now. The caller waits as long as this says: it is counted. */
  waitMs(): number {
    const { times, nowMs, pacing } = this.#basis;
    const overMs = times[this.#at] - nowMs() - burstMs;
    if (overMs < 0) return 0;
    const waitMs = Math.min(Math.floor(overMs) + 1, waitMsMax);
    pacing.waits++;
    pacing.waitedMs += waitMs;
    return waitMs;
  }
}

// The times that sessions keep, and the timer of all sessions of a listener: it visits them in turn, so that a session needs
// none of its own and the pings of thousands that came at once go out spread over a sweep. What is due is the session's to
// know.

/** Intervals of a session, in milliseconds. */
export interface SessionTiming {
  /** Between pings, from the handshake on. A client is silent after two of them without a sign of life. */
  readonly pingIntervalMs: number;
  /** How long a client may leave bytes waiting without taking one; 0: no limit. */
  readonly stallTimeoutMs: number;
  /** From the start of the end (a close frame of either side, or the client's FIN) until the socket is destroyed. */
  readonly closeTimeoutMs: number;
}

/** What a daemon runs with; the ping interval is the v1 wire's. */
export const defaultSessionTiming: SessionTiming = {
  pingIntervalMs: 30_000,
  stallTimeoutMs: 60_000,
  closeTimeoutMs: 5_000,
};

/** The shortest time that a session with this timing keeps. */
export function shortestMsOf({ pingIntervalMs, stallTimeoutMs, closeTimeoutMs }: SessionTiming): number {
  return Math.min(pingIntervalMs, stallTimeoutMs || Infinity, closeTimeoutMs);
}

/** Longest time from one visit of a session to the next. */
const sweepMsMax = 1000;
/** A visit is early enough when it comes within that share of the shortest interval. */
const sweepsPerInterval = 4;
/** Visits of a few sessions need not be spread, and each tick wakes the process: at the network's rate, 12 of 150 times a second less. */
const [few, ticksOfFew, ticksOfMany] = [64, 4, 20];

/** What is visited. */
export interface Visited {
  /** @param nowMs of `performance.now()`. */
  visit(nowMs: number): void;
}

/** Runs while there is something to visit. */
export class SessionTimer<T extends Visited> {
  readonly #sessions: ReadonlySet<T>;
  readonly #everyTick: () => void;
  readonly #sweepMs: number;
  #timer: NodeJS.Timeout | undefined;
  #sweep: Iterator<T> | undefined;

  /**
   * @param sessions the owner's; read here only.
   * @param intervalMs the shortest time that a session keeps.
   * @param everyTick called beside, at least four times a second.
   */
  constructor(sessions: ReadonlySet<T>, intervalMs: number, everyTick: () => void = () => {}) {
    this.#sweepMs = Math.min(sweepMsMax, intervalMs / sweepsPerInterval);
    this.#sessions = sessions;
    this.#everyTick = everyTick;
  }

  /** To be called when there is a session where there was none. */
  start(): void {
    if (this.#timer === undefined) this.#arm();
  }

  #arm(): void {
    const wanted = this.#sessions.size > few ? ticksOfMany : ticksOfFew;
    // A timer has no less than a millisecond.
    const ticks = Math.min(wanted, Math.max(1, Math.floor(this.#sweepMs)));
    this.#timer = setTimeout(this.#tick, this.#sweepMs / ticks, ticks);
  }

  readonly #tick = (ticks: number): void => {
    this.#timer = undefined;
    if (this.#sessions.size === 0) return;
    this.#arm();
    this.#everyTick();
    const nowMs = performance.now();
    for (let left = Math.ceil(this.#sessions.size / ticks); left > 0; left--) {
      // A sweep is one walk over the set, which goes on where it was when sessions come and go meanwhile.
      this.#sweep ??= this.#sessions.values();
      let next = this.#sweep.next();
      if (next.done === true) {
        this.#sweep = this.#sessions.values();
        next = this.#sweep.next();
      }
      if (next.done === true) return;
      next.value.visit(nowMs);
    }
  };
}

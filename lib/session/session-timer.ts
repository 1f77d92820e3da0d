// The timer of all sessions of a listener: it visits them in turn, so that a session needs none of its own
// and the pings of thousands that came at once go out spread over a round. What is due is the session's to know.

/** Longest time from one visit of a session to the next. */
const roundMsMax = 1000;
/** A visit is early enough when it comes within that share of the shortest interval. */
const roundsPerInterval = 4;
const ticksPerRound = 20;

/** What is visited. */
export interface Visited {
  /** @param nowMs of `performance.now()`. */
  visit(nowMs: number): void;
}

/** Runs while there is something to visit. */
export class SessionTimer<T extends Visited> {
  readonly #sessions: ReadonlySet<T>;
  readonly #tickMs: number;
  readonly #ticksPerRound: number;
  #timer: NodeJS.Timeout | undefined;
  #round: Iterator<T> | undefined;

  /**
   * @param sessions the owner's; read here only.
   * @param intervalMs the shortest time that a session keeps.
   */
  constructor(sessions: ReadonlySet<T>, intervalMs: number) {
    const roundMs = Math.min(roundMsMax, intervalMs / roundsPerInterval);
    this.#sessions = sessions;
    this.#tickMs = Math.max(1, roundMs / ticksPerRound);
    this.#ticksPerRound = Math.max(1, Math.floor(roundMs / this.#tickMs));
  }

  /** To be called when there is a session where there was none. */
  start(): void {
    this.#timer ??= setInterval(() => this.#tick(), this.#tickMs);
  }

  #tick(): void {
    if (this.#sessions.size === 0) {
      clearInterval(this.#timer);
      this.#timer = undefined;
      return;
    }
    const nowMs = performance.now();
    for (let left = Math.ceil(this.#sessions.size / this.#ticksPerRound); left > 0; left--) {
      // A round is one walk over the set, which goes on where it was when sessions come and go meanwhile.
      this.#round ??= this.#sessions.values();
      const next = this.#round.next();
      if (next.done === true) this.#round = undefined;
      else next.value.visit(nowMs);
    }
  }
}

// Turns at work that keeps a thread busy for long, such as reading a filter of 100,000 DIDs: one piece at a time, address by
// address, and after each a rest as long as it took. So events get at least half of the thread, however many clients ask, and
// a client that asks often waits for itself. Owned by the listener; used for messages and for bodies.

import { AddressQueue } from '../address-queue.ts';

/** Shortest rest, in milliseconds: Node's timers know nothing shorter, and below it events do not suffer. */
const restMsMin = 1;

/** Gives pieces of work their turns, address by address. When it rests, and for how long, is said by those that extend it. */
export abstract class TurnGiver {
  readonly #waiting = new AddressQueue<() => void>();
  #isResting = false;

  /** Whether what comes now has to wait. */
  get isResting(): boolean {
    return this.#isResting;
  }

  /** Whether more waits than this thread gets done: a crowd is coming. */
  get isCrowded(): boolean {
    return !this.#waiting.isEmpty;
  }

  /** Does a piece of work in its turn: at once, unless it rests. Work must not throw. */
  take(address: string, work: () => void): void {
    if (this.#isResting) this.#waiting.push(address, work);
    else this.#do(work);
  }

  /** Asked after each piece, which took so long: whether a rest has begun, at whose end {@link goOn} is called. */
  protected abstract rests(workMs: number): boolean;

  protected goOn(): void {
    this.#isResting = false;
    while (!this.#isResting) {
      const work = this.#waiting.shift();
      if (work === undefined) return;
      this.#do(work);
    }
  }

  #do(work: () => void): void {
    const startMs = performance.now();
    work();
    this.#isResting = this.rests(performance.now() - startMs);
  }
}

/** See the file comment. */
export class Turns extends TurnGiver {
  /** Worked since the last rest. */
  #tookMs = 0;

  protected rests(workMs: number): boolean {
    this.#tookMs += workMs;
    if (this.#tookMs < restMsMin) return false;
    setTimeout(() => this.goOn(), this.#tookMs);
    this.#tookMs = 0;
    return true;
  }
}

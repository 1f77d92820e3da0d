// The manners of a guest: so many requests at a time and a second to one place, none while it has asked for a pause, and a bound on
// what waits. It knows nothing of what is asked.

import { CodedError } from '../errors.ts';

export interface DeskLimits {
  readonly concurrentMax: number;
  readonly perSecondMax: number;
  /** Requests that wait; one more is refused. */
  readonly waitingMax: number;
}

/** The desk of one directory, or of all hosts of strangers together. */
export class LookupDesk {
  readonly #limits: DeskLimits;
  readonly #waiting: { go: () => void; fail: (error: CodedError) => void }[] = [];
  #running = 0;
  /** When the next may begin, by the monotonic clock. */
  #nextMs = 0;
  #timer: NodeJS.Timeout | undefined;
  #isClosed = false;

  constructor(limits: DeskLimits) {
    this.#limits = limits;
  }

  /** Requests that wait for their turn. */
  get waiting(): number {
    return this.#waiting.length;
  }

  /** Has `work` done when it is its turn. @throws CodedError `IDENTITY_LIMITED`, retryable, when too much waits. */
  async run<T>(work: () => Promise<T>): Promise<T> {
    if (this.#waiting.length >= this.#limits.waitingMax || this.#isClosed) throw limited();
    await new Promise<void>((go, fail) => {
      this.#waiting.push({ go, fail });
      this.#next();
    });
    try {
      return await work();
    } finally {
      this.#running--;
      this.#next();
    }
  }

  /** Begins nothing for that long. */
  pause(ms: number): void {
    this.#nextMs = Math.max(this.#nextMs, performance.now() + ms);
  }

  /** Refuses what waits, and takes no more. */
  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    for (const { fail } of this.#waiting.splice(0)) fail(limited());
  }

  #next(): void {
    if (this.#timer !== undefined || this.#waiting.length === 0 || this.#isClosed) return;
    if (this.#running >= this.#limits.concurrentMax) return;
    const nowMs = performance.now();
    if (nowMs < this.#nextMs) {
      this.#timer = setTimeout(
        () => {
          this.#timer = undefined;
          this.#next();
        },
        Math.ceil(this.#nextMs - nowMs),
      );
      return;
    }
    this.#nextMs = nowMs + 1000 / this.#limits.perSecondMax;
    this.#running++;
    this.#waiting.shift()?.go();
    this.#next();
  }
}

function limited(): CodedError {
  return new CodedError('IDENTITY_LIMITED', 'too many lookups of keys are waiting', { retryable: true });
}

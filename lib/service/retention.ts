// Applies retention to the log at regular times, one trim at a time, and says how far one by age may go.

import { CodedError } from '../errors.ts';
import type { EventLog } from '../log/event-log.ts';

/** How often; as v1's. */
const intervalMs = 15_000;
/** Time of the log that age may take, for the time that passes: one that is too old goes, a clock does not take it all. */
const ageSpeedMax = 4;

/**
 * The `time_us` before which events are too old. It goes by a clock that can be wrong, so however large the step it
 * moves through the log at a bounded speed: there is time to see to the clock, and what is left is kept when it is right.
 */
export class AgeCut {
  readonly #retentionMs: number;
  readonly #nowMs: () => number;
  readonly #monotonicMs: () => number;
  #cutUs = 0;
  #atMs: number;

  /** @param retentionMs 0 keeps events whatever their age. @param nowMs the time that events are stamped with. */
  constructor(retentionMs: number, nowMs: () => number, monotonicMs = () => performance.now()) {
    this.#retentionMs = retentionMs;
    this.#nowMs = nowMs;
    this.#monotonicMs = monotonicMs;
    this.#atMs = monotonicMs();
  }

  /** For a trim now. @param firstTimeUs of the oldest stored event, 0 when there is none. */
  next(firstTimeUs: number): number {
    const atMs = this.#monotonicMs();
    const reachUs = (atMs - this.#atMs) * 1000 * ageSpeedMax;
    this.#atMs = atMs;
    if (this.#retentionMs === 0 || firstTimeUs === 0) return 0;
    const wantedUs = (this.#nowMs() - this.#retentionMs) * 1000;
    this.#cutUs = Math.min(wantedUs, Math.max(this.#cutUs, firstTimeUs) + reachUs);
    return this.#cutUs;
  }
}

/** Started by its constructor; `stop` ends it. */
export class Retention {
  readonly #timer: NodeJS.Timeout;
  #trimming: Promise<void> | undefined;

  /**
   * @param failed called with an error that a retry will not mend.
   */
  constructor(log: EventLog, age: AgeCut, failed: (error: unknown) => void) {
    const trim = async (): Promise<void> => {
      try {
        await log.trim(age.next(log.stats().firstTimeUs));
      } catch (error) {
        // On a full disk ingest waits for room, and trims go on after it.
        if (!(error instanceof CodedError) || !error.retryable) failed(error);
      }
      this.#trimming = undefined;
    };
    this.#timer = setInterval(() => {
      this.#trimming ??= trim();
    }, intervalMs);
  }

  /** Resolves when no trim is under way. */
  async stop(): Promise<void> {
    clearInterval(this.#timer);
    await this.#trimming;
  }
}

// Applies retention to the log at regular times, one trim at a time.

import { CodedError } from '../errors.ts';
import type { EventLog } from '../log/event-log.ts';

/** How often; as v1's. */
const intervalMs = 15_000;

/** Started by its constructor; `stop` ends it. */
export class Retention {
  readonly #timer: NodeJS.Timeout;
  #trimming: Promise<void> | undefined;

  /**
   * @param oldestUs the `time_us` before which events go, asked at every trim; 0 keeps them whatever their age.
   * @param failed called with an error that a retry will not mend.
   */
  constructor(log: EventLog, oldestUs: () => number, failed: (error: unknown) => void) {
    const trim = async (): Promise<void> => {
      try {
        await log.trim(oldestUs());
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

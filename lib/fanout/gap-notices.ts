// What one subscriber is to be told of gaps: the rows of the coverage ledger, and what has expired before it was sent. It owns
// which comes next; who tells it, and where the subscriber is, is subscriber.ts's.

import type { Gap } from '../event/coverage.ts';
import type { LogReader } from '../log/event-log.ts';

/** See the file comment. Only subscribers that want to be told have one. */
export class GapNotices {
  readonly #log: LogReader;
  /** None after this is wanted. */
  readonly #wantedUs: number;
  /** The log had nothing more up to here when the subscriber came to it. */
  #expiredUs: number;

  /**
   * @param afterUs where the subscriber begins. Before the first event ever, as with a cursor of 0, it wants all that there is: nothing of
   * that has expired.
   */
  constructor(log: LogReader, afterUs: number, wantedUs = Number.POSITIVE_INFINITY) {
    this.#log = log;
    this.#wantedUs = wantedUs;
    this.#expiredUs = afterUs > 0 ? log.oldestUs - 1 : Number.NEGATIVE_INFINITY;
  }

  /** Retention has taken everything up to there, and the subscriber, who is at `positionUs`, has not had it. */
  expired(throughUs: number, positionUs: number): void {
    if (positionUs > 0) this.#expiredUs = throughUs;
  }

  /** The first after `positionUs` whose place is `throughUs` at most. What has expired lies before every event that can still be sent. */
  next(positionUs: number, throughUs: number): Gap | undefined {
    if (this.#expiredUs > positionUs && this.#wantedUs > positionUs) {
      const toUs = Math.min(this.#expiredUs, this.#wantedUs);
      return { reason: 'expired', relay: '', fromUs: positionUs, toUs, count: 1 };
    }
    return this.#log.coverage.nextNotice(positionUs, Math.min(throughUs, this.#wantedUs));
  }
}

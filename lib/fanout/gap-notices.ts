// What one subscriber is to be told of gaps: the rows of the coverage ledger, and what has expired before it was sent. It owns
// which comes next; who tells it, and where the subscriber is, is subscriber.ts's.

import type { Gap } from '../event/coverage.ts';
import type { LogReader } from '../log/event-log.ts';

/** See the file comment. Only subscribers that want to be told have one. */
export class GapNotices {
  readonly #log: LogReader;
  /** None after this is wanted. */
  readonly #wantedUs: number;
  /** Up to here the log has nothing of what the subscriber was still to be sent; undefined as long as the log has been empty. */
  #expiredUs: number | undefined;

  constructor(log: LogReader, wantedUs = Number.POSITIVE_INFINITY) {
    this.#log = log;
    this.#wantedUs = wantedUs;
    this.#begin();
  }

  /** Retention has taken everything up to there. */
  expired(throughUs: number): void {
    this.#expiredUs = throughUs;
  }

  /** The first after `positionUs` whose place is `throughUs` at most. What has expired lies before every event that can still be sent. */
  next(positionUs: number, throughUs: number): Gap | undefined {
    const { coverage } = this.#log;
    if (this.#expiredUs === undefined) this.#begin();
    const expiredUs = Math.min(this.#expiredUs ?? 0, this.#wantedUs);
    // Who begins before everything wants what there is: nothing of that has expired.
    if (positionUs <= 0 || expiredUs <= positionUs)
      return coverage.nextNotice(positionUs, Math.min(throughUs, this.#wantedUs));
    // Rows are kept that lie in front of the first event, as of blocks that were damaged there.
    const row = coverage.nextNotice(positionUs, expiredUs);
    if (row !== undefined && row.fromUs <= positionUs) return row;
    const toUs = row === undefined ? expiredUs : row.fromUs;
    return { reason: 'expired', relay: '', fromUs: positionUs, toUs, count: 1 };
  }

  #begin(): void {
    const { oldestUs } = this.#log;
    if (oldestUs > 0) this.#expiredUs = oldestUs - 1;
  }
}

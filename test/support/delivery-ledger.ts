// Checks exactly-once delivery: takes the messages that a daemon sent, in v1 JSON, and says of each whether it was
// expected and new; afterwards, what is missing. One bit per event, so that millions are cheap. Used by tests that
// feed a daemon from a frame pool.

import { CodedError } from '../../lib/errors.ts';
import type { FramePool } from '../../simulator/lib/frame-pool.ts';
import { seqOfStampedRev } from '../../simulator/lib/stamped-rev.ts';
import type { ExpectedFrame } from '../../simulator/lib/synthetic-frame.ts';

/** Bits of the largest ledger: 512 MiB. */
const eventsMax = 2 ** 32;

/** The fields of a v1 message that identify its event. */
export interface V1Message {
  readonly did: string;
  readonly kind: string;
  readonly commit?: {
    readonly rev: string;
    readonly operation: string;
    readonly collection: string;
    readonly rkey: string;
    readonly cid?: string;
  };
  readonly identity?: { readonly seq: number };
  readonly account?: { readonly seq: number };
}

/** `foreign`: no frame of the pool leads to such an event, or one before the ledger begins. */
export type Verdict = 'new' | 'duplicate' | 'foreign';

/** Events seen, from the frame of `firstSeq` on, within one epoch of sequences. */
export class DeliveryLedger {
  readonly #pool: FramePool;
  readonly #firstEvent: number;
  #seen = new Uint8Array(65_536);

  constructor(pool: FramePool, firstSeq: number) {
    this.#pool = pool;
    this.#firstEvent = pool.firstEventOf(firstSeq);
  }

  /** Notes a message. @throws CodedError `SIMULATOR_LEDGER_FULL` beyond 2^32 events. */
  take(message: V1Message): Verdict {
    const { commit } = message;
    const seq = commit ? seqOfStampedRev(commit.rev) : (message.identity ?? message.account)?.seq;
    if (seq === undefined || !(seq >= 0)) {
      return 'foreign';
    }
    const index = indexOf(this.#pool.expectedAt(seq), message);
    const event = this.#pool.firstEventOf(seq) + index - this.#firstEvent;
    if (index < 0 || event < 0) {
      return 'foreign';
    }
    if (event >= eventsMax) {
      throw new CodedError('SIMULATOR_LEDGER_FULL', `event ${event} is beyond what a ledger holds`);
    }
    const byte = event >>> 3;
    if (byte >= this.#seen.length) {
      const larger = new Uint8Array(Math.max(this.#seen.length * 2, byte + 1));
      larger.set(this.#seen);
      this.#seen = larger;
    }
    const bit = 1 << (event & 7);
    if ((this.#seen[byte] & bit) !== 0) {
      return 'duplicate';
    }
    this.#seen[byte] |= bit;
    return 'new';
  }

  /** Events of the frames with sequences in [fromSeq, endSeq) that were not seen, and the first frame with one. */
  missing(fromSeq: number, endSeq: number): { count: number; firstSeq: number | undefined } {
    let count = 0;
    let firstSeq: number | undefined;
    for (let seq = fromSeq; seq < endSeq; seq++) {
      const end = this.#pool.firstEventOf(seq + 1) - this.#firstEvent;
      for (let event = this.#pool.firstEventOf(seq) - this.#firstEvent; event < end; event++) {
        if (((this.#seen[event >>> 3] ?? 0) & (1 << (event & 7))) === 0) {
          count++;
          firstSeq ??= seq;
        }
      }
    }
    return { count, firstSeq };
  }
}

function indexOf(frame: ExpectedFrame, message: V1Message): number {
  const { commit } = message;
  if (frame.kind !== message.kind || frame.did !== message.did) {
    return -1;
  }
  if (commit === undefined) {
    return 0;
  }
  return frame.ops.findIndex(
    (op) =>
      op.rkey === commit.rkey &&
      op.cid === commit.cid &&
      op.collection === commit.collection &&
      op.operation === commit.operation,
  );
}

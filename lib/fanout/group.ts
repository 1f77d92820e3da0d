// Subscribers with the same filter and encoding: what is cut for one of them is sent to all that are live. Created and
// dropped by group-index.ts, filled by publish-batch.ts.

import { type Batch, mergeBatches, noRun } from './batch.ts';
import type { Selection } from './selection.ts';
import type { Subscriber } from './subscriber.ts';
import type { Encoding } from './transport.ts';

/** See the file comment. */
export class Group {
  readonly key: string;
  readonly selection: Selection;
  readonly encoding: Encoding;
  /** Its number in the DID index while it is in there. */
  number = 0;
  /** Subscribers that have it as theirs, live or not. */
  holders = 0;
  /** Those at the published position, with a free socket. */
  readonly live: Subscriber[] = [];
  /** The chain of its events while a block is looked through. */
  firstRun = noRun;
  lastRun = noRun;
  /** What a round has found for it. */
  #batch: Batch | undefined;
  /** The same when it is of several blocks; `#batch` included. */
  #batches: Batch[] | undefined;

  constructor(key: string, selection: Selection, encoding: Encoding) {
    this.key = key;
    this.selection = selection;
    this.encoding = encoding;
  }

  /** A subscriber has reached the published position. */
  join(subscriber: Subscriber): void {
    subscriber.index = this.live.length;
    this.live.push(subscriber);
  }

  /** A live subscriber falls behind, changes its filter or ends. */
  leave(subscriber: Subscriber): void {
    const last = this.live.pop() as Subscriber;
    if (last === subscriber) return;
    this.live[subscriber.index] = last;
    last.index = subscriber.index;
  }

  /** Keeps a batch for {@link flush}; returns whether it is the first. */
  add(batch: Batch): boolean {
    if (this.#batch === undefined) {
      this.#batch = batch;
      return true;
    }
    this.#batches ??= [this.#batch];
    this.#batches.push(batch);
    return false;
  }

  /** Sends what was added to every live member, by one write each. */
  flush(): void {
    const batch = this.#batches === undefined ? (this.#batch as Batch) : mergeBatches(this.#batches);
    this.#batch = undefined;
    this.#batches = undefined;
    // Backwards, because a member whose socket is full leaves during its push and the last one takes its place.
    for (let place = this.live.length - 1; place >= 0; place--) this.live[place].push(batch);
  }
}

// Subscribers with the same filter and encoding: what is cut for one of them is sent to all that are live. Created and
// dropped by group-index.ts, filled by publication.ts.

import { type Batch, mergeBatches, noRun } from './batch.ts';
import type { Encoding } from './encodings.ts';
import type { Selection } from './selection.ts';

/** A subscriber, as its group knows it. */
export interface Member {
  /** Its index in {@link Group.live}; the group's to set. */
  index: number;
  /** Takes all that matches up to the published position. */
  push(batch: Batch): void;
}

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
  readonly live: Member[] = [];
  /** The chain of its events while a block is looked through. */
  firstRun = noRun;
  lastRun = noRun;
  /** What the publication has for it. */
  #batch: Batch | undefined;
  /** The same when it is of several blocks; `#batch` included. */
  #batches: Batch[] | undefined;

  constructor(key: string, selection: Selection, encoding: Encoding) {
    this.key = key;
    this.selection = selection;
    this.encoding = encoding;
  }

  /** A subscriber has reached the published position. */
  join(member: Member): void {
    member.index = this.live.length;
    this.live.push(member);
  }

  /** A live subscriber falls behind, changes its filter or ends. */
  leave(member: Member): void {
    const last = this.live.pop() as Member;
    if (last === member) return;
    this.live[member.index] = last;
    last.index = member.index;
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
    for (let index = this.live.length - 1; index >= 0; index--) this.live[index].push(batch);
  }
}

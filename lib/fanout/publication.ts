// New blocks that are published together: cuts them for the groups that they concern, and sends each group what there is
// for it by one write per member, however many blocks it comes from. Owned by the delivery loop: `add`, then `send`, again.

import { type Block, firstEventAfter } from '../log/block.ts';
import { type Batch, gather, noRun } from './batch.ts';
import type { NewestBlock } from './encodings.ts';
import type { Group } from './group.ts';
import type { GroupIndex } from './group-index.ts';

/** See the file comment. */
export class Publication {
  readonly #groups: GroupIndex;
  readonly #newest: NewestBlock;
  /** Groups that have something to send. */
  #due: Group[] = [];

  constructor(groups: GroupIndex, newest: NewestBlock) {
    this.#groups = groups;
    this.#newest = newest;
  }

  /** Cuts what comes after `afterUs` in a block. Blocks come in order. */
  add(block: Block, afterUs: number): void {
    const { index } = block;
    const from = firstEventAfter(index, afterUs);
    if (from === index.count) return;
    this.#newest.set(block);
    for (const group of this.#groups.unfiltered) {
      if (group.live.length === 0) continue;
      this.#cut(
        group,
        group.selection.cut(index, this.#newest.encode(block, group.encoding), from, index.count),
      );
    }
    for (const group of this.#groups.matched(index, from)) {
      this.#cut(group, gather(this.#newest.encode(block, group.encoding), this.#groups.runs, group.firstRun));
      group.firstRun = noRun;
      group.lastRun = noRun;
    }
  }

  /** Sends what was added. */
  send(): void {
    const due = this.#due;
    this.#due = [];
    for (const group of due) group.flush();
  }

  #cut(group: Group, batch: Batch): void {
    if (batch.events > 0 && group.add(batch)) this.#due.push(group);
  }
}

// Makes full blocks of the small ones that a node which is behind reads, as its log would compact them: so it stores each event once, and
// hands on a thirtieth of the blocks. It knows no messages, and decides nothing about when blocks may wait.

import type { Block } from '../log/block.ts';
import { blockEventsMax, blockJsonBytesMax } from '../log/block-builder.ts';
import { compactBlocks, compactionBlocksMax } from '../log/compaction.ts';

/** See the file comment. What waits is less than a full block, and no more blocks than a log has uncompacted. */
export class BlockGatherer {
  readonly #push: (block: Block) => void;
  #blocks: Block[] = [];
  #events = 0;
  #jsonBytes = 0;

  /** @param push takes blocks in order. */
  constructor(push: (block: Block) => void) {
    this.#push = push;
  }

  /** Takes a block, and hands on those that are enough for a full one. */
  add(block: Block): void {
    this.#blocks.push(block);
    this.#events += block.index.count;
    this.#jsonBytes += block.json.length;
    if (this.#events < blockEventsMax && this.#jsonBytes < blockJsonBytesMax) {
      // Hours without events are blocks of positions alone.
      if (this.#blocks.length === compactionBlocksMax) this.flush();
      return;
    }
    const full = this.#blocks.length === 1 ? block : compactBlocks(this.#blocks);
    this.#clear();
    this.#push(full);
  }

  /** Hands on what waits, as it came: blocks of a journal are the same bytes on all nodes, after a kill, too. */
  flush(): void {
    const blocks = this.#blocks;
    this.#clear();
    for (const block of blocks) this.#push(block);
  }

  #clear(): void {
    this.#blocks = [];
    this.#events = this.#jsonBytes = 0;
  }
}

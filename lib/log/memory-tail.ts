// The newest blocks, in memory, for subscribers near the newest event. It holds what the log has and nothing else, and
// never more than its bytes; a subscriber that falls out of it reads LevelDB. The memory of a compacted block that falls out of it is
// used again, unless somebody has asked for that block.

import { firstPast } from '../binary-search.ts';
import { type Block, blockBytesOf } from './block.ts';
import { TailMemory } from './tail-memory.ts';

/** Bytes that a block costs beside its payloads, roughly: columns, collection names, objects. */
const blockOverheadBytes = 2048;

/** A bounded queue of blocks in `time_us` order. */
export class MemoryTail {
  readonly #bytesMax: number;
  readonly #spare = new TailMemory();
  #blocks: (Block | undefined)[] = [];
  #first = 0;
  #bytes = 0;
  /** `lastTimeUs` of the last block that is not held: from here on the tail knows every event. */
  #reachUs: number;

  /**
   * @param bytesMax payload bytes held at most; the newest block is always held.
   * @param reachUs `time_us` of the last event stored before the tail begins.
   */
  constructor(bytesMax: number, reachUs: number) {
    this.#bytesMax = bytesMax;
    this.#reachUs = reachUs;
  }

  /** Payload bytes held. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Memory for both payloads of a block that is given to {@link replace}, and to nobody who keeps it. */
  memoryFor(bytes: number): Buffer {
    return this.#spare.take(bytes);
  }

  push(block: Block): void {
    this.#blocks.push(block);
    this.#bytes += costOf(block);
    while (this.#bytes > this.#bytesMax && this.#first < this.#blocks.length - 1) this.#dropFirst();
  }

  /** Puts `compacted` in the place of the `count` blocks that it was made of, as far as they are still here. */
  replace(count: number, compacted: Block): void {
    const blocks = this.#blocks;
    const end = firstPast(blocks, this.#first, blocks.length, endsAfter, compacted.index.lastTimeUs);
    const start = end - count;
    // Partly dropped already: the small ones that are left stay as they are.
    if (start < this.#first) {
      this.#spare.give(compacted.json);
      return;
    }
    for (let at = start; at < end; at++) this.#bytes -= costOf(blocks[at] as Block);
    this.#bytes += costOf(compacted);
    blocks.splice(start, count, compacted);
  }

  /**
   * The block that holds the first event after `timeUs`. Undefined when there is none, and when the tail does not
   * reach back far enough to know: then the log has to be asked.
   */
  after(timeUs: number): Block | undefined {
    if (timeUs < this.#reachUs) return undefined;
    const blocks = this.#blocks;
    const block = blocks[firstPast(blocks, this.#first, blocks.length, endsAfter, timeUs)];
    // Sockets have its bytes from here on, and nobody says when they are through with them.
    if (block !== undefined) this.#spare.lend(block.json);
    return block;
  }

  /** Forgets blocks that retention deletes: those that end at `throughUs` or before. */
  trimTo(throughUs: number): void {
    while (this.#first < this.#blocks.length && !endsAfter(this.#blocks, this.#first, throughUs))
      this.#dropFirst();
  }

  /** Forgets all blocks; the tail begins after `reachUs`. */
  reset(reachUs: number): void {
    this.#blocks = [];
    this.#first = 0;
    this.#bytes = 0;
    this.#reachUs = reachUs;
  }

  #dropFirst(): void {
    const block = this.#blocks[this.#first] as Block;
    this.#bytes -= costOf(block);
    this.#reachUs = block.index.lastTimeUs;
    this.#blocks[this.#first] = undefined;
    this.#spare.give(block.json);
    this.#first++;
    // Moving them up once half is empty keeps the cost per push constant.
    if (this.#first > 32 && this.#first * 2 > this.#blocks.length) {
      this.#blocks = this.#blocks.slice(this.#first);
      this.#first = 0;
    }
  }
}

/** Never asked about a block that has been dropped. */
function endsAfter(blocks: readonly (Block | undefined)[], position: number, timeUs: number): boolean {
  return (blocks[position] as Block).index.lastTimeUs > timeUs;
}

function costOf(block: Block): number {
  return blockBytesOf(block) + blockOverheadBytes;
}

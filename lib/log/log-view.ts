// A log as its readers see it: the newest blocks in memory, those that are not folded yet, and the block store. It
// holds what it is told has been stored, and writes nothing. level-log.ts has one beside its writer, log-replica.ts
// one in each thread that only reads.

import { type Block, type BlockSlice, blockBytesOf } from './block.ts';
import type { BlockIndex } from './block-index.ts';
import type { MadeSearch, ReadFilter } from './chapter.ts';
import type { LogReader, ReadResult, SliceEncoding } from './event-log.ts';
import { MemoryTail } from './memory-tail.ts';
import type { StoredBlocks } from './stored-blocks.ts';

/** See the file comment. */
export class LogView implements LogReader {
  readonly didHashKey: Uint8Array;
  lastTimeUs = 0;
  unfoldedEvents = 0;
  unfoldedBytes = 0;
  readonly #tail: MemoryTail;
  #stored: StoredBlocks;
  #unfolded: Block[] = [];
  /** The databases are closed for a moment. */
  #suspension: PromiseWithResolvers<void> | undefined;
  #suspensions = 0;

  /**
   * @param tailBytesMax bytes of newest blocks kept in memory.
   * @param unfolded blocks that follow the stored ones, oldest first; copied.
   */
  constructor(
    didHashKey: Uint8Array,
    tailBytesMax: number,
    stored: StoredBlocks,
    unfolded: readonly Block[],
  ) {
    this.didHashKey = didHashKey;
    this.#tail = new MemoryTail(tailBytesMax, stored.lastTimeUs);
    this.#stored = stored;
    this.lastTimeUs = stored.lastTimeUs;
    for (const block of unfolded) this.journalled(block);
  }

  /** Blocks that are not in the store, oldest first. */
  get unfolded(): readonly Block[] {
    return this.#unfolded;
  }

  /** Bytes of blocks held to be read at once. */
  get memoryBytes(): number {
    return this.#tail.bytes;
  }

  /** A block has been appended, and is small. */
  journalled(block: Block): void {
    this.#addUnfolded(block);
    this.#tail.push(block);
  }

  /** A block is in the store: in the place of the `count` oldest unfolded ones, or, for 0, a new one. */
  stored(block: Block, count: number): void {
    if (count === 0) {
      this.lastTimeUs = block.index.lastTimeUs;
      this.#tail.push(block);
      return;
    }
    for (const small of this.#unfolded.splice(0, count)) {
      this.unfoldedEvents -= small.index.count;
      this.unfoldedBytes -= blockBytesOf(small);
    }
    if (count > 1) this.#tail.replace(count, block);
  }

  /** As `StoredBlocks.indexAfter`. */
  storedIndexAfter(timeUs: number): Promise<BlockIndex | undefined> {
    return this.#stored.indexAfter(timeUs);
  }

  /** As `StoredBlocks.madeAt`. */
  storedMadeAt(search: MadeSearch): AsyncGenerator<BlockIndex> {
    return this.#stored.madeAt(search);
  }

  /** The databases are about to be closed: reads wait for {@link reset}. */
  suspend(): void {
    this.#suspensions++;
    this.#suspension ??= Promise.withResolvers();
  }

  /** Starts anew, from what is found in reopened databases. */
  reset(stored: StoredBlocks, unfolded: readonly Block[]): void {
    const before = this.lastTimeUs;
    this.#stored = stored;
    this.#unfolded = [];
    this.unfoldedEvents = 0;
    this.unfoldedBytes = 0;
    this.lastTimeUs = stored.lastTimeUs;
    for (const block of unfolded) this.#addUnfolded(block);
    // A write that failed may have been stored all the same. Memory does not have it, so readers start from the log.
    if (this.lastTimeUs > before) this.#tail.reset(this.lastTimeUs);
    this.#suspension?.resolve();
    this.#suspension = undefined;
  }

  recentAfter(timeUs: number): Block | undefined {
    return this.#tail.after(timeUs);
  }

  /** @param catchUp makes known here what the writer has told; called before a failure is believed. */
  async read(
    timeUs: number,
    encoding: SliceEncoding,
    bytesMax: number,
    filter?: ReadFilter,
    catchUp?: () => void,
  ): Promise<ReadResult> {
    for (;;) {
      await this.#suspension?.promise;
      const suspensions = this.#suspensions;
      try {
        if (timeUs >= this.#stored.lastTimeUs) return this.#readUnfolded(timeUs, encoding, bytesMax);
        return await this.#stored.read(timeUs, encoding, bytesMax, filter, catchUp);
      } catch (error) {
        // Closed in the middle of it: once more, when it is open again.
        if (suspensions === this.#suspensions) throw error;
      }
    }
  }

  #readUnfolded(timeUs: number, encoding: SliceEncoding, bytesMax: number): ReadResult {
    const slices: BlockSlice[] = [];
    let bytes = 0;
    let throughUs = timeUs;
    for (const block of this.#unfolded) {
      if (bytes >= bytesMax) break;
      if (block.index.lastTimeUs <= timeUs) continue;
      const frames = encoding === 'json' ? block.json : block.zstd;
      slices.push({ index: block.index, frames });
      bytes += frames.length;
      throughUs = block.index.lastTimeUs;
    }
    return { slices, throughUs };
  }

  #addUnfolded(block: Block): void {
    this.#unfolded.push(block);
    this.unfoldedEvents += block.index.count;
    this.unfoldedBytes += blockBytesOf(block);
    this.lastTimeUs = block.index.lastTimeUs;
  }
}

// A log as its readers see it: the newest blocks in memory, those that are not compacted yet, and the block store. It
// holds what it is told has been stored, and writes nothing. level-log.ts has one beside its writer, log-replica.ts
// one in each thread that only reads.

import type { CoverageRow } from '../event/coverage.ts';
import { type Block, type BlockIndex, type BlockSlice, blockBytesOf } from './block.ts';
import { CoverageLedger } from './coverage-ledger.ts';
import type { LogReader, ReadResult, SliceEncoding } from './event-log.ts';
import { MemoryTail } from './memory-tail.ts';
import type { CreatedSearch, ReadFilter } from './segment-index.ts';
import type { StoredBlocks } from './stored-blocks.ts';

/** Rows of the coverage ledger as they are found at opening. */
export interface StoredCoverage {
  readonly rows: readonly CoverageRow[];
  /** As of `Coverage`. */
  readonly droppedUs: number;
}

/** See the file comment. */
export class LogView implements LogReader {
  readonly didHashKey: Uint8Array;
  /** Rows of all blocks that are stored. */
  readonly coverage = new CoverageLedger();
  lastTimeUs = 0;
  uncompactedEvents = 0;
  uncompactedBytes = 0;
  readonly #tail: MemoryTail;
  #stored: StoredBlocks;
  #uncompacted: Block[] = [];
  /** The databases are closed for a moment. */
  #suspension: PromiseWithResolvers<void> | undefined;
  #suspensions = 0;
  /** `time_us` of the log's first event ever, if the log was seen empty. */
  #firstUs: number | undefined;

  /**
   * @param tailBytesMax bytes of newest blocks kept in memory.
   * @param uncompacted blocks that follow the stored ones, oldest first; copied.
   * @param ledger rows of the stored blocks, of the others too or not.
   */
  constructor(
    didHashKey: Uint8Array,
    tailBytesMax: number,
    stored: StoredBlocks,
    uncompacted: readonly Block[],
    ledger: StoredCoverage,
  ) {
    this.coverage.reset(ledger.rows, ledger.droppedUs);
    this.#firstUs = stored.lastTimeUs === 0 ? uncompacted[0]?.index.firstTimeUs : undefined;
    this.didHashKey = didHashKey;
    this.#tail = new MemoryTail(tailBytesMax, stored.lastTimeUs);
    this.#stored = this.#withLedger(stored);
    this.lastTimeUs = stored.lastTimeUs;
    for (const block of uncompacted) this.journalled(block);
  }

  /** Blocks that are not in the store, oldest first. */
  get uncompacted(): readonly Block[] {
    return this.#uncompacted;
  }

  /** From when on the log has everything; 0 when it is empty. */
  get oldestUs(): number {
    const { trimmedToUs } = this.#stored;
    return trimmedToUs > 0 ? trimmedToUs + 1 : (this.#firstUs ?? 0);
  }

  /** Bytes of blocks held to be read at once. */
  get memoryBytes(): number {
    return this.#tail.bytes;
  }

  /** A block has been appended, and is small. */
  journalled(block: Block): void {
    this.#addUncompacted(block);
    this.#tail.push(block);
  }

  /** A block is in the store: in the place of the `count` oldest uncompacted ones, or, for 0, a new one. */
  stored(block: Block, count: number): void {
    if (count === 0) {
      this.#appended(block);
      this.#tail.push(block);
      return;
    }
    for (const small of this.#uncompacted.splice(0, count)) {
      this.uncompactedEvents -= small.index.count;
      this.uncompactedBytes -= blockBytesOf(small);
    }
    if (count > 1) this.#tail.replace(count, block);
  }

  /** As `MemoryTail.memoryFor`, of a block that is given to {@link stored}. */
  readonly memoryFor = (bytes: number): Buffer => this.#tail.memoryFor(bytes);

  /** Retention deletes what is older, from memory too: on a quiet log that has days of it. */
  trimming(throughUs: number): void {
    this.coverage.trimTo(throughUs);
    this.#tail.trimTo(throughUs);
  }

  /** As `StoredBlocks.indexAfter`. */
  storedIndexAfter(timeUs: number): Promise<BlockIndex | undefined> {
    return this.#stored.indexAfter(timeUs);
  }

  /** As `StoredBlocks.indexesCreatedAt`. */
  storedIndexesCreatedAt(search: CreatedSearch): AsyncGenerator<BlockIndex> {
    return this.#stored.indexesCreatedAt(search);
  }

  /** The databases are about to be closed: reads wait for {@link reset}. */
  suspend(): void {
    this.#suspensions++;
    this.#suspension ??= Promise.withResolvers();
  }

  /** Starts again from what is found in the reopened databases. */
  reset(stored: StoredBlocks, uncompacted: readonly Block[], ledger: StoredCoverage): void {
    const before = this.lastTimeUs;
    this.coverage.reset(ledger.rows, ledger.droppedUs);
    this.#stored = this.#withLedger(stored);
    this.#uncompacted = [];
    this.uncompactedEvents = 0;
    this.uncompactedBytes = 0;
    this.lastTimeUs = stored.lastTimeUs;
    for (const block of uncompacted) this.#addUncompacted(block);
    // A write that failed may have been stored all the same. Memory does not have it, so readers start from the log.
    if (this.lastTimeUs > before) this.#tail.reset(this.lastTimeUs);
    this.#suspension?.resolve();
    this.#suspension = undefined;
  }

  /** Readers are told of what is lost by the ledger, and go past it. */
  #withLedger(stored: StoredBlocks): StoredBlocks {
    stored.isLost = (lastTimeUs) => this.coverage.isDamaged(lastTimeUs);
    return stored;
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
        if (timeUs >= this.#stored.lastTimeUs) return this.#readUncompacted(timeUs, encoding, bytesMax);
        return await this.#stored.read(timeUs, encoding, bytesMax, filter, catchUp);
      } catch (error) {
        // Closed in the middle of it: once more, when it is open again.
        if (suspensions === this.#suspensions) throw error;
      }
    }
  }

  #readUncompacted(timeUs: number, encoding: SliceEncoding, bytesMax: number): ReadResult {
    const slices: BlockSlice[] = [];
    let bytes = 0;
    let throughUs = timeUs;
    for (const block of this.#uncompacted) {
      if (bytes >= bytesMax) break;
      if (block.index.lastTimeUs <= timeUs) continue;
      const messages = encoding === 'zstd' ? block.zstd : block.json;
      slices.push({ index: block.index, messages });
      bytes += messages.length;
      throughUs = block.index.lastTimeUs;
    }
    return { slices, throughUs };
  }

  #addUncompacted(block: Block): void {
    this.#uncompacted.push(block);
    this.uncompactedEvents += block.index.count;
    this.uncompactedBytes += blockBytesOf(block);
    this.#appended(block);
  }

  #appended({ index, coverage }: Block): void {
    this.#firstUs ??= this.lastTimeUs === 0 ? index.firstTimeUs : undefined;
    this.lastTimeUs = index.lastTimeUs;
    if (coverage !== undefined) this.coverage.add(coverage);
  }
}

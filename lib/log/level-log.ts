// The embedded event log. Full blocks go to the block store. Small ones, the usual case at the network's rate, go to the
// journal; when enough have gathered they are folded into one and move to the store, behind the writer's back. Which of
// the two holds an event is nobody else's business: readers ask memory first, then here.

import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { ByteWriter } from '../decode/byte-writer.ts';
import { CodedError } from '../event/coded-error.ts';
import type { Block, BlockSlice, UpstreamPositions } from './block.ts';
import { blockEventsMax, blockJsonBytesMax, compressFrames, type FrameCompressor } from './block-builder.ts';
import { BlockStore } from './block-store.ts';
import type { ReadFilter } from './chapter.ts';
import { databaseFailure } from './database.ts';
import type { EventLog, LogStats, ReadResult, SliceEncoding, TrimResult } from './event-log.ts';
import { foldBlocks } from './fold.ts';
import { Journal } from './journal.ts';
import { MemoryTail } from './memory-tail.ts';

export interface LevelLogOptions {
  /** Directory of the daemon; created when absent. */
  readonly dataDir: string;
  /** Stored bytes above which `trim` deletes the oldest blocks; 0 is no limit. */
  readonly retentionBytes: number;
  /** Bytes of newest blocks kept in memory. */
  readonly tailBytesMax: number;
  /** Whether every append waits for the disk: survives power loss, not just the death of the process. */
  readonly fsync: boolean;
  /** Of the dictionary that compressed subscribers have; blocks from before a change of it are compressed again. */
  readonly compressor: FrameCompressor;
}

/** Journalled blocks that are folded at the latest, however few events they have. */
const foldBlocksMax = 256;
/** Unfolded bytes at which appends wait for folding. */
const unfoldedBytesMax = 64 * 1024 * 1024;

/** An {@link EventLog} in LevelDB. Create it with {@link LevelLog.open}. */
export class LevelLog implements EventLog {
  /**
   * Blocks deleted at opening because one before them was missing: a power failure without `fsync` took it. Their
   * events come again from the relay, since the upstream positions are those of the last block that is left.
   */
  readonly lostBlocks: number;
  readonly #options: LevelLogOptions;
  readonly #journal: Journal;
  readonly #store: BlockStore;
  readonly #tail: MemoryTail;
  /** Journalled and not in the store, oldest first. */
  readonly #unfolded: Block[];
  #unfoldedEvents = 0;
  #unfoldedBytes = 0;
  #lastTimeUs: number;
  #positions: UpstreamPositions;
  #folding: Promise<void> | undefined;
  #foldError: unknown;

  private constructor(
    options: LevelLogOptions,
    journal: Journal,
    store: BlockStore,
    unfolded: Block[],
    lostBlocks: number,
  ) {
    this.lostBlocks = lostBlocks;
    this.#options = options;
    this.#journal = journal;
    this.#store = store;
    this.#unfolded = unfolded;
    this.#tail = new MemoryTail(options.tailBytesMax, store.lastTimeUs);
    for (const block of unfolded) this.#countUnfolded(block, 1);
    for (const block of unfolded) this.#tail.push(block);
    this.#lastTimeUs = unfolded.at(-1)?.index.lastTimeUs ?? store.lastTimeUs;
    this.#positions = unfolded.at(-1)?.positions ?? store.last?.positions ?? new Map();
  }

  /**
   * Opens or creates the log.
   * @throws CodedError `LOG_LOCKED`, `LOG_NEWER_FORMAT`, `LOG_CORRUPT` or `LOG_OPEN_FAILED`.
   */
  static async open(options: LevelLogOptions): Promise<LevelLog> {
    const { dataDir } = options;
    try {
      await mkdir(dataDir, { recursive: true });
    } catch (cause) {
      throw databaseFailure('LOG_OPEN_FAILED', `cannot create the data directory ${dataDir}`, cause);
    }
    const store = await BlockStore.open(join(dataDir, 'blocks'), options.compressor);
    let journal: Journal | undefined;
    try {
      journal = await Journal.open(join(dataDir, 'journal'));
      const { blocks, lostBlocks } = await journal.recover(store.lastTimeUs);
      const unfolded = blocks.map((block) => withDictionaryOf(block, options.compressor));
      return new LevelLog(options, journal, store, unfolded, store.lostBlocks + lostBlocks);
    } catch (error) {
      await journal?.close();
      await store.close();
      throw error;
    }
  }

  get didHashKey(): Uint8Array {
    return this.#store.didHashKey;
  }

  get lastTimeUs(): number {
    return this.#lastTimeUs;
  }

  get positions(): UpstreamPositions {
    return this.#positions;
  }

  async append(block: Block): Promise<void> {
    const { firstTimeUs, lastTimeUs } = block.index;
    if (firstTimeUs <= this.#lastTimeUs) {
      throw new CodedError(
        'LOG_ORDER',
        `block ${firstTimeUs} to ${lastTimeUs} does not come after ${this.#lastTimeUs}: a bug, please report it`,
      );
    }
    if (this.#foldError !== undefined) throw this.#foldError;
    const { fsync } = this.#options;
    if (isFull(block)) {
      await this.#foldAll();
      await this.#store.append(block, fsync);
    } else {
      await this.#journal.append(block, this.#lastTimeUs, fsync);
      this.#unfolded.push(block);
      this.#countUnfolded(block, 1);
    }
    this.#lastTimeUs = lastTimeUs;
    this.#positions = block.positions;
    this.#tail.push(block);
    if (this.#isFoldDue) this.#folding ??= this.#fold(() => this.#isFoldDue);
    if (this.#unfoldedBytes > unfoldedBytesMax) await this.#folding;
  }

  recentAfter(timeUs: number): Block | undefined {
    return this.#tail.after(timeUs);
  }

  async read(
    timeUs: number,
    encoding: SliceEncoding,
    bytesMax: number,
    filter?: ReadFilter,
  ): Promise<ReadResult> {
    if (timeUs < this.#store.lastTimeUs) return this.#store.read(timeUs, encoding, bytesMax, filter);
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

  trim(olderThanUs: number): Promise<TrimResult> {
    return this.#store.trim(olderThanUs, this.#options.retentionBytes);
  }

  stats(): LogStats {
    const { bytes, events } = this.#store.size;
    return {
      firstTimeUs: this.#store.firstTimeUs || (this.#unfolded[0]?.index.firstTimeUs ?? 0),
      lastTimeUs: this.#lastTimeUs,
      storedBytes: bytes + this.#unfoldedBytes,
      storedEvents: events + this.#unfoldedEvents,
      memoryBytes: this.#tail.bytes,
    };
  }

  async close(): Promise<void> {
    await this.#folding;
    await this.#journal.close();
    await this.#store.close();
  }

  get #isFoldDue(): boolean {
    return (
      this.#unfoldedEvents >= blockEventsMax ||
      this.#unfoldedBytes >= 2 * blockJsonBytesMax ||
      this.#unfolded.length >= foldBlocksMax
    );
  }

  /** Leaves nothing in the journal, before a block goes past it. @throws CodedError `LOG_WRITE_FAILED`. */
  async #foldAll(): Promise<void> {
    await this.#folding;
    if (this.#unfolded.length === 0) return;
    this.#folding = this.#fold(() => this.#unfolded.length > 0);
    await this.#folding;
    if (this.#foldError !== undefined) throw this.#foldError;
  }

  /** Moves blocks from the journal to the store while there is reason to. Never rejects. */
  async #fold(hasReason: () => boolean): Promise<void> {
    try {
      while (hasReason()) {
        const small = this.#takeFold();
        const folded = small.length === 1 ? small[0] : foldBlocks(small);
        await this.#store.append(folded, this.#options.fsync);
        this.#unfolded.splice(0, small.length);
        for (const block of small) this.#countUnfolded(block, -1);
        if (small.length > 1) this.#tail.replace(small.length, folded);
        await this.#journal.removeTo(folded.index.lastTimeUs);
      }
    } catch (error) {
      this.#foldError = error;
    }
    this.#folding = undefined;
  }

  /** The oldest unfolded blocks that make one block, not much larger than a full one. */
  #takeFold(): Block[] {
    let events = 0;
    let jsonBytes = 0;
    let taken = 0;
    for (const block of this.#unfolded) {
      if (events >= blockEventsMax || jsonBytes >= blockJsonBytesMax) break;
      events += block.index.count;
      jsonBytes += block.json.length;
      taken++;
    }
    return this.#unfolded.slice(0, taken);
  }

  #countUnfolded(block: Block, sign: 1 | -1): void {
    this.#unfoldedEvents += sign * block.index.count;
    this.#unfoldedBytes += sign * (block.json.length + block.zstd.length);
  }
}

/** Large enough to be kept as it is. */
function isFull({ index, json }: Block): boolean {
  return index.count >= blockEventsMax || json.length >= blockJsonBytesMax;
}

function withDictionaryOf(block: Block, compressor: FrameCompressor): Block {
  const { dictionaryId } = compressor;
  if (block.dictionaryId === dictionaryId) return block;
  const { zstd, zstdEnd } = compressFrames(block.json, block.index.jsonEnd, compressor, new ByteWriter());
  return { ...block, index: { ...block.index, zstdEnd }, zstd, dictionaryId };
}

// The embedded event log. Full blocks go to the block store. Small ones, the usual case at the network's rate, go to the
// journal; when enough have gathered they are folded into one and move to the store, behind the writer's back. Which of
// the two holds an event is nobody else's business: readers ask memory first, then here.

import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { ByteWriter } from '../decode/byte-writer.ts';
import { CodedError } from '../event/coded-error.ts';
import type { Block, BlockSlice, UpstreamPositions } from './block.ts';
import {
  blockEventsMax,
  blockJsonBytesMax,
  type FrameCompressor,
  withDictionaryOf,
} from './block-builder.ts';
import { BlockStore } from './block-store.ts';
import type { ReadFilter } from './chapter.ts';
import { databaseFailure } from './database.ts';
import type { EventLog, LogStats, ReadResult, SliceEncoding, TrimResult } from './event-log.ts';
import { foldBlocks } from './fold.ts';
import { Journal } from './journal.ts';
import { MemoryTail } from './memory-tail.ts';
import { waitForSpace } from './space.ts';

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
/** How often folding makes the store durable without `fsync`, so that the journal can be emptied. */
const storeSyncMs = 1000;
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
  readonly #tail: MemoryTail;
  #journal: Journal;
  #store: BlockStore;
  /** Journalled and not in the store, oldest first. */
  #unfolded: Block[] = [];
  #unfoldedEvents = 0;
  #unfoldedBytes = 0;
  #lastTimeUs: number;
  #positions: UpstreamPositions;
  #folding: Promise<void> | undefined;
  #syncedAtMs = 0;
  /** A write failed in the background: nothing may be written until {@link recover} has reopened the databases. */
  #broken: unknown;
  #recovering: Promise<void> | undefined;
  #isClosed = false;

  private constructor(options: LevelLogOptions, opened: Opened) {
    const { journal, store, unfolded, lostBlocks } = opened;
    this.lostBlocks = lostBlocks;
    this.#options = options;
    this.#journal = journal;
    this.#store = store;
    this.#tail = new MemoryTail(options.tailBytesMax, store.lastTimeUs);
    for (const block of unfolded) this.#tail.push(block);
    this.#setUnfolded(unfolded);
    this.#lastTimeUs = endOf(opened);
    this.#positions = unfolded.at(-1)?.positions ?? store.last?.positions ?? new Map();
  }

  /**
   * Opens or creates the log.
   * @throws CodedError `LOG_LOCKED`, `LOG_NEWER_FORMAT`, `LOG_CORRUPT` or `LOG_OPEN_FAILED`.
   */
  static async open(options: LevelLogOptions): Promise<LevelLog> {
    return new LevelLog(options, await openParts(options));
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
    if (this.#isClosed) throw new CodedError('LOG_CLOSED', 'the log is closed');
    if (this.#broken !== undefined) throw this.#broken;
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

  recover(): Promise<void> {
    this.#recovering ??= this.#recover().finally(() => {
      this.#recovering = undefined;
    });
    return this.#recovering;
  }

  async read(
    timeUs: number,
    encoding: SliceEncoding,
    bytesMax: number,
    filter?: ReadFilter,
  ): Promise<ReadResult> {
    await this.#recovering;
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

  async trim(olderThanUs: number): Promise<TrimResult> {
    await this.#recovering;
    if (this.#broken !== undefined || this.#isClosed) return { blocks: 0, events: 0, bytes: 0 };
    try {
      return await this.#store.trim(olderThanUs, this.#options.retentionBytes);
    } catch (error) {
      if (error instanceof CodedError && error.retryable) this.#broken = error;
      throw error;
    }
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
    this.#isClosed = true;
    await this.#recovering;
    await this.#folding;
    await this.#journal.close();
    await this.#store.close();
  }

  async #recover(): Promise<void> {
    await this.#folding;
    await waitForSpace(this.#options.dataDir, () => this.#isClosed);
    if (this.#isClosed) return;
    await this.#journal.close();
    await this.#store.close();
    const opened = await openParts(this.#options);
    if (endOf(opened) < this.#lastTimeUs) {
      throw new CodedError(
        'LOG_CORRUPT',
        `the log in ${this.#options.dataDir} ends at ${endOf(opened)} after a failed write, before ${this.#lastTimeUs} that was stored: stop and check the disk`,
      );
    }
    this.#journal = opened.journal;
    this.#store = opened.store;
    this.#setUnfolded(opened.unfolded);
    // The write that failed may have been stored all the same. Memory does not have it, so readers start from the log.
    if (endOf(opened) > this.#lastTimeUs) this.#tail.reset(endOf(opened));
    this.#lastTimeUs = endOf(opened);
    this.#positions = opened.unfolded.at(-1)?.positions ?? opened.store.last?.positions ?? this.#positions;
    this.#broken = undefined;
  }

  #setUnfolded(blocks: Block[]): void {
    this.#unfolded = blocks;
    this.#unfoldedEvents = 0;
    this.#unfoldedBytes = 0;
    for (const block of blocks) this.#countUnfolded(block, 1);
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
    if (this.#broken !== undefined) throw this.#broken;
  }

  /** Moves blocks from the journal to the store while there is reason to. Never rejects. */
  async #fold(hasReason: () => boolean): Promise<void> {
    try {
      while (hasReason()) {
        const small = this.#takeFold();
        const folded = small.length === 1 ? small[0] : foldBlocks(small);
        const sync = this.#options.fsync || performance.now() - this.#syncedAtMs >= storeSyncMs;
        await this.#store.append(folded, sync);
        this.#unfolded.splice(0, small.length);
        for (const block of small) this.#countUnfolded(block, -1);
        if (small.length > 1) this.#tail.replace(small.length, folded);
        // Entries that the disk may have must not go before what replaces them is there for certain.
        if (!sync) continue;
        this.#syncedAtMs = performance.now();
        await this.#journal.removeTo(folded.index.lastTimeUs);
      }
    } catch (error) {
      this.#broken = error;
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

interface Opened {
  readonly journal: Journal;
  readonly store: BlockStore;
  readonly unfolded: Block[];
  readonly lostBlocks: number;
}

async function openParts(options: LevelLogOptions): Promise<Opened> {
  const { dataDir, compressor } = options;
  try {
    await mkdir(dataDir, { recursive: true });
  } catch (cause) {
    throw databaseFailure('LOG_OPEN_FAILED', `cannot create the data directory ${dataDir}`, cause);
  }
  const store = await BlockStore.open(join(dataDir, 'blocks'), compressor);
  let journal: Journal | undefined;
  try {
    journal = await Journal.open(join(dataDir, 'journal'));
    const { blocks, lostBlocks } = await journal.recover(store.lastTimeUs);
    const scratch = new ByteWriter();
    const unfolded = blocks.map((block) => withDictionaryOf(block, compressor, scratch));
    return { journal, store, unfolded, lostBlocks: store.lostBlocks + lostBlocks };
  } catch (error) {
    await journal?.close();
    await store.close();
    throw error;
  }
}

function endOf({ store, unfolded }: Opened): number {
  return unfolded.at(-1)?.index.lastTimeUs ?? store.lastTimeUs;
}

/** Large enough to be kept as it is. */
function isFull({ index, json }: Block): boolean {
  return index.count >= blockEventsMax || json.length >= blockJsonBytesMax;
}

// The embedded event log. Full blocks go to the block store. Small ones, the usual case at the network's rate, go to the
// journal; when enough have gathered they are folded into one and move to the store, behind the writer's back. Which of
// the two holds an event is nobody else's business: readers ask memory first, then here.

import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { ByteWriter } from '../decode/byte-writer.ts';
import { CodedError } from '../event/coded-error.ts';
import type { Block, UpstreamPositions } from './block.ts';
import {
  blockEventsMax,
  blockJsonBytesMax,
  type FrameCompressor,
  isFull,
  withDictionaryOf,
} from './block-builder.ts';
import { BlockStore } from './block-store.ts';
import type { ReadFilter } from './chapter.ts';
import { databaseFailure } from './database.ts';
import type {
  DeletionTotals,
  EventLog,
  LogStats,
  ReadResult,
  SliceEncoding,
  TrimResult,
} from './event-log.ts';
import { foldBlocks } from './fold.ts';
import { Journal } from './journal.ts';
import { type LogFollower, type ReplicaStart, storeFolder } from './log-follower.ts';
import { LogView } from './log-view.ts';
import { RecordFinder } from './record-finder.ts';
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
  /** Told of changes; the databases are opened so that other threads can read them. */
  readonly follower?: LogFollower | undefined;
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
  readonly #view: LogView;
  readonly #finder: RecordFinder;
  #journal: Journal;
  #store: BlockStore;
  #positions: UpstreamPositions;
  #folding: Promise<void> | undefined;
  #syncedAtMs = 0;
  /** A write failed in the background: nothing may be written until {@link recover} has reopened the databases. */
  #broken: unknown;
  #recovering: Promise<void> | undefined;
  #trimming: Promise<TrimResult> | undefined;
  #isClosed = false;

  private constructor(options: LevelLogOptions, opened: Opened) {
    const { journal, store, unfolded, lostBlocks } = opened;
    this.lostBlocks = lostBlocks;
    this.#options = options;
    this.#journal = journal;
    this.#store = store;
    this.#view = new LogView(store.didHashKey, options.tailBytesMax, store.stored, unfolded);
    this.#finder = new RecordFinder(this.#view);
    this.#positions = positionsOf(opened) ?? new Map();
  }

  /**
   * Opens or creates the log.
   * @throws CodedError `LOG_LOCKED`, `LOG_NEWER_FORMAT`, `LOG_CORRUPT` or `LOG_OPEN_FAILED`.
   */
  static async open(options: LevelLogOptions): Promise<LevelLog> {
    return new LevelLog(options, await openParts(options));
  }

  get didHashKey(): Uint8Array {
    return this.#view.didHashKey;
  }

  get lastTimeUs(): number {
    return this.#view.lastTimeUs;
  }

  /** What a replica starts from. It is right until the next append or trim. */
  get replicaStart(): ReplicaStart {
    const { unfolded } = this.#view;
    return { didHashKey: this.didHashKey, trimmedToUs: this.#store.stored.trimmedToUs, unfolded };
  }

  get positions(): UpstreamPositions {
    return this.#positions;
  }

  get deletions(): Readonly<DeletionTotals> {
    return this.#finder.totals;
  }

  resolve(block: Block): Block | Promise<Block> {
    return this.#finder.resolve(block);
  }

  async append(block: Block): Promise<void> {
    const { firstTimeUs, lastTimeUs } = block.index;
    const previousUs = this.lastTimeUs;
    if (firstTimeUs <= previousUs) {
      throw new CodedError(
        'LOG_ORDER',
        `block ${firstTimeUs} to ${lastTimeUs} does not come after ${previousUs}: a bug, please report it`,
      );
    }
    if (this.#view.unfoldedBytes > unfoldedBytesMax) await this.#folding;
    if (this.#isClosed) throw new CodedError('LOG_CLOSED', 'the log is closed');
    if (this.#broken !== undefined) throw this.#broken;
    const { fsync } = this.#options;
    if (isFull(block)) {
      await this.#foldAll();
      await this.#store.append(block, fsync);
      this.#view.stored(block, 0);
    } else {
      await this.#journal.append(block, previousUs, fsync);
      this.#view.journalled(block);
    }
    this.#positions = block.positions;
    if (this.#isFoldDue) this.#folding ??= this.#fold(() => this.#isFoldDue);
  }

  recentAfter(timeUs: number): Block | undefined {
    return this.#view.recentAfter(timeUs);
  }

  recover(): Promise<void> {
    this.#recovering ??= this.#recover().finally(() => {
      this.#recovering = undefined;
    });
    return this.#recovering;
  }

  read(timeUs: number, encoding: SliceEncoding, bytesMax: number, filter?: ReadFilter): Promise<ReadResult> {
    return this.#view.read(timeUs, encoding, bytesMax, filter);
  }

  trim(olderThanUs: number): Promise<TrimResult> {
    this.#trimming = this.#trim(olderThanUs);
    return this.#trimming;
  }

  async #trim(olderThanUs: number): Promise<TrimResult> {
    await this.#recovering;
    if (this.#broken !== undefined || this.#isClosed) return { blocks: 0, events: 0, bytes: 0 };
    try {
      const { retentionBytes, follower } = this.#options;
      return await this.#store.trim(olderThanUs, retentionBytes, (throughUs) =>
        follower?.trimming(throughUs),
      );
    } catch (error) {
      if (error instanceof CodedError && error.retryable) this.#broken = error;
      throw error;
    }
  }

  stats(): LogStats {
    const { bytes, events } = this.#store.size;
    const { lastTimeUs, unfolded, unfoldedBytes, unfoldedEvents, memoryBytes } = this.#view;
    return {
      firstTimeUs: this.#store.firstTimeUs || (unfolded[0]?.index.firstTimeUs ?? 0),
      lastTimeUs,
      storedBytes: bytes + unfoldedBytes,
      storedEvents: events + unfoldedEvents,
      memoryBytes,
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
    await this.#trimming?.catch(() => undefined);
    this.#view.suspend();
    await this.#options.follower?.suspend();
    await this.#journal.close();
    await this.#store.close();
    const opened = await openParts(this.#options);
    if (endOf(opened) < this.lastTimeUs) {
      throw new CodedError(
        'LOG_CORRUPT',
        `the log in ${this.#options.dataDir} ends at ${endOf(opened)} after a failed write, before ${this.lastTimeUs} that was stored: stop and check the disk`,
      );
    }
    this.#journal = opened.journal;
    this.#store = opened.store;
    this.#view.reset(opened.store.stored, opened.unfolded);
    this.#positions = positionsOf(opened) ?? this.#positions;
    this.#broken = undefined;
    await this.#options.follower?.resume();
  }

  get #isFoldDue(): boolean {
    const { unfolded, unfoldedEvents, unfoldedBytes } = this.#view;
    return (
      unfoldedEvents >= blockEventsMax ||
      unfoldedBytes >= 2 * blockJsonBytesMax ||
      unfolded.length >= foldBlocksMax
    );
  }

  /** Leaves nothing in the journal, before a block goes past it. @throws CodedError `LOG_WRITE_FAILED`. */
  async #foldAll(): Promise<void> {
    await this.#folding;
    if (this.#view.unfolded.length === 0) return;
    this.#folding = this.#fold(() => this.#view.unfolded.length > 0);
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
        this.#view.stored(folded, small.length);
        this.#options.follower?.folded(folded, small.length);
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
    const { unfolded } = this.#view;
    for (const block of unfolded) {
      if (events >= blockEventsMax || jsonBytes >= blockJsonBytesMax) break;
      events += block.index.count;
      jsonBytes += block.json.length;
      taken++;
    }
    return unfolded.slice(0, taken);
  }
}

interface Opened {
  readonly journal: Journal;
  readonly store: BlockStore;
  readonly unfolded: Block[];
  readonly lostBlocks: number;
}

async function openParts(options: LevelLogOptions): Promise<Opened> {
  const { dataDir, compressor, follower } = options;
  try {
    await mkdir(dataDir, { recursive: true });
  } catch (cause) {
    throw databaseFailure('LOG_OPEN_FAILED', `cannot create the data directory ${dataDir}`, cause);
  }
  const store = await BlockStore.open(join(dataDir, storeFolder), compressor, follower !== undefined);
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

function positionsOf({ store, unfolded }: Opened): UpstreamPositions | undefined {
  return unfolded.at(-1)?.positions ?? store.last?.positions;
}

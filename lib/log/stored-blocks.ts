// What readers know of a block store: how far it reaches, its segment indexes, and how blocks are read from a position on.
// The store's writer has one (block-store.ts), and so has every thread that only reads (log-replica.ts).

import { CodedError } from '../errors.ts';
import { type Database, databaseBytesOf } from '../level/database.ts';
import { databaseFailure } from '../level/database-errors.ts';
import type { Block, BlockIndex } from './block.ts';
import type { EventCompressor } from './block-builder.ts';
import type { BlockHead } from './block-format.ts';
import { BlockLoader } from './block-loader.ts';
import { BlockReader } from './block-reader.ts';
import type { ReadResult, SliceEncoding } from './event-log.ts';
import type { CreatedSearch, ReadFilter } from './segment-index.ts';
import { SegmentList } from './segment-list.ts';

/** See the file comment. Create it with {@link StoredBlocks.load}. */
export class StoredBlocks {
  /** `time_us` of the last stored event; 0 in an empty store. */
  lastTimeUs: number;
  /** Blocks that end here or before are deleted, or about to be. */
  trimmedToUs = 0;
  readonly segments: SegmentList;
  readonly #loader: BlockLoader;
  readonly #reader: BlockReader;
  readonly #db: Database;
  readonly #location: string;

  private constructor(
    db: Database,
    location: string,
    lastTimeUs: number,
    segments: SegmentList,
    loader: BlockLoader,
  ) {
    this.#db = db;
    this.#location = location;
    this.lastTimeUs = lastTimeUs;
    this.segments = segments;
    this.#loader = loader;
    this.#reader = new BlockReader(loader, segments);
  }

  /**
   * @param location for messages.
   * @param last the newest block's head; undefined for an empty store.
   * @param compressor what compressed readers can decode: blocks of another dictionary are compressed again.
   * @throws CodedError `LOG_CORRUPT`.
   */
  static async load(
    db: Database,
    location: string,
    last: BlockHead | undefined,
    compressor: EventCompressor,
  ): Promise<StoredBlocks> {
    const lastTimeUs = last?.index.lastTimeUs ?? 0;
    const loader = new BlockLoader(db, compressor);
    const segments = await SegmentList.load(db, lastTimeUs, last?.segmentUs ?? 0, loader);
    return new StoredBlocks(db, location, lastTimeUs, segments, loader);
  }

  /** Memory of LevelDB, of all threads that have it open together. */
  get databaseBytes(): number {
    return databaseBytesOf(this.#db);
  }

  /** Whether a block that ends there is known to be lost: it is passed over then. */
  set isLost(isLost: (lastTimeUs: number) => boolean) {
    this.#loader.isLost = isLost;
  }

  /** As `LogReader.read`, among stored blocks. `catchUp` is called before a failure is believed: see log-view.ts. */
  async read(
    timeUs: number,
    encoding: SliceEncoding,
    bytesMax: number,
    filter?: ReadFilter,
    catchUp?: () => void,
  ): Promise<ReadResult> {
    const { trimmedToUs } = this;
    try {
      const range = { fromUs: Math.max(timeUs, trimmedToUs), toUs: this.lastTimeUs };
      const result = await this.#reader.read(range, encoding, bytesMax, filter);
      // Segments may have gone in the middle of it, and nobody says which events of them were wanted.
      if (this.trimmedToUs > range.fromUs) return this.#nothingLeft(timeUs);
      return timeUs < trimmedToUs ? { ...result, expiredUs: trimmedToUs } : result;
    } catch (cause) {
      catchUp?.();
      // Retention may have taken what was asked for since its segment index was looked at: what is left comes next.
      if (this.trimmedToUs > trimmedToUs) return this.#nothingLeft(timeUs);
      if (cause instanceof CodedError) throw cause;
      throw databaseFailure('LOG_READ_FAILED', `cannot read the log in ${this.#location}`, cause);
    }
  }

  #nothingLeft(timeUs: number): ReadResult {
    const { trimmedToUs } = this;
    const throughUs = Math.max(timeUs, trimmedToUs);
    return timeUs < trimmedToUs
      ? { slices: [], throughUs, expiredUs: trimmedToUs }
      : { slices: [], throughUs };
  }

  /** The columns, subjects included, of the block with the first event after `timeUs`. @throws CodedError `LOG_CORRUPT`. */
  async indexAfter(timeUs: number): Promise<BlockIndex | undefined> {
    const segment = await this.segments.after(timeUs);
    const block = segment.blockAfter(timeUs);
    return block < segment.count ? this.#index(segment.lastTimeOf(block)) : undefined;
  }

  /** The same of blocks that may have what a search is for, nearest in time first. @throws CodedError `LOG_CORRUPT`. */
  async *indexesCreatedAt(search: CreatedSearch): AsyncGenerator<BlockIndex> {
    const segments = await this.segments.segmentsCreatedAt(search);
    const found = segments.flatMap((segment) => segment.blocksCreatedAt(search));
    found.sort((one, other) => one.offUs - other.offUs || other.lastTimeUs - one.lastTimeUs);
    for (const { lastTimeUs } of found.slice(0, search.blocksMax)) {
      const index = await this.#index(lastTimeUs);
      if (index !== undefined) yield index;
    }
  }

  /** Undefined when the block is deleted, or still being written. */
  async #index(lastTimeUs: number): Promise<BlockIndex | undefined> {
    if (lastTimeUs <= this.trimmedToUs || lastTimeUs > this.lastTimeUs) return undefined;
    return this.#loader.index(lastTimeUs);
  }

  /** Another thread has stored a block. */
  add(block: Block): void {
    this.segments.add(block);
    if (this.segments.open.isFull) this.segments.closeOpen();
    this.lastTimeUs = block.index.lastTimeUs;
  }
}

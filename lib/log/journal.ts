// The newest blocks, stored as they come: small, in a database of their own, until they have been compacted into blocks
// worth keeping. Apart from the block store, so that LevelDB never has to clear short-lived values out of long-lived tables.

import {
  type Database,
  type DatabaseOptions,
  databaseBytesOf,
  flushDatabase,
  openDatabase,
} from '../level/database.ts';
import { asDamage, writeFailure } from '../level/database-errors.ts';
import type { TableGuard } from '../level/table-guard.ts';
import type { Block } from './block.ts';
import type { EventCompressor } from './block-builder.ts';
import { blockKey, parts, unpackBlock } from './block-format.ts';
import { JournalValues, packedOf } from './journal-value.ts';
import { type LogLimits, limitsOf } from './log-limits.ts';

/** Offsets and segments are the store's. */
const noLink = { before: { events: 0, bytes: 0 }, segmentUs: 0 };

/** See {@link Journal.recover}. */
type Cutting = (endUs: number, lostUs: number) => Promise<void>;

type JournalLimits = Pick<LogLimits, 'journalBufferBytes' | 'tableBytes' | 'journalDeletedBytesMax'> &
  Pick<DatabaseOptions, 'tablesMax'>;

/** A durable queue of blocks. One packed value per block. */
export class Journal {
  readonly #db: Database;
  readonly #location: string;
  readonly #limits: JournalLimits;
  /** Undefined: blocks are kept elsewhere, and are not stored here. */
  readonly #values: JournalValues | undefined;
  /** Bytes of blocks stored since LevelDB has compacted its tables, most of them deleted by now. */
  #tableBytes = 0;
  /**
   * Up to where nothing is left. LevelDB keeps what is deleted until it compacts its tables: an iterator from the beginning would read
   * through thousands of such, twice a second.
   */
  #removedUs = 0;
  /** End of the newest block that is here; 0 when there is none. */
  #lastTimeUs = Number.POSITIVE_INFINITY;

  private constructor(
    db: Database,
    location: string,
    limits: JournalLimits,
    values: JournalValues | undefined,
  ) {
    this.#db = db;
    this.#values = values;
    this.#location = location;
    this.#limits = limits;
  }

  /**
   * @param compressor see journal-value.ts. @param isIdle blocks are kept elsewhere: it only has what an earlier opening has left.
   * @throws CodedError `LOG_LOCKED`, `LOG_CORRUPT`, `LOG_OPEN_FAILED`.
   */
  static async open(
    location: string,
    limits: JournalLimits = limitsOf(0),
    guard?: TableGuard,
    compressor?: EventCompressor,
    isIdle = false,
  ): Promise<Journal> {
    const { journalBufferBytes: writeBufferBytes, tableBytes, tablesMax } = limits;
    const db = await openDatabase(location, { writeBufferBytes, tableBytes, tablesMax, guard });
    return new Journal(db, location, limits, isIdle ? undefined : new JournalValues(compressor));
  }

  /** Whether blocks are kept elsewhere, and not here. */
  get isIdle(): boolean {
    return this.#values === undefined;
  }

  /** Whether it takes as much space as it may, so that blocks should be removed. */
  get isLarge(): boolean {
    return this.#tableBytes >= this.#limits.journalDeletedBytesMax;
  }

  /**
   * The blocks that follow `lastTimeUs` without a gap, oldest first. What lies before them is in the store already;
   * what lies behind a gap is worth nothing. Both are deleted.
   * @param cutting told, before anything is deleted behind a gap, where the log ends now and where it ended; waited for.
   * @throws CodedError `LOG_CORRUPT`, `LOG_READ_FAILED`, `LOG_WRITE_FAILED`.
   */
  async recover(lastTimeUs: number, cutting: Cutting): Promise<{ blocks: Block[]; lostBlocks: number }> {
    try {
      return await this.#recover(lastTimeUs, cutting);
    } catch (error) {
      throw asDamage(`the log in ${this.#location} cannot be read`, error);
    }
  }

  async #recover(lastTimeUs: number, cutting: Cutting): Promise<{ blocks: Block[]; lostBlocks: number }> {
    await this.removeTo(lastTimeUs);
    const blocks: Block[] = [];
    let lostBlocks = 0;
    let endUs = lastTimeUs;
    let lostUs = 0;
    for await (const value of this.#db.values()) {
      const { block, previousUs } = readBlock(value);
      if (previousUs !== endUs) {
        lostBlocks++;
        lostUs = block.index.lastTimeUs;
      } else {
        blocks.push(block);
        endUs = block.index.lastTimeUs;
      }
    }
    if (lostBlocks > 0) {
      await cutting(endUs, lostUs);
      await this.#clear({ gt: blockKey(endUs, parts.head) });
    }
    this.#lastTimeUs = blocks.at(-1)?.index.lastTimeUs ?? 0;
    return { blocks, lostBlocks };
  }

  /**
   * Stores a block that follows the one that ends at `previousUs`, here or in the store.
   * @throws CodedError `LOG_DISK_FULL`, `LOG_WRITE_FAILED`; the block is then not stored.
   */
  async append(block: Block, previousUs: number, sync: boolean): Promise<void> {
    if (this.#values === undefined) return;
    const value = this.#values.write(block, { ...noLink, previousUs });
    this.#lastTimeUs = block.index.lastTimeUs;
    try {
      await this.#db.put(blockKey(block.index.lastTimeUs, parts.head), value, { sync });
    } catch (cause) {
      throw writeFailure(`cannot write to the log in ${this.#location}`, cause);
    }
    this.#tableBytes += value.length;
  }

  /** Deletes every block up to the one that ends at `lastTimeUs`. @throws CodedError `LOG_DISK_FULL`, `LOG_WRITE_FAILED`. */
  async removeTo(lastTimeUs: number): Promise<void> {
    if (this.#lastTimeUs === 0) return;
    const to = blockKey(lastTimeUs, parts.head);
    const from = blockKey(Math.min(this.#removedUs, lastTimeUs), parts.head);
    await this.#db.guard?.admitRange(from, to);
    await this.#clear({ gte: from, lte: to });
    this.#removedUs = Math.max(this.#removedUs, lastTimeUs);
    if (this.#lastTimeUs <= lastTimeUs) this.#lastTimeUs = 0;
    if (!this.isLarge) return;
    // LevelDB moves tables of keys that only rise down its levels as they are, and would keep what is deleted for good.
    this.#tableBytes = 0;
    const range = [blockKey(0, parts.head), to] as const;
    await this.#db.guard?.admitRange(...range);
    await this.#db.compactRange(...range);
  }

  async #clear(range: { gte: Buffer; lte: Buffer } | { gt: Buffer }): Promise<void> {
    try {
      await this.#db.clear(range);
    } catch (cause) {
      throw writeFailure(`cannot delete from the log in ${this.#location}`, cause);
    }
  }

  get databaseBytes(): number {
    return databaseBytesOf(this.#db);
  }

  /** Leaves little for the next opening to do. */
  flush(): Promise<void> {
    return flushDatabase(this.#db);
  }

  close(): Promise<void> {
    return this.#db.close();
  }
}

function readBlock(value: Uint8Array): { block: Block; previousUs: number } {
  const { head, json, zstd } = unpackBlock(packedOf(value));
  const { index, dictionaryId, positions, previousUs, coverage } = head;
  return { block: { index, json, zstd, dictionaryId, positions, coverage }, previousUs };
}

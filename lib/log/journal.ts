// The newest blocks, stored as they come: small, until they have been compacted into blocks worth keeping. They are appended to files
// of their own (level/redo-log.ts), so that they are stored when the thread that makes them goes on; a stop, or the next start, puts
// what is left into a LevelDB database, and there it is read. Apart from the block store, so that LevelDB never has to clear
// short-lived values out of long-lived tables.

import {
  type Database,
  type DatabaseOptions,
  databaseBytesOf,
  flushDatabase,
  openDatabase,
} from '../level/database.ts';
import { asDamage, writeFailure } from '../level/database-errors.ts';
import { Redo } from '../level/redo.ts';
import { RedoLog } from '../level/redo-log.ts';
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

type JournalLimits = Pick<LogLimits, 'journalBufferBytes' | 'tableBytes' | 'journalBytesMax'> &
  Pick<DatabaseOptions, 'tablesMax'>;

/** A durable queue of blocks. One packed value per block. */
export class Journal {
  readonly #db: Database;
  readonly #location: string;
  readonly #limits: JournalLimits;
  /** Undefined: blocks are kept elsewhere, and are not stored here. */
  readonly #values: JournalValues | undefined;
  readonly #files: RedoLog;
  /** End of the newest block that the database has from earlier openings; 0 when nothing is left of them. */
  #recoveredUs = Number.POSITIVE_INFINITY;
  /** Up to where nothing is wanted any more. */
  #removedUs = 0;

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
    this.#files = new RedoLog(location, limits.journalBufferBytes);
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
    return this.#files.bytes >= this.#limits.journalBytesMax;
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
    await this.#clearTo(lastTimeUs);
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
    this.#recoveredUs = endUs;
    // From here on LevelDB's own log is not gone by when there are files.
    if (blocks.length > 0 || lostBlocks > 0) await this.#flushForCertain();
    return { blocks, lostBlocks };
  }

  /**
   * Stores a block that follows the one that ends at `previousUs`, here or in the store.
   * @throws CodedError `LOG_DISK_FULL`, `LOG_WRITE_FAILED`; the block is then not stored.
   */
  async append(block: Block, previousUs: number, sync: boolean): Promise<void> {
    if (this.#values === undefined) return;
    const { lastTimeUs } = block.index;
    const value = this.#values.write(block, { ...noLink, previousUs });
    try {
      await this.#files.put(blockKey(lastTimeUs, parts.head), value, sync);
    } catch (cause) {
      throw writeFailure(`cannot write to the log in ${this.#location}`, cause);
    }
  }

  /** Deletes every block up to the one that ends at `lastTimeUs`. @throws CodedError `LOG_DISK_FULL`, `LOG_WRITE_FAILED`. */
  async removeTo(lastTimeUs: number): Promise<void> {
    this.#removedUs = Math.max(this.#removedUs, lastTimeUs);
    const to = blockKey(lastTimeUs, parts.head);
    try {
      await this.#files.removeTo(to);
    } catch (cause) {
      throw writeFailure(`cannot delete from the log in ${this.#location}`, cause);
    }
    if (this.#recoveredUs === 0 || lastTimeUs < this.#recoveredUs) return;
    await this.#clearTo(lastTimeUs);
    this.#recoveredUs = 0;
    // LevelDB moves tables of keys that only rise down its levels as they are, and would keep what is deleted for good.
    await this.#db.compactRange(blockKey(0, parts.head), to);
  }

  async #clearTo(lastTimeUs: number): Promise<void> {
    const [from, to] = [blockKey(0, parts.head), blockKey(lastTimeUs, parts.head)];
    await this.#db.guard?.admitRange(from, to);
    await this.#clear({ gte: from, lte: to });
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

  /** LevelDB says of no flush that it has failed, but takes nothing more then. */
  async #flushForCertain(): Promise<void> {
    await this.flush();
    try {
      await this.#db.del(blockKey(0, parts.head));
    } catch (cause) {
      throw writeFailure(`cannot write to the log in ${this.#location}`, cause);
    }
  }

  /** What is left of the files goes to the database, or stays for the next opening. */
  async close(): Promise<void> {
    await this.#moveFiles().catch(() => undefined);
    await this.#db.close();
  }

  async #moveFiles(): Promise<void> {
    await this.#files.close();
    if (this.#files.bytes === 0 || this.#db.status !== 'open') return;
    const redo = await Redo.ofOpen(this.#location);
    if (redo.damages.length === 0) await redo.writeTo(this.#db, blockKey(this.#removedUs, parts.head));
  }
}

function readBlock(value: Uint8Array): { block: Block; previousUs: number } {
  const { head, json, zstd } = unpackBlock(packedOf(value));
  const { index, dictionaryId, positions, previousUs, coverage } = head;
  return { block: { index, json, zstd, dictionaryId, positions, coverage }, previousUs };
}

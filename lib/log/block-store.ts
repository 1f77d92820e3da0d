// Full and compacted blocks in LevelDB, for as long as retention keeps them. Appends go to the end of the key space, reads
// seek, trims delete from the front. JSON messages are kept as one zstd frame per block, a sixth of their size; the
// messages for compressed subscribers are kept as they are sent.

import type { CoverageRow } from '../event/coverage.ts';
import {
  bytesOf,
  type Database,
  type DatabaseOptions,
  flushDatabase,
  openDatabase,
} from '../level/database.ts';
import { asDamage, writeFailure } from '../level/database-errors.ts';
import type { TableGuard } from '../level/table-guard.ts';
import type { Block } from './block.ts';
import type { EventCompressor } from './block-builder.ts';
import {
  type BlockHead,
  type BlockLink,
  blockKey,
  type LogOffset,
  lastPart,
  type Part,
  packBlock,
  parts,
  readHead,
  segmentParts,
  storedSubjectsOf,
  writeHead,
} from './block-format.ts';
import { coverageKey, coverageWrites, loadCoverage } from './coverage-format.ts';
import { coverageRowsMax } from './coverage-ledger.ts';
import type { TrimResult } from './event-log.ts';
import { noteCut } from './log-cut.ts';
import { type LogLimits, limitsOf } from './log-limits.ts';
import { type EarlierOpening, type OpenedStore, readOpened } from './opened-store.ts';
import type { StoredBlocks } from './stored-blocks.ts';
import { walkHeads } from './stored-heads.ts';
import { compressJson } from './stored-json.ts';

/** Blocks deleted per batch of a trim, so that a long trim never holds the write lock for long. */
const trimBatchBlocks = 256;
/** Stored bytes below which LevelDB's logs would pass for a part of them. */
const measuredBytesMin = 16 * 1024 * 1024;
/** No blocks take more than this: beyond it something else is in the directory. */
const spaceRatioMax = 1.5;
const blockParts = [parts.head, parts.json, parts.zstd, parts.subjects];
const nothingStored: LogOffset = { events: 0, bytes: 0 };

type StoreLimits = Pick<LogLimits, 'storeBufferBytes' | 'tableBytes' | 'deletedBytesMax'> &
  Pick<DatabaseOptions, 'tablesMax'>;

/** See the file comment. Create it with {@link BlockStore.open}. */
export class BlockStore {
  readonly didHashKey: Uint8Array;
  /** Blocks deleted at opening because one before them was missing, as after a power failure. */
  readonly lostBlocks: number;
  /** What readers ask. */
  readonly stored: StoredBlocks;
  readonly #db: Database;
  readonly #location: string;
  readonly #limits: StoreLimits;
  #lastHead: BlockHead | undefined;
  /** Of the oldest block: where the stored range begins, and what was stored before it. */
  #firstTimeUs = 0;
  /** End of the last block that had been deleted at opening: its rows may still be there, those after are kept. */
  readonly #deletedToUs: number;
  #trimmed: LogOffset;
  #deletedBytes = 0;
  /** Nothing that was deleted takes space any more, as far as is known. */
  #isCompacted: boolean;
  #spaceRatio = 1;
  #closing: Promise<void> | undefined;

  private constructor(db: Database, location: string, limits: StoreLimits, opened: OpenedStore) {
    this.#db = db;
    this.#limits = limits;
    this.#location = location;
    this.didHashKey = opened.didHashKey;
    this.stored = opened.stored;
    this.lostBlocks = opened.lostBlocks;
    this.#lastHead = opened.last;
    this.#deletedToUs = opened.first?.previousUs ?? 0;
    this.#beginAt(opened.first?.index.firstTimeUs ?? 0);
    this.#trimmed = opened.first?.before ?? nothingStored;
    this.#isCompacted = opened.last === undefined;
  }

  /**
   * @param compressor what compressed readers can decode: blocks of another dictionary are compressed again.
   * @param shared whether other threads of this process read it.
   * @param before of a store that this process has had open.
   * @throws CodedError `LOG_LOCKED`, `LOG_NEWER_FORMAT`, `LOG_CORRUPT` or `LOG_OPEN_FAILED`.
   */
  static async open(
    location: string,
    compressor: EventCompressor,
    shared = false,
    limits: StoreLimits = limitsOf(0),
    guard?: TableGuard,
    before?: EarlierOpening,
  ): Promise<BlockStore> {
    const { storeBufferBytes: writeBufferBytes, tableBytes, tablesMax } = limits;
    const db = await openDatabase(location, { writeBufferBytes, tableBytes, tablesMax, shared, guard });
    try {
      return new BlockStore(db, location, limits, await readOpened(db, location, compressor, before));
    } catch (error) {
      await db.close();
      throw asDamage(`the log in ${location} cannot be read`, error);
    }
  }

  /** The newest block's head; undefined in an empty store. */
  get last(): BlockHead | undefined {
    return this.#lastHead;
  }

  /** `time_us` of the last stored event; 0 in an empty store. */
  get lastTimeUs(): number {
    return this.#lastHead?.index.lastTimeUs ?? 0;
  }

  /** `time_us` of the oldest stored event; 0 in an empty store. */
  get firstTimeUs(): number {
    return this.#firstTimeUs;
  }

  /** What is stored now. */
  get size(): LogOffset {
    const end = this.#lastHead?.after ?? nothingStored;
    return { bytes: end.bytes - this.#trimmed.bytes, events: end.events - this.#trimmed.events };
  }

  /** What that takes on the disk: segment indexes and LevelDB's tables make it more, by a ratio that is measured. */
  get spaceBytes(): number {
    return this.size.bytes * this.#spaceRatio;
  }

  /** Stores a block in one atomic batch. Calls must not overlap. @throws CodedError `LOG_DISK_FULL`, `LOG_WRITE_FAILED`. */
  async append(block: Block, sync: boolean): Promise<void> {
    const { lastTimeUs, firstTimeUs } = block.index;
    const json = block.storedJson ?? (await compressJson(block.json));
    const { segments } = this.stored;
    const segment = segments.open;
    const link = {
      previousUs: this.lastTimeUs,
      before: this.#lastHead?.after ?? nothingStored,
      segmentUs: segment.previousUs,
    };
    const subjects = storedSubjectsOf(block);
    const { coverage } = block;
    const head = writeHead({ ...block, coverage: undefined }, json, link, subjects);
    segments.add(block);
    const puts: [Part, Uint8Array][] = [
      [parts.head, head],
      [parts.json, json],
      [parts.zstd, block.zstd],
    ];
    if (subjects !== undefined) puts.push([parts.subjects, subjects]);
    if (segment.isFull) puts.push(...(await this.#segmentParts(link)));
    try {
      const writes = puts.map(([part, value]) => ({
        type: 'put' as const,
        key: blockKey(lastTimeUs, part),
        value,
      }));
      await this.#db.batch([...writes, ...coverageWrites(coverage)], { sync });
    } catch (cause) {
      throw writeFailure(`cannot write to the log in ${this.#location}`, cause);
    }
    if (segment.isFull) segments.closeOpen();
    if (this.#lastHead === undefined) this.#beginAt(firstTimeUs);
    this.#lastHead = readHead(head);
    this.stored.lastTimeUs = lastTimeUs;
  }

  /** The oldest event of the store, 0 in an empty one: readers that begin later have to know that there is nothing before it. */
  #beginAt(firstTimeUs: number): void {
    this.#firstTimeUs = firstTimeUs;
    // As where the trim left it: who has had the last block that is deleted has missed nothing.
    this.stored.trimmedToUs = this.#deletedToUs > 0 ? this.#deletedToUs : Math.max(0, firstTimeUs - 1);
  }

  /** What is stored behind the last block of the open segment. */
  async #segmentParts(link: BlockLink): Promise<[Part, Uint8Array][]> {
    const { open, openSubjects, withoutCollection } = this.stored.segments;
    const puts: [Part, Uint8Array][] = [
      [parts.segment, open.write()],
      [parts.subjectFilter, openSubjects.write()],
    ];
    if (withoutCollection !== undefined) {
      const json = await compressJson(withoutCollection.json);
      puts.push([parts.withoutCollection, packBlock(withoutCollection, json, link)]);
    }
    return puts;
  }

  /** The log is about to be cut off at `endUs`, before the store is: a row says so, durably. */
  async noteCut(endUs: number, lostUs: number): Promise<void> {
    try {
      await noteCut(this.#db, endUs, lostUs);
    } catch (cause) {
      throw writeFailure(`cannot write to the log in ${this.#location}`, cause);
    }
  }

  /** The end of the log, behind `endUs`, is lost: a row says so, durably, unless one does that lies further behind. */
  async noteLostEnd(endUs: number, untilUs: number): Promise<void> {
    const { rows } = await this.loadCoverage();
    if ((rows.at(-1)?.toUs ?? 0) <= untilUs) await this.noteCut(endUs, untilUs);
  }

  /** As {@link loadCoverage}, of the rows whose events are kept. */
  loadCoverage(): Promise<{ rows: readonly CoverageRow[]; droppedUs: number }> {
    return loadCoverage(this.#db, this.#deletedToUs, coverageRowsMax);
  }

  /**
   * Deletes blocks whose last event is older than `olderThanUs`, and the oldest that take more than `spaceBytesMax` (0: no limit).
   * The newest block always stays: it carries the clock.
   * @param trimming told, before blocks are deleted, that those up to `throughUs` will be.
   */
  async trim(
    olderThanUs: number,
    spaceBytesMax: number,
    trimming: (throughUs: number) => void = () => {},
  ): Promise<TrimResult> {
    const { stored } = this;
    if (this.#isCompacted) await this.#measureSpace();
    const trimmedBefore = this.#trimmed;
    let blocks = 0;
    let more = true;
    const stays = ({ index: { lastTimeUs }, before }: BlockHead): boolean => {
      const keptBytes = (this.#lastHead as BlockHead).after.bytes - before.bytes;
      const isTooMuch = spaceBytesMax > 0 && keptBytes * this.#spaceRatio > spaceBytesMax;
      return (lastTimeUs >= olderThanUs && !isTooMuch) || lastTimeUs >= this.lastTimeUs;
    };
    while (more && this.#closing === undefined) {
      const heads = await this.#oldestHeads(trimBatchBlocks, stays);
      const keys: Buffer[] = [];
      for (const head of heads) {
        const { lastTimeUs } = head.index;
        more = !stays(head);
        this.#firstTimeUs = head.index.firstTimeUs;
        this.#trimmed = head.before;
        if (!more) break;
        blocks++;
        stored.trimmedToUs = lastTimeUs;
        for (const part of blockParts) keys.push(blockKey(lastTimeUs, part));
        if (stored.segments.endsAt(lastTimeUs))
          for (const part of segmentParts) keys.push(blockKey(lastTimeUs, part));
      }
      more = more && heads.length > 0;
      if (keys.length === 0) continue;
      trimming(stored.trimmedToUs);
      await this.#delete(keys);
    }
    if (blocks > 0) stored.segments.trimTo(stored.trimmedToUs);
    this.#deletedBytes += this.#trimmed.bytes - trimmedBefore.bytes;
    if (this.#deletedBytes >= this.#limits.deletedBytesMax) await this.#compactDatabase();
    return {
      blocks,
      events: this.#trimmed.events - trimmedBefore.events,
      bytes: this.#trimmed.bytes - trimmedBefore.bytes,
    };
  }

  async #measureSpace(): Promise<void> {
    const { bytes } = this.size;
    if (bytes < measuredBytesMin) return;
    const ratio = (await bytesOf(this.#location)) / bytes;
    this.#spaceRatio = Math.min(spaceRatioMax, Math.max(1, ratio));
  }

  async #delete(keys: readonly Buffer[]): Promise<void> {
    this.#isCompacted = false;
    const rows = { gte: coverageKey(0), lte: coverageKey(this.stored.trimmedToUs) };
    await this.#db.guard?.admitRange(rows.gte, rows.lte);
    try {
      // Durable, or a power failure could take an early deletion and leave a later one: a gap that looks like damage.
      const deletions = keys.map((key) => ({ type: 'del' as const, key }));
      await this.#db.batch(deletions, { sync: true });
      // Rows go after their events: what a stop in between leaves is passed over at opening, and found by the next trim.
      await this.#db.clear(rows);
    } catch (cause) {
      throw writeFailure(`cannot delete from the log in ${this.#location}`, cause);
    }
  }

  /** LevelDB compaction of what was deleted: gives its space back to the file system, which LevelDB itself does much later. */
  async #compactDatabase(): Promise<void> {
    this.#deletedBytes = 0;
    const range = [blockKey(0, parts.head), blockKey(this.stored.trimmedToUs, lastPart)] as const;
    await this.#db.guard?.admitRange(...range);
    await this.#db.compactRange(...range);
    this.#isCompacted = true;
  }

  /** Leaves little for the next opening to do. */
  flush(): Promise<void> {
    return flushDatabase(this.#db);
  }

  /** Idempotent. */
  close(): Promise<void> {
    this.#closing ??= this.#db.close();
    return this.#closing;
  }

  /**
   * So many at most, and none behind the first that stays: most trims find nothing else, and what is read of tables is mapped into
   * memory.
   */
  async #oldestHeads(count: number, stays: (head: BlockHead) => boolean): Promise<BlockHead[]> {
    const heads: BlockHead[] = [];
    for await (const head of walkHeads(this.#db, 0, this.lastTimeUs)) {
      if (heads.push(head) === count || stays(head)) break;
    }
    return heads;
  }
}

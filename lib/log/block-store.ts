// Folded blocks in LevelDB, for as long as retention keeps them. Appends go to the end of the key space, reads seek,
// trims delete from the front. JSON frames are kept as one zstd frame per block, a sixth of their size; the frames for
// compressed subscribers are kept as they are sent.

import { randomBytes } from 'node:crypto';
import { promisify } from 'node:util';
import { constants, zstdCompress, zstdDecompressSync } from 'node:zlib';
import { ByteWriter } from '../decode/byte-writer.ts';
import { CodedError } from '../event/coded-error.ts';
import { didHashKeyBytes } from '../event/did-hash.ts';
import type { Block, BlockSlice } from './block.ts';
import { compressFrames, type FrameCompressor } from './block-builder.ts';
import {
  type BlockHead,
  blockKey,
  blockKeysEnd,
  checkPayload,
  descriptionKey,
  formatVersion,
  type LogOffset,
  type Part,
  parts,
  readBlockKey,
  readHead,
  writeHead,
} from './block-format.ts';
import { type Database, databaseFailure, openDatabase } from './database.ts';
import type { SliceEncoding, TrimResult } from './event-log.ts';

const compressJson = promisify(zstdCompress);
const compressOptions = { params: { [constants.ZSTD_c_compressionLevel]: 1 } };

/** LevelDB's memtable. Larger ones mean fewer, larger tables. */
const writeBufferBytes = 16 * 1024 * 1024;
/** Blocks deleted per batch of a trim, so that a long trim never holds the write lock for long. */
const trimBatchBlocks = 256;
/** Blocks looked at per read, so that one with tiny blocks still returns soon. */
const readBlocksMax = 64;
const nothingStored: LogOffset = { events: 0, bytes: 0 };

/** See the file comment. Create it with {@link BlockStore.open}. */
export class BlockStore {
  readonly didHashKey: Uint8Array;
  readonly #db: Database;
  readonly #location: string;
  readonly #compressor: FrameCompressor;
  readonly #scratch = new ByteWriter();
  #lastHead: BlockHead | undefined;
  /** Of the oldest block: where the stored range begins, and what was stored before it. */
  #firstTimeUs: number;
  #trimmed: LogOffset;
  #closing: Promise<void> | undefined;

  private constructor(db: Database, location: string, compressor: FrameCompressor, opened: Opened) {
    this.#compressor = compressor;
    this.#db = db;
    this.#location = location;
    this.didHashKey = opened.didHashKey;
    this.#lastHead = opened.last;
    this.#firstTimeUs = opened.first?.index.firstTimeUs ?? 0;
    this.#trimmed = opened.first?.before ?? nothingStored;
  }

  /**
   * @param compressor what compressed readers can decode: blocks made with another dictionary are compressed again.
   * @throws CodedError `LOG_LOCKED`, `LOG_NEWER_FORMAT`, `LOG_CORRUPT` or `LOG_OPEN_FAILED`.
   */
  static async open(location: string, compressor: FrameCompressor): Promise<BlockStore> {
    const db = await openDatabase(location, writeBufferBytes);
    try {
      return new BlockStore(db, location, compressor, await readOpened(db, location));
    } catch (error) {
      await db.close();
      throw error;
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

  /** Stores a block in one atomic batch. Calls must not overlap. @throws CodedError `LOG_WRITE_FAILED`. */
  async append(block: Block, sync: boolean): Promise<void> {
    const { lastTimeUs, firstTimeUs } = block.index;
    const json = await compressJson(block.json, compressOptions);
    const head = writeHead(block, json, this.#lastHead?.after ?? nothingStored);
    try {
      await this.#db.batch(
        [
          { type: 'put', key: blockKey(lastTimeUs, parts.head), value: head },
          { type: 'put', key: blockKey(lastTimeUs, parts.json), value: json },
          { type: 'put', key: blockKey(lastTimeUs, parts.zstd), value: block.zstd },
        ],
        { sync },
      );
    } catch (cause) {
      throw databaseFailure('LOG_WRITE_FAILED', `cannot write to the log in ${this.#location}`, cause);
    }
    if (this.#lastHead === undefined) this.#firstTimeUs = firstTimeUs;
    this.#lastHead = readHead(head);
  }

  /** As `EventLog.read`. */
  async read(timeUs: number, encoding: SliceEncoding, bytesMax: number): Promise<BlockSlice[]> {
    const slices: BlockSlice[] = [];
    let bytes = 0;
    const iterator = this.#db.iterator({ gte: blockKey(timeUs + 1, parts.head), lt: blockKeysEnd });
    try {
      while (bytes < bytesMax && slices.length < readBlocksMax) {
        const entry = await iterator.next();
        if (entry === undefined) break;
        const head = readHead(entry[1]);
        const isUsable = encoding === 'zstd' && head.dictionaryId === this.#compressor.dictionaryId;
        const part = isUsable ? parts.zstd : parts.json;
        if (part !== parts.json) iterator.seek(blockKey(head.index.lastTimeUs, part));
        const slice = this.#slice(
          head,
          part,
          encoding,
          checkPayload(head, part, (await iterator.next())?.[1]),
        );
        slices.push(slice);
        bytes += slice.frames.length;
        iterator.seek(blockKey(head.index.lastTimeUs + 1, parts.head));
      }
    } catch (cause) {
      if (cause instanceof CodedError) throw cause;
      throw databaseFailure('LOG_READ_FAILED', `cannot read the log in ${this.#location}`, cause);
    } finally {
      await iterator.close();
    }
    return slices;
  }

  /**
   * Deletes blocks whose last event is older than `olderThanUs`, and the oldest beyond `retentionBytes` (0: no limit).
   * The newest block always stays: it carries the clock.
   */
  async trim(olderThanUs: number, retentionBytes: number): Promise<TrimResult> {
    const trimmedBefore = this.#trimmed;
    let blocks = 0;
    let trimmedToUs = 0;
    let more = true;
    while (more && this.#closing === undefined) {
      const heads = await this.#oldestHeads(trimBatchBlocks);
      const keys: Buffer[] = [];
      for (const head of heads) {
        const { lastTimeUs } = head.index;
        const stored = (this.#lastHead as BlockHead).after.bytes - head.before.bytes;
        const tooMuch = retentionBytes > 0 && stored > retentionBytes;
        more = (lastTimeUs < olderThanUs || tooMuch) && lastTimeUs < this.lastTimeUs;
        this.#firstTimeUs = head.index.firstTimeUs;
        this.#trimmed = head.before;
        if (!more) break;
        blocks++;
        trimmedToUs = lastTimeUs;
        for (const part of Object.values(parts)) keys.push(blockKey(lastTimeUs, part));
      }
      more = more && heads.length > 0;
      if (keys.length > 0) await this.#db.batch(keys.map((key) => ({ type: 'del' as const, key })));
    }
    if (blocks > 0) await this.#db.compactRange(blockKey(0, parts.head), blockKey(trimmedToUs, parts.zstd));
    return {
      blocks,
      events: this.#trimmed.events - trimmedBefore.events,
      bytes: this.#trimmed.bytes - trimmedBefore.bytes,
    };
  }

  /** Idempotent. */
  close(): Promise<void> {
    this.#closing ??= this.#db.close();
    return this.#closing;
  }

  #slice(head: BlockHead, part: Part, encoding: SliceEncoding, payload: Uint8Array): BlockSlice {
    const { index } = head;
    if (part === parts.zstd) return { index, frames: payload };
    const json = zstdDecompressSync(payload);
    if (encoding === 'json') return { index, frames: json };
    const { zstd, zstdEnd } = compressFrames(json, index.jsonEnd, this.#compressor, this.#scratch);
    return { index: { ...index, zstdEnd }, frames: zstd };
  }

  async #oldestHeads(count: number): Promise<BlockHead[]> {
    const heads: BlockHead[] = [];
    const iterator = this.#db.iterator({ gte: blockKey(0, parts.head), lt: blockKeysEnd });
    try {
      while (heads.length < count) {
        const entry = await iterator.next();
        if (entry === undefined) break;
        const head = readHead(entry[1]);
        heads.push(head);
        iterator.seek(blockKey(head.index.lastTimeUs + 1, parts.head));
      }
    } finally {
      await iterator.close();
    }
    return heads;
  }
}

interface Opened {
  readonly didHashKey: Uint8Array;
  readonly first: BlockHead | undefined;
  readonly last: BlockHead | undefined;
}

async function readOpened(db: Database, location: string): Promise<Opened> {
  const didHashKey = await readDescription(db, location);
  const [oldest] = await db.values({ gte: blockKey(0, parts.head), lt: blockKeysEnd, limit: 1 }).all();
  return {
    didHashKey,
    last: await newestHead(db),
    first: oldest === undefined ? undefined : readHead(oldest),
  };
}

async function newestHead(db: Database): Promise<BlockHead | undefined> {
  const range = { gte: blockKey(0, parts.head), lt: blockKeysEnd, reverse: true, limit: 1 };
  const [newest] = await db.keys(range).all();
  const lastTimeUs = newest === undefined ? undefined : readBlockKey(newest)?.lastTimeUs;
  if (lastTimeUs === undefined) return undefined;
  const head = await db.get(blockKey(lastTimeUs, parts.head));
  if (head === undefined) {
    throw new CodedError('LOG_CORRUPT', `block ${lastTimeUs} has no head: the database is damaged`);
  }
  return readHead(head);
}

async function readDescription(db: Database, location: string): Promise<Uint8Array> {
  const value = await db.get(descriptionKey);
  if (value === undefined) {
    const didHashKey = randomBytes(didHashKeyBytes);
    const text = JSON.stringify({ format: formatVersion, didHashKey: didHashKey.toString('hex') });
    await db.put(descriptionKey, Buffer.from(text), { sync: true });
    return didHashKey;
  }
  const description = JSON.parse(Buffer.from(value).toString());
  if (description.format !== formatVersion) {
    throw new CodedError(
      'LOG_NEWER_FORMAT',
      `the log in ${location} has format ${description.format}, this version reads ${formatVersion}: ` +
        'run the version that wrote it, or use another --data-dir',
    );
  }
  return Buffer.from(description.didHashKey, 'hex');
}

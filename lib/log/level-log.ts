// The event log in LevelDB: one atomic batch per block, reads by seek, retention by age and by bytes. It owns the
// database directory and the memory tail; it never interprets events. The only importer of classic-level.

import { randomBytes } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { ClassicLevel } from 'classic-level';
import { CodedError } from '../event/coded-error.ts';
import { didHashKeyBytes } from '../event/did-hash.ts';
import type { Block, BlockSlice, UpstreamPositions } from './block.ts';
import {
  type BlockHead,
  blockKey,
  blockKeysEnd,
  checkPayload,
  descriptionKey,
  formatVersion,
  type LogOffset,
  parts,
  readBlockKey,
  readHead,
  writeHead,
} from './block-format.ts';
import type { EventLog, LogStats, SliceEncoding, TrimResult } from './event-log.ts';
import { MemoryTail } from './memory-tail.ts';

type Database = ClassicLevel<Uint8Array, Uint8Array>;

export interface LevelLogOptions {
  /** Directory of the daemon; the database lies in `<dataDir>/log`. Created when absent. */
  readonly dataDir: string;
  /** Stored bytes above which `trim` deletes the oldest blocks; 0 is no limit. */
  readonly retentionBytes: number;
  /** Bytes of newest blocks kept in memory. */
  readonly tailBytesMax: number;
  /** Whether every append waits for the disk: survives power loss, not just the death of the process. */
  readonly fsync: boolean;
}

/** LevelDB's memtable. Larger ones mean fewer, larger tables; twice this can be in memory while one is flushed. */
const writeBufferBytes = 16 * 1024 * 1024;
/** Blocks deleted per batch of a trim, so that a long trim never holds the write lock for long. */
const trimBatchBlocks = 256;
const nothingStored: LogOffset = { events: 0, bytes: 0 };
/** Blocks looked at per read, so that one with tiny blocks still returns soon. */
const readBlocksMax = 64;

/** An {@link EventLog} in one LevelDB database. Create it with {@link LevelLog.open}. */
export class LevelLog implements EventLog {
  readonly didHashKey: Uint8Array;
  readonly #db: Database;
  readonly #options: LevelLogOptions;
  readonly #tail: MemoryTail;
  #lastTimeUs: number;
  /** Of the oldest block: where the stored range begins, and what was stored before it. */
  #firstTimeUs: number;
  #trimmed: LogOffset;
  #end: LogOffset;
  #positions: UpstreamPositions;
  #closing: Promise<void> | undefined;

  private constructor(db: Database, options: LevelLogOptions, opened: Opened) {
    this.#db = db;
    this.#options = options;
    this.didHashKey = opened.didHashKey;
    this.#lastTimeUs = opened.last?.index.lastTimeUs ?? 0;
    this.#firstTimeUs = opened.first?.index.firstTimeUs ?? 0;
    this.#positions = opened.last?.positions ?? new Map();
    this.#end = opened.last?.after ?? nothingStored;
    this.#trimmed = opened.first?.before ?? nothingStored;
    this.#tail = new MemoryTail(options.tailBytesMax, this.#lastTimeUs);
  }

  /**
   * Opens or creates the log.
   * @throws CodedError `LOG_LOCKED`, `LOG_NEWER_FORMAT`, `LOG_CORRUPT` or `LOG_OPEN_FAILED`.
   */
  static async open(options: LevelLogOptions): Promise<LevelLog> {
    const db = await openDatabase(options.dataDir);
    try {
      return new LevelLog(db, options, await readOpened(db, options));
    } catch (error) {
      await db.close();
      throw error;
    }
  }

  get lastTimeUs(): number {
    return this.#lastTimeUs;
  }

  get positions(): UpstreamPositions {
    return this.#positions;
  }

  async append(block: Block): Promise<void> {
    const { lastTimeUs, firstTimeUs } = block.index;
    if (firstTimeUs <= this.#lastTimeUs) {
      throw new CodedError(
        'LOG_ORDER',
        `block ${firstTimeUs} to ${lastTimeUs} does not come after ${this.#lastTimeUs}: a bug, please report it`,
      );
    }
    const head = writeHead(block, this.#end);
    try {
      await this.#db.batch(
        [
          { type: 'put', key: blockKey(lastTimeUs, parts.head), value: head },
          { type: 'put', key: blockKey(lastTimeUs, parts.json), value: block.json },
          { type: 'put', key: blockKey(lastTimeUs, parts.zstd), value: block.zstd },
        ],
        { sync: this.#options.fsync },
      );
    } catch (cause) {
      throw failure('LOG_WRITE_FAILED', `cannot write to the log in ${this.#options.dataDir}`, cause);
    }
    if (this.#firstTimeUs === 0) this.#firstTimeUs = firstTimeUs;
    this.#lastTimeUs = lastTimeUs;
    this.#positions = block.positions;
    this.#end = {
      bytes: this.#end.bytes + head.length + block.json.length + block.zstd.length,
      events: this.#end.events + block.index.count,
    };
    this.#tail.push(block);
  }

  recentAfter(timeUs: number): Block | undefined {
    return this.#tail.after(timeUs);
  }

  async read(timeUs: number, encoding: SliceEncoding, bytesMax: number): Promise<BlockSlice[]> {
    const slices: BlockSlice[] = [];
    const part = parts[encoding];
    let bytes = 0;
    const iterator = this.#db.iterator({ gte: blockKey(timeUs + 1, parts.head), lt: blockKeysEnd });
    try {
      while (bytes < bytesMax && slices.length < readBlocksMax) {
        const entry = await iterator.next();
        if (entry === undefined) break;
        const head = readHead(entry[1]);
        const payloadKey = blockKey(head.index.lastTimeUs, part);
        if (part !== parts.json) iterator.seek(payloadKey);
        const payload = await iterator.next();
        slices.push({ index: head.index, frames: checkPayload(head, part, payload?.[1]) });
        bytes += (payload as [Uint8Array, Uint8Array])[1].length;
        iterator.seek(blockKey(head.index.lastTimeUs + 1, parts.head));
      }
    } catch (cause) {
      if (cause instanceof CodedError) throw cause;
      throw failure('LOG_READ_FAILED', `cannot read the log in ${this.#options.dataDir}`, cause);
    } finally {
      await iterator.close();
    }
    return slices;
  }

  async trim(olderThanUs: number): Promise<TrimResult> {
    const { retentionBytes } = this.#options;
    const trimmedBefore = this.#trimmed;
    let blocks = 0;
    let trimmedToUs = 0;
    let more = true;
    while (more && this.#closing === undefined) {
      const heads = await this.#oldestHeads(trimBatchBlocks);
      const keys: Buffer[] = [];
      for (const head of heads) {
        const { lastTimeUs } = head.index;
        const tooMuch = retentionBytes > 0 && this.#end.bytes - head.before.bytes > retentionBytes;
        // The newest block stays whatever its age: it carries the clock and the upstream positions.
        more = (lastTimeUs < olderThanUs || tooMuch) && lastTimeUs < this.#lastTimeUs;
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

  stats(): LogStats {
    return {
      firstTimeUs: this.#firstTimeUs,
      lastTimeUs: this.#lastTimeUs,
      storedBytes: this.#end.bytes - this.#trimmed.bytes,
      storedEvents: this.#end.events - this.#trimmed.events,
      memoryBytes: this.#tail.bytes,
    };
  }

  close(): Promise<void> {
    this.#closing ??= this.#db.close();
    return this.#closing;
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

async function openDatabase(dataDir: string): Promise<Database> {
  const location = join(dataDir, 'log');
  const db: Database = new ClassicLevel(location, {
    keyEncoding: 'view',
    valueEncoding: 'view',
    writeBufferSize: writeBufferBytes,
    compression: false,
  });
  try {
    await mkdir(dataDir, { recursive: true });
    await db.open();
    return db;
  } catch (cause) {
    const code = (cause as { cause?: { code?: string } }).cause?.code;
    if (code === 'LEVEL_LOCKED') {
      throw failure(
        'LOG_LOCKED',
        `the log in ${location} is in use: stop the other process that has it open`,
        cause,
      );
    }
    throw failure('LOG_OPEN_FAILED', `cannot open the log in ${location}`, cause);
  }
}

async function readOpened(db: Database, options: LevelLogOptions): Promise<Opened> {
  const didHashKey = await readDescription(db, options.dataDir);
  const last = await newestHead(db);
  const [oldest] = await db.iterator({ gte: blockKey(0, parts.head), lt: blockKeysEnd, limit: 1 }).all();
  return { didHashKey, last, first: oldest === undefined ? undefined : readHead(oldest[1]) };
}

async function newestHead(db: Database): Promise<BlockHead | undefined> {
  const [newest] = await db
    .keys({ gte: blockKey(0, parts.head), lt: blockKeysEnd, reverse: true, limit: 1 })
    .all();
  const lastTimeUs = newest === undefined ? undefined : readBlockKey(newest)?.lastTimeUs;
  if (lastTimeUs === undefined) return undefined;
  const head = await db.get(blockKey(lastTimeUs, parts.head));
  if (head === undefined)
    throw new CodedError('LOG_CORRUPT', `block ${lastTimeUs} has no head: the database is damaged`);
  return readHead(head);
}

async function readDescription(db: Database, dataDir: string): Promise<Uint8Array> {
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
      `the log in ${dataDir} has format ${description.format}, this version reads ${formatVersion}: run the newer version, or use another --data-dir`,
    );
  }
  return Buffer.from(description.didHashKey, 'hex');
}

/** A coded error that ends with what the database said, which `cause` alone would hide from a log line. */
function failure(code: string, what: string, cause: unknown): CodedError {
  const inner = (cause as { cause?: unknown }).cause ?? cause;
  return new CodedError(code, `${what}: ${inner instanceof Error ? inner.message : String(inner)}`, {
    cause,
  });
}

// Reads a log as it lies on the disk, for tools that look into one while no daemon has it open. It changes nothing of
// what the log holds (LevelDB rewrites its own files when it is opened), takes nothing for granted and checks nothing:
// what a value means, and whether it is right, is for log-check.ts, summary.ts, export.ts.

import { join } from 'node:path';
import { zstdDecompressSync } from 'node:zlib';
import { CodedError } from '../../lib/errors.ts';
import { type Database, isDatabase, openDatabase } from '../../lib/level/database.ts';
import { databaseFailure } from '../../lib/level/database-errors.ts';
import {
  type BlockHead,
  blockKey,
  blockKeysEnd,
  checkPayload,
  descriptionKey,
  lastPart,
  parts,
  readBlockKey,
  readHead,
  segmentParts,
} from '../../lib/log/block-format.ts';
import { coverageKey, coverageKeysEnd, readCoverageKey } from '../../lib/log/coverage-format.ts';
import { packedOf } from '../../lib/log/journal-value.ts';
import { journalFolder, refuseUnfinishedRepair, storeFolder } from '../../lib/log/log-files.ts';
import { type LogDescription, readDescription } from './description.ts';

/** LevelDB's memtable: nothing is written, but what a crash left in LevelDB's own log goes through one. */
const writeBufferBytes = 16 * 1024 * 1024;
/** Bytes read ahead while the entries before them are looked at. */
const readAheadBytes = 4 * 1024 * 1024;
const readAheadEntries = 1000;

/** Where a block was found, by the database's purpose. */
export type DatabaseName = 'store' | 'journal';

/** The values found under one time, none of them checked; an absent one is undefined. */
export interface FoundBlock {
  readonly database: DatabaseName;
  /** From the key. */
  readonly lastTimeUs: number;
  readonly head: Uint8Array | undefined;
  /** As stored: one zstd frame in the store, WebSocket messages in the journal. */
  readonly json: Uint8Array | undefined;
  readonly zstd: Uint8Array | undefined;
  /** Index of the segment that ends with the block. */
  readonly segment: Uint8Array | undefined;
  /** Of the segment, the events without a collection: a packed block. */
  readonly withoutCollection: Uint8Array | undefined;
  readonly subjects: Uint8Array | undefined;
  /** Of the segment. */
  readonly subjectFilter: Uint8Array | undefined;
}

/** By the number of the part. */
const partNames = [
  'head',
  'json',
  'zstd',
  'segment',
  'withoutCollection',
  'subjects',
  'subjectFilter',
] as const;

/** A block of which nothing has been found yet. */
const noParts = {
  head: undefined,
  json: undefined,
  zstd: undefined,
  segment: undefined,
  withoutCollection: undefined,
  subjects: undefined,
  subjectFilter: undefined,
};

type Entry = [Uint8Array, Uint8Array];

/** The log of a daemon that does not run, opened for reading. Create it with {@link ClosedLog.open}. */
export class ClosedLog {
  readonly dataDir: string;
  /** Undefined when it is missing or makes no sense. */
  readonly description: LogDescription | undefined;
  readonly #store: Database;
  /** Undefined when the log has none: the daemon was stopped between making the two. */
  readonly #journal: Database | undefined;

  private constructor(
    dataDir: string,
    store: Database,
    journal: Database | undefined,
    description: LogDescription | undefined,
  ) {
    this.dataDir = dataDir;
    this.description = description;
    this.#store = store;
    this.#journal = journal;
  }

  /**
   * Opens the log of a data directory; creates nothing.
   * @throws CodedError `LOG_MISSING`, `LOG_LOCKED` while a daemon runs, `LOG_OPEN_FAILED`, `LOG_NEWER_FORMAT`.
   */
  static async open(dataDir: string): Promise<ClosedLog> {
    refuseUnfinishedRepair(dataDir);
    const store = await openDatabase(join(dataDir, storeFolder), {
      writeBufferBytes,
      createIfMissing: false,
    });
    let journal: Database | undefined;
    try {
      const location = join(dataDir, journalFolder);
      if (isDatabase(location))
        journal = await openDatabase(location, { writeBufferBytes, createIfMissing: false });
      return new ClosedLog(dataDir, store, journal, await readDescription(store, dataDir));
    } catch (error) {
      await journal?.close();
      await store.close();
      throw error;
    }
  }

  /** Key of the newest value in the store, in µs; 0 when it is empty. @throws CodedError `LOG_READ_FAILED`. */
  async storeEndUs(): Promise<number> {
    const range = { gte: blockKey(0, parts.head), lt: blockKeysEnd, reverse: true, limit: 1 };
    const [newest] = await this.#guard(this.#store.keys(range).all());
    return newest === undefined ? 0 : (readBlockKey(newest)?.lastTimeUs ?? 0);
  }

  /** The head value of one block in the store. @throws CodedError `LOG_READ_FAILED`. */
  headOf(lastTimeUs: number): Promise<Uint8Array | undefined> {
    return this.#guard(this.#store.get(blockKey(lastTimeUs, parts.head)));
  }

  /** What is stored of the segment that ends with a block of the store, its index first. @throws CodedError `LOG_READ_FAILED`. */
  segmentOf(lastTimeUs: number): Promise<(Uint8Array | undefined)[]> {
    return this.#guard(this.#store.getMany(segmentParts.map((part) => blockKey(lastTimeUs, part))));
  }

  /**
   * The head of every block in the store, without reading the payloads; `undefined` for a block that has none. Where
   * tables are unreadable LevelDB goes on behind them and the error comes at the end.
   * @throws CodedError `LOG_READ_FAILED`.
   */
  async *heads(): AsyncGenerator<{ lastTimeUs: number; head: Uint8Array | undefined }> {
    const iterator = this.#store.iterator({ gte: blockKey(0, parts.head), lt: blockKeysEnd });
    try {
      for (;;) {
        const entry = await this.#guard(iterator.next());
        if (entry === undefined) return;
        const key = readBlockKey(entry[0]);
        if (key === undefined) continue;
        const { lastTimeUs } = key;
        yield { lastTimeUs, head: key.part === parts.head ? entry[1] : undefined };
        iterator.seek(blockKey(lastTimeUs + 1, parts.head));
      }
    } finally {
      await iterator.close();
    }
  }

  /**
   * Every block in the store from the one with the first event at or after `fromUs` on. As {@link heads} about errors.
   * @param onStrayKey told of keys that belong to no block, when all are read.
   * @throws CodedError `LOG_READ_FAILED`.
   */
  async *blocks(fromUs = 0, onStrayKey: (key: Uint8Array) => void = () => {}): AsyncGenerator<FoundBlock> {
    let block: { -readonly [part in keyof FoundBlock]: FoundBlock[part] } | undefined;
    let failure: unknown;
    try {
      const range = fromUs > 0 ? { gte: blockKey(fromUs, parts.head), lt: blockKeysEnd } : {};
      for await (const [key, value] of this.#entries(this.#store, range)) {
        const read = readBlockKey(key);
        if (read === undefined || read.part > lastPart) {
          const isOther = Buffer.compare(key, descriptionKey) === 0 || readCoverageKey(key) !== undefined;
          if (!isOther) onStrayKey(key);
          continue;
        }
        const { lastTimeUs } = read;
        if (block?.lastTimeUs !== lastTimeUs) {
          if (block !== undefined) yield block;
          block = { ...noParts, database: 'store', lastTimeUs };
        }
        block[partNames[read.part]] = value;
      }
    } catch (error) {
      failure = error;
    }
    if (block !== undefined) yield block;
    if (failure !== undefined) throw failure;
  }

  /** Every block in the journal, those included that the store has too. @throws CodedError `LOG_READ_FAILED`. */
  async *journalBlocks(onStrayKey: (key: Uint8Array) => void = () => {}): AsyncGenerator<FoundBlock> {
    if (this.#journal === undefined) return;
    for await (const [key, value] of this.#entries(this.#journal, {})) {
      const read = readBlockKey(key);
      if (read === undefined || read.part !== parts.head) onStrayKey(key);
      else yield splitJournalValue(read.lastTimeUs, value);
    }
  }

  /** What the store has of the coverage ledger, by the place of each row. @throws CodedError `LOG_READ_FAILED`. */
  async *coverageValues(): AsyncGenerator<{ toUs: number; value: Uint8Array }> {
    const range = { gte: coverageKey(0), lt: coverageKeysEnd };
    for await (const [key, value] of this.#entries(this.#store, range)) {
      const toUs = readCoverageKey(key);
      // Others are told of where blocks are read.
      if (toUs !== undefined) yield { toUs, value };
    }
  }

  /** Idempotent. */
  async close(): Promise<void> {
    await this.#journal?.close();
    await this.#store.close();
  }

  /**
   * Entries of a range, the next ones being read while the consumer works on these. LevelDB passes over what it cannot
   * read and tells so at the end, in place of the entries that it read last: these are fetched again, one at a time.
   */
  async *#entries(db: Database, range: { gte?: Uint8Array; lt?: Uint8Array }): AsyncGenerator<Entry> {
    let lastKey: Uint8Array | undefined;
    let failure: unknown;
    try {
      for await (const entry of readAhead(db, range, readAheadEntries)) {
        lastKey = entry[0];
        yield entry;
      }
      return;
    } catch (error) {
      failure = error;
    }
    try {
      yield* readAhead(db, lastKey === undefined ? range : { ...range, gt: lastKey }, 1);
    } catch {
      // The same once more, behind the last entry that can be read.
    }
    await this.#guard(Promise.reject(failure));
  }

  async #guard<T>(reading: Promise<T>): Promise<T> {
    try {
      return await reading;
    } catch (cause) {
      throw databaseFailure('LOG_READ_FAILED', `cannot read all of the log in ${this.dataDir}`, cause);
    }
  }
}

async function* readAhead(
  db: Database,
  range: { gt?: Uint8Array; gte?: Uint8Array; lt?: Uint8Array },
  entriesMax: number,
): AsyncGenerator<Entry> {
  const iterator = db.iterator({ ...range, highWaterMarkBytes: readAheadBytes });
  try {
    for (let next = iterator.nextv(entriesMax); ; ) {
      const entries = await next;
      if (entries.length === 0) return;
      next = iterator.nextv(entriesMax);
      // Thrown when it is awaited; until then, and when the consumer stops early, it must not count as unhandled.
      next.catch(() => {});
      yield* entries;
    }
  } finally {
    await iterator.close();
  }
}

/** A found block's head. @throws CodedError `LOG_CORRUPT`. */
export function readFoundHead({ lastTimeUs, head }: Pick<FoundBlock, 'lastTimeUs' | 'head'>): BlockHead {
  if (head === undefined) throw new CodedError('LOG_CORRUPT', `block ${lastTimeUs} has no head`);
  return readHead(head);
}

/** A found block's head and its events as WebSocket text messages. @throws CodedError `LOG_CORRUPT`. */
export function readFoundJson(block: FoundBlock): { head: BlockHead; json: Uint8Array } {
  const head = readFoundHead(block);
  const json = unpackJson(block, checkPayload(head, parts.json, block.json));
  if (json.length !== (head.index.jsonEnd.at(-1) ?? 0)) {
    throw new CodedError(
      'LOG_CORRUPT',
      `the JSON part of block ${block.lastTimeUs} has another length than its columns`,
    );
  }
  return { head, json };
}

/** The WebSocket text messages of a JSON part whose checksum is right. @throws CodedError `LOG_CORRUPT`. */
export function unpackJson(block: FoundBlock, stored: Uint8Array): Uint8Array {
  if (block.database === 'journal') return stored;
  try {
    return zstdDecompressSync(stored);
  } catch (cause) {
    const why = (cause as Error).message;
    throw new CodedError('LOG_CORRUPT', `the JSON part of block ${block.lastTimeUs} is not zstd (${why})`, {
      cause,
    });
  }
}

/** The inverse of what the journal writes: head length, head, JSON messages, zstd messages, subjects. */
function splitJournalValue(lastTimeUs: number, stored: Uint8Array): FoundBlock {
  const value = packedOrNothing(stored);
  const headBytes = value.length < 4 ? 0 : new DataView(value.buffer, value.byteOffset, 4).getUint32(0, true);
  const head = value.subarray(4, 4 + headBytes);
  const jsonStart = 4 + headBytes;
  let jsonEnd = jsonStart;
  let zstdEnd = value.length;
  try {
    const { jsonBytes, zstdBytes } = readHead(head);
    jsonEnd += jsonBytes;
    zstdEnd = jsonEnd + zstdBytes;
  } catch {
    // Reported when the head is read; without it the end of the JSON is unknown.
  }
  return {
    ...noParts,
    database: 'journal',
    lastTimeUs,
    head,
    json: value.subarray(jsonStart, jsonEnd),
    zstd: value.subarray(jsonEnd, zstdEnd),
    subjects: value.length > zstdEnd ? value.subarray(zstdEnd) : undefined,
  };
}

/** What does not decompress has no head that could be read, which is reported. */
function packedOrNothing(stored: Uint8Array): Uint8Array {
  try {
    return packedOf(stored);
  } catch {
    return new Uint8Array(0);
  }
}

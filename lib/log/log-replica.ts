// A log as a thread sees it that only reads: the newest blocks as they are handed to it, and the block store, open a
// second time within the process. It applies what the writer (level-log.ts) tells its `LogFollower`, in the same order;
// who carries that from thread to thread is lib/worker's. New blocks come the way they come to local readers.

import { join } from 'node:path';
import { CodedError } from '../errors.ts';
import { type Database, openDatabase } from '../level/database.ts';
import { asDamage } from '../level/database-errors.ts';
import { TableGuard, type TableStamp } from '../level/table-guard.ts';
import type { Block } from './block.ts';
import { type EventCompressor, isFull } from './block-builder.ts';
import type { Coverage } from './coverage-ledger.ts';
import type { LogReader, ReadResult, SliceEncoding } from './event-log.ts';
import { storeFolder } from './log-files.ts';
import { LogView, type StoredCoverage } from './log-view.ts';
import type { ReadFilter } from './segment-index.ts';
import { StoredBlocks } from './stored-blocks.ts';
import { newestHead } from './stored-heads.ts';

/** A log as a reader in another thread has to know it. */
export interface ReplicaStart {
  readonly didHashKey: Uint8Array;
  /** Blocks that end here or before are deleted. */
  readonly trimmedToUs: number;
  /** Blocks that only memory and the journal have, oldest first. */
  readonly uncompacted: readonly Block[];
  /** All rows in memory. */
  readonly coverage: StoredCoverage;
  /** Of the store, those that are known to be right. */
  readonly tables: readonly TableStamp[];
}

/** Calls come in the order of the changes, and between the appends that they lie between. */
export interface LogFollower {
  /** The `count` oldest blocks of the journal are stored, as the one block `compacted`. */
  compacted(compacted: Block, count: number): void;
  /** Blocks that end at `throughUs` or before are about to be deleted. */
  trimming(throughUs: number): void;
  /** The databases are about to be closed and opened again: resolves when no other thread has them open. */
  suspend(): Promise<void>;
  /** They are open again: resolves when every reader has started again from `LevelLog.replicaStart`. */
  resume(): Promise<void>;
}

/** What a replica is made from. */
export interface LogReplicaOptions {
  readonly dataDir: string;
  /** Bytes of newest blocks kept in memory. */
  readonly tailBytesMax: number;
  /** As the writer's. */
  readonly compressor: EventCompressor;
  /** Applies at once what the writer has told and what still waits. */
  readonly catchUp: () => void;
  /** A table of the store is damaged: the writer has to see to it. */
  readonly damaged: (table: number) => void;
}

/** The writer does all writing, so LevelDB's own minimum will do. */
const writeBufferBytes = 64 * 1024;

/** See the file comment. Create it with {@link LogReplica.open}, while the writer writes nothing. */
export class LogReplica implements LogReader {
  readonly #options: LogReplicaOptions;
  readonly #view: LogView;
  #store: OpenStore;

  private constructor(options: LogReplicaOptions, start: ReplicaStart, store: OpenStore) {
    this.#options = options;
    this.#store = store;
    this.#view = new LogView(
      start.didHashKey,
      options.tailBytesMax,
      store.stored,
      start.uncompacted,
      start.coverage,
    );
  }

  /** @throws CodedError `LOG_CORRUPT`, `LOG_OPEN_FAILED`. */
  static async open(options: LogReplicaOptions, start: ReplicaStart): Promise<LogReplica> {
    return new LogReplica(options, start, await openStore(options, start));
  }

  get didHashKey(): Uint8Array {
    return this.#view.didHashKey;
  }

  get lastTimeUs(): number {
    return this.#view.lastTimeUs;
  }

  get oldestUs(): number {
    return this.#view.oldestUs;
  }

  get coverage(): Coverage {
    return this.#view.coverage;
  }

  recentAfter(timeUs: number): Block | undefined {
    return this.#view.recentAfter(timeUs);
  }

  read(timeUs: number, encoding: SliceEncoding, bytesMax: number, filter?: ReadFilter): Promise<ReadResult> {
    return this.#view.read(timeUs, encoding, bytesMax, filter, this.#options.catchUp);
  }

  /** The writer has appended a block. One that was known from {@link resume} already is passed over. */
  append(block: Block): void {
    if (block.index.lastTimeUs <= this.lastTimeUs) return;
    if (isFull(block)) {
      this.#store.stored.add(block);
      this.#view.stored(block, 0);
    } else {
      this.#view.journalled(block);
    }
  }

  /** As `LogFollower.compacted`. @throws CodedError `LOG_ORDER`: the two threads disagree. */
  compacted(compacted: Block, count: number): void {
    const last = this.#view.uncompacted[count - 1];
    if (last?.index.lastTimeUs !== compacted.index.lastTimeUs) {
      throw new CodedError(
        'LOG_ORDER',
        `a block up to ${compacted.index.lastTimeUs} replaces ${count} that end at ${last?.index.lastTimeUs}: a bug, please report it`,
      );
    }
    this.#store.stored.add(compacted);
    this.#view.stored(compacted, count);
  }

  /** As `LogFollower.trimming`. */
  trimming(throughUs: number): void {
    const { stored } = this.#store;
    stored.trimmedToUs = throughUs;
    stored.segments.trimTo(throughUs);
    this.#view.trimming(throughUs);
  }

  /** Closes the store; reads wait. */
  suspend(): Promise<void> {
    this.#view.suspend();
    return this.close();
  }

  /** Opens the store again and starts from what is in it. @throws CodedError `LOG_CORRUPT`, `LOG_OPEN_FAILED`. */
  async resume(start: ReplicaStart): Promise<void> {
    this.#store = await openStore(this.#options, start);
    this.#view.reset(this.#store.stored, start.uncompacted, start.coverage);
  }

  /** Idempotent. */
  async close(): Promise<void> {
    await this.#store.db.close();
    this.#store.db.guard?.closed();
  }
}

interface OpenStore {
  readonly db: Database;
  readonly stored: StoredBlocks;
}

async function openStore(
  options: LogReplicaOptions,
  { trimmedToUs, tables }: ReplicaStart,
): Promise<OpenStore> {
  const location = join(options.dataDir, storeFolder);
  const guard = new TableGuard(location, tables, (_, { number }) => options.damaged(number));
  const db = await openDatabase(location, {
    writeBufferBytes,
    createIfMissing: false,
    shared: true,
    guard,
  });
  try {
    const stored = await StoredBlocks.load(db, location, await newestHead(db), options.compressor);
    stored.trimmedToUs = trimmedToUs;
    return { db, stored };
  } catch (error) {
    await db.close();
    guard.closed();
    throw asDamage(`the log in ${location} cannot be read`, error);
  }
}

// The two databases of a log as they are found when it is opened: recovered, joined, cut off behind a gap. level-log.ts opens a
// log at start, and again after a failed write.

import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { ByteWriter } from '../byte-writer.ts';
import type { Block, UpstreamPositions } from './block.ts';
import { type EventCompressor, withDictionaryOf } from './block-builder.ts';
import { BlockStore } from './block-store.ts';
import { journalFolder, storeFolder } from './database.ts';
import { Journal } from './journal.ts';
import { databaseFailure } from './log-errors.ts';
import { limitsOf } from './log-limits.ts';
import type { LogFollower } from './log-replica.ts';
import type { StoredCoverage } from './log-view.ts';
import type { EarlierOpening } from './opened-store.ts';
import type { DamageListener, TableWatch } from './table-watch.ts';

export interface LevelLogOptions {
  /** Directory of the daemon; created when absent. */
  readonly dataDir: string;
  /** What the directory may take: the oldest blocks are deleted for it; 0 is no limit. See log-limits.ts. */
  readonly retentionBytes: number;
  /** Tables that LevelDB keeps open, in each database. Default: its own 1,000. */
  readonly tablesMax?: number | undefined;
  /** Bytes of newest blocks kept in memory. */
  readonly tailBytesMax: number;
  /** Whether every append waits for the disk: survives power loss, not just the death of the process. */
  readonly fsync: boolean;
  /** Of the dictionary that compressed subscribers have; blocks from before a change of it are compressed again. */
  readonly compressor: EventCompressor;
  /** Bytes of LevelDB's own notes from which on the databases are opened again; see manifest.ts. */
  readonly manifestBytesMax?: number | undefined;
  /** Told of damaged tables. */
  readonly onDamage?: DamageListener | undefined;
  /** Told of changes; the databases are opened so that other threads can read them. */
  readonly follower?: LogFollower | undefined;
}

/** What {@link openParts} finds; the caller closes journal and store. */
export interface Opened {
  readonly journal: Journal;
  readonly store: BlockStore;
  readonly uncompacted: Block[];
  readonly coverage: StoredCoverage;
  readonly lostBlocks: number;
}

/**
 * @param watch of its tables, which have been checked. @param before what is known of the store.
 * @throws CodedError as `LevelLog.open`.
 */
export async function openParts(
  options: LevelLogOptions,
  watch: TableWatch,
  before: EarlierOpening = { lost: watch.lost },
): Promise<Opened> {
  const { dataDir, compressor, follower } = options;
  const limits = { ...limitsOf(options.retentionBytes), tablesMax: options.tablesMax };
  try {
    await mkdir(dataDir, { recursive: true });
  } catch (cause) {
    throw databaseFailure('LOG_OPEN_FAILED', `cannot create the data directory ${dataDir}`, cause);
  }
  const isShared = follower !== undefined;
  const location = join(dataDir, storeFolder);
  const store = await BlockStore.open(location, compressor, isShared, limits, watch.store, before);
  let journal: Journal | undefined;
  try {
    journal = await Journal.open(join(dataDir, journalFolder), limits, watch.journal);
    const { blocks, lostBlocks } = await journal.recover(store.lastTimeUs, (endUs, lostUs) =>
      store.noteCut(endUs, lostUs),
    );
    const scratch = new ByteWriter();
    const uncompacted = blocks.map((block) => withDictionaryOf(block, compressor, scratch));
    const coverage = await store.loadCoverage();
    await watch.opened();
    return { journal, store, uncompacted, coverage, lostBlocks: store.lostBlocks + lostBlocks };
  } catch (error) {
    await journal?.close();
    await store.close();
    throw error;
  }
}

/** `time_us` of the last block. */
export function endOf({ store, uncompacted }: Opened): number {
  return uncompacted.at(-1)?.index.lastTimeUs ?? store.lastTimeUs;
}

/** Those of the last block; undefined in an empty log. */
export function positionsOf({ store, uncompacted }: Opened): UpstreamPositions | undefined {
  return uncompacted.at(-1)?.positions ?? store.last?.positions;
}

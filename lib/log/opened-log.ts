// The two databases of a log as they are found when it is opened: recovered, joined, cut off behind a gap. level-log.ts opens a
// log at start, and again after a failed write.

import { mkdir, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { ByteWriter } from '../byte-writer.ts';
import { CodedError } from '../errors.ts';
import { databaseFailure } from '../level/database-errors.ts';
import type { Block, UpstreamPositions } from './block.ts';
import { type EventCompressor, withDictionaryOf } from './block-builder.ts';
import { BlockStore } from './block-store.ts';
import { compactBlocks, oldestForOne } from './compaction.ts';
import { Journal } from './journal.ts';
import { lostEndUs } from './log-damage.ts';
import { journalFolder, storeFolder } from './log-files.ts';
import { limitsOf } from './log-limits.ts';
import type { LogFollower } from './log-replica.ts';
import type { StoredCoverage } from './log-view.ts';
import type { EarlierMemory, EarlierOpening } from './opened-store.ts';
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
  /**
   * Small blocks are only in memory until they are compacted: whoever appends them can have them again at the same times, after a death of
   * the process, too. Without `fsync`.
   */
  readonly isCopy?: boolean | undefined;
  /** Of the dictionary that compressed subscribers have; blocks from before a change of it are compressed again. */
  readonly compressor: EventCompressor;
  /** One without a dictionary, for what the journal has; without it that is stored as it is. */
  readonly journalCompressor?: EventCompressor | undefined;
  /** Bytes of LevelDB's own notes from which on the databases are opened again; see manifest.ts. */
  readonly manifestBytesMax?: number | undefined;
  /** Of a log that shares it with others; a new one gets it, in the place of a key of its own. */
  readonly didHashKey?: Uint8Array | undefined;
  /** Told of damaged tables. */
  readonly onDamage?: DamageListener | undefined;
  /** Told before opening, when it takes long because many bytes of tables are not known from the last stop. */
  readonly onLongCheck?: ((bytes: number) => void) | undefined;
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

/** With its parents. Node's own way of that never ends where the system says ENOENT of a folder that is there, as in /proc. */
async function makeFolder(path: string): Promise<void> {
  try {
    await mkdir(path);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'EEXIST' && (await stat(path)).isDirectory()) return;
    if (code !== 'ENOENT' || dirname(path) === path) throw error;
    await makeFolder(dirname(path));
    await mkdir(path);
  }
}

/**
 * @param watch of its tables, which have been checked. @param before what is known of the store.
 * @throws CodedError as `LevelLog.open`.
 */
export async function openParts(
  options: LevelLogOptions,
  watch: TableWatch,
  before: EarlierOpening = { lost: watch.lost, didHashKey: options.didHashKey },
): Promise<Opened> {
  const { dataDir, compressor, follower } = options;
  const limits = { ...limitsOf(options.retentionBytes), tablesMax: options.tablesMax };
  try {
    await makeFolder(dataDir);
  } catch (cause) {
    throw databaseFailure('LOG_OPEN_FAILED', `cannot create the data directory ${dataDir}`, cause);
  }
  const isShared = follower !== undefined;
  const location = join(dataDir, storeFolder);
  const store = await BlockStore.open(location, compressor, isShared, limits, watch.store, before);
  let journal: Journal | undefined;
  try {
    // At the first opening only the disk has it, damaged or not.
    const isJournalDamaged = before.memory !== undefined && watch.isJournalDamaged;
    // The journal's blocks are in the store before it goes: what they followed may be lost, or they in it.
    if (before.memory !== undefined && (isJournalDamaged || store.lastTimeUs < before.memory.storedUs))
      await storeFromMemory(store, before.memory);
    if (isJournalDamaged) await watch.setJournalAside();
    const place = join(dataDir, journalFolder);
    const isIdle = options.isCopy === true && !options.fsync;
    journal = await Journal.open(place, limits, watch.journal, options.journalCompressor, isIdle);
    const { blocks, lostBlocks } = await journal.recover(store.lastTimeUs, (endUs, lostUs) =>
      store.noteCut(endUs, lostUs),
    );
    const endUs = blocks.at(-1)?.index.lastTimeUs ?? store.lastTimeUs;
    const untilUs = lostEndUs(before.lost, endUs === 0, blocks.length > 0);
    if (untilUs > 0) await store.noteLostEnd(endUs, Math.max(endUs, untilUs));
    const scratch = new ByteWriter();
    const uncompacted =
      isIdle && before.memory !== undefined
        ? before.memory.uncompacted.filter(({ index }) => index.lastTimeUs > store.lastTimeUs)
        : blocks.map((block) => withDictionaryOf(block, compressor, scratch));
    const coverage = await store.loadCoverage();
    const opened = { journal, store, uncompacted, coverage, lostBlocks: store.lostBlocks + lostBlocks };
    refuseEarlierEnd(dataDir, endOf(opened), before.memory?.lastTimeUs);
    await watch.opened();
    return opened;
  } catch (error) {
    await journal?.close();
    await store.close();
    throw error;
  }
}

/** Stores what only memory has for certain. */
async function storeFromMemory(store: BlockStore, { storedUs, uncompacted }: EarlierMemory): Promise<void> {
  const lostFromUs = store.lastTimeUs;
  let left = uncompacted.filter(({ index }) => index.lastTimeUs > lostFromUs);
  if (lostFromUs < storedUs && left.length > 0) {
    const [first] = left;
    const lost = { reason: 'log_damaged', relay: '', fromUs: lostFromUs, toUs: storedUs, count: 1 } as const;
    left = [{ ...first, coverage: [lost, ...(first.coverage ?? [])] }, ...left.slice(1)];
  }
  while (left.length > 0) {
    const small = oldestForOne(left);
    await store.append(small.length === 1 ? small[0] : compactBlocks(small), true);
    left = left.slice(small.length);
  }
}

/** @throws CodedError `LOG_CORRUPT`. */
function refuseEarlierEnd(dataDir: string, endUs: number, lastTimeUs = 0): void {
  if (endUs >= lastTimeUs) return;
  throw new CodedError(
    'LOG_CORRUPT',
    `the log in ${dataDir} ends at ${endUs} when it is opened again, before ${lastTimeUs} that was stored: stop and check the disk`,
  );
}

/** `time_us` of the last block. */
function endOf({ store, uncompacted }: Opened): number {
  return uncompacted.at(-1)?.index.lastTimeUs ?? store.lastTimeUs;
}

/** Those of the last block; undefined in an empty log. */
export function positionsOf({ store, uncompacted }: Opened): UpstreamPositions | undefined {
  return uncompacted.at(-1)?.positions ?? store.last?.positions;
}

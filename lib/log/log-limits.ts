// How large the parts of a log may become, so that the directory as a whole keeps to what its operator has set. Blocks are
// most of it; LevelDB adds its logs, tables with what is deleted and not compacted yet, tables that are being rewritten,
// and the journal. Pure. Measured by test/log/directory-size.long.ts.

import { hasLittleMemory } from '../memory.ts';

/** Bytes, and where each is applied. */
export interface LogLimits {
  /** Stored blocks that a trim leaves; 0: no limit. */
  readonly keptBytesMax: number;
  /** Stored blocks at which an append begins a trim, and at which it waits for one; Infinity: never. */
  readonly trimmedAboveBytes: number;
  readonly storedBytesMax: number;
  /** Deleted blocks that may still take space in the store's tables. */
  readonly deletedBytesMax: number;
  /** Files of the journal at which compaction waits for the disk each time, so that they can go. */
  readonly journalBytesMax: number;
  /** Uncompacted blocks at which appends wait for compaction. */
  readonly uncompactedBytesMax: number;
  /** LevelDB's memtables. Larger ones mean fewer, larger tables; twice this can be in memory and in its logs. */
  readonly storeBufferBytes: number;
  /** Also of a file of the journal, after which the next begins. */
  readonly journalBufferBytes: number;
  /** LevelDB's tables: it rewrites up to 25 of them at a time, which are there twice until it is done. */
  readonly tableBytes: number;
}

const MiB = 2 ** 20;
/** Tables that are being rewritten are there twice: what LevelDB compacts at a time, whatever the limit. */
const rewrittenBytesMax = 16 * MiB;

/** @param retentionBytes what the directory may take, 0: no limit. */
export function limitsOf(retentionBytes: number): LogLimits {
  const part = (divisor: number, least: number, most: number): number =>
    retentionBytes === 0 ? most : Math.min(most, Math.max(least, Math.floor(retentionBytes / divisor)));
  const rewrittenBytes = Math.min(rewrittenBytesMax, retentionBytes / 4);
  const keptBytesMax = Math.floor(0.87 * retentionBytes - rewrittenBytes);
  const slackBytes = Math.floor(keptBytesMax / 32);
  return {
    keptBytesMax,
    trimmedAboveBytes: keptBytesMax === 0 ? Infinity : keptBytesMax + slackBytes,
    storedBytesMax: keptBytesMax === 0 ? Infinity : keptBytesMax + 2 * slackBytes,
    deletedBytesMax: part(16, 1 * MiB, 256 * MiB),
    journalBytesMax: part(32, 2 * MiB, 8 * MiB),
    uncompactedBytesMax: part(32, 2 * MiB, 64 * MiB),
    storeBufferBytes: part(64, 1 * MiB, hasLittleMemory() ? 1 * MiB : 4 * MiB),
    journalBufferBytes: part(128, 512 * 1024, hasLittleMemory() ? 512 * 1024 : 2 * MiB),
    tableBytes: part(512, 1 * MiB, 2 * MiB),
  };
}

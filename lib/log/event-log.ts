// The `EventLog` interface: blocks in, blocks from a position out. lib/fanout sees its reading half, lib/ingest the whole.
// level-log.ts is the embedded implementation, log-replica.ts its readers in other threads; what every `LogReader` promises
// is tested over both by test/log/log-reader.test.ts.

import type { CoverageReason } from '../event/coverage.ts';
import type { Block, BlockSlice, UpstreamPositions } from './block.ts';
import type { Coverage } from './coverage-ledger.ts';
import type { ReadFilter } from './segment-index.ts';

/** Which payload a reader wants; `packed` is JSON that may be packed still, for packed-slice.ts. */
export type SliceEncoding = 'json' | 'zstd' | 'packed';

/** What subscribers need of a log. */
export interface LogReader {
  /** Key for hashing DIDs as the block indexes of this log do. */
  readonly didHashKey: Uint8Array;
  /** `time_us` of the newest stored event or block; 0 for an empty log. Readers at this position have everything. */
  readonly lastTimeUs: number;
  /** The `time_us` from which on the log has everything that came; 0 for an empty log. */
  readonly oldestUs: number;
  /** What may be missing, or have come twice. */
  readonly coverage: Coverage;
  /** The block with the first event after `timeUs`, if memory holds it; synchronous. */
  recentAfter(timeUs: number): Block | undefined;
  /**
   * Stored blocks from the one with the first event after `timeUs` on, in order, at most about `bytesMax` of payload.
   * With a filter, blocks that hold nothing it wants may be left out.
   * @throws CodedError `LOG_CORRUPT`, `LOG_READ_FAILED`.
   */
  read(timeUs: number, encoding: SliceEncoding, bytesMax: number, filter?: ReadFilter): Promise<ReadResult>;
}

/** A block that waits to be stored. */
export interface WaitingBlock {
  readonly block: Block;
  /** The block as it is to be resolved, once all that it waits for is known. */
  whole(): Block | Promise<Block>;
}

/** An ordered, durable sequence of blocks with one writer and many readers. */
export interface EventLog extends LogReader {
  /** Upstream positions as of the newest stored block. */
  readonly positions: UpstreamPositions;
  /** The largest `time_us` that has been given to an event or a row of the ledger: a clock goes on from there. */
  readonly clockUs: number;
  /** Findings for the coverage ledger since start, by reason. */
  readonly coverageTotals: ReadonlyMap<CoverageReason, number>;
  /**
   * A block from the builder as it is to be stored: its deletions have the subjects of what they deleted, as far as the log
   * knows them, and its rows of the coverage ledger are no more than may be stored. Not a promise when there is nothing to look for. Calls must not overlap. Never fails.
   * @param before blocks that come before it, resolved and not stored yet; oldest first.
   */
  resolve(block: Block, before?: readonly Block[]): Block | Promise<Block>;
  /**
   * Stores a block and its positions in one atomic write. Calls must not overlap, and blocks must come in order.
   * Once it resolves the block is readable, and survives the death of the process.
   * @throws CodedError `LOG_DISK_FULL`, which can be retried after {@link recover}, `LOG_WRITE_FAILED` or `LOG_CLOSED`.
   */
  append(block: Block): Promise<void>;
  /**
   * After `LOG_DISK_FULL`: resolves when there is room and the log takes blocks again. `lastTimeUs` then tells whether
   * the block that failed was stored after all.
   * @throws CodedError when the log cannot be opened again.
   */
  recover(): Promise<void>;
  /** Deletes blocks whose last event is older than `olderThanUs`, and the oldest beyond the byte limit. */
  trim(olderThanUs: number): Promise<TrimResult>;
  /** Damages of LevelDB's tables that were found since start. */
  readonly tableDamages: number;
  readonly deletions: Readonly<DeletionTotals>;
  /** Memory of LevelDB: its caches of blocks and what it has not written to tables yet. */
  readonly databaseBytes: number;
  /** What the log holds. */
  stats(): LogStats;
  /** Waits for running calls and closes. Idempotent. @throws CodedError `LOG_WRITE_FAILED`, also of a write in the background. */
  close(): Promise<void>;
}

/** What a read found. */
export interface ReadResult {
  readonly slices: readonly BlockSlice[];
  /** Every wanted event up to here is in `slices`. Greater than asked unless the reader has everything. */
  readonly throughUs: number;
  /** From what was asked for up to here retention has taken everything, and `slices` have nothing of it; absent if it has taken nothing. */
  readonly expiredUs?: number;
}

export interface TrimResult {
  readonly blocks: number;
  readonly events: number;
  readonly bytes: number;
}

/** What became of deletions, since start, when their record was looked for. */
export interface DeletionTotals {
  /** It was found. */
  found: number;
  /** The log does not hold it, or it pointed at nothing. */
  unknown: number;
  /** Not looked for, because a block had too many. */
  skipped: number;
}

export interface LogStats {
  /** `time_us` of the oldest stored event, as far as trims have told; 0 when the log is empty. */
  readonly firstTimeUs: number;
  readonly lastTimeUs: number;
  /** Payload and head bytes stored, before LevelDB's own overhead. */
  readonly storedBytes: number;
  readonly storedEvents: number;
  readonly memoryBytes: number;
}

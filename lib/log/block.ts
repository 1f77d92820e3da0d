// The unit of the log: an immutable group of consecutive events, as stored and as sent, with the columns that describe
// them: enough to filter and cut a block without looking at its payloads. Made by block-builder.ts, stored by
// level-log.ts (the columns as they are, by block-format.ts), kept by memory-tail.ts, cut for subscribers by lib/fanout,
// which reads the columns per event.

import { firstAfter } from '../binary-search.ts';
import type { CoverageRow } from '../event/coverage.ts';

/** `collection` of an event that has none (identity, account, an empty path). */
export const noCollection = 0xffff;

/**
 * One entry per event, in `time_us` order. All columns are read-only and have `count` entries (`didHash` has two
 * per event: low, high). Offsets are ends of whole WebSocket messages within the block's JSON and zstd bytes; an
 * event's message starts where the one before it ends.
 */
export interface BlockIndex {
  readonly count: number;
  /** `time_us` of the first event; the clock value of the block itself when it has no events. */
  readonly firstTimeUs: number;
  /** `time_us` of the last event; the block's key in the log. */
  readonly lastTimeUs: number;
  readonly timeUs: Float64Array;
  readonly jsonEnd: Uint32Array;
  readonly zstdEnd: Uint32Array;
  readonly didHash: Uint32Array;
  /** Index in `collections`, or {@link noCollection}. */
  readonly collection: Uint16Array;
  /** As of `packKind` (lib/event/event.ts). */
  readonly kindAndOperation: Uint8Array;
  /**
   * What the check of an event's commit found: the number of a reason (lib/event/verdict.ts). Absent where nobody has looked at any of
   * them, as in blocks of versions before format 5.
   */
  readonly verdict?: Uint8Array | undefined;
  /** The distinct collections of this block. */
  readonly collections: readonly string[];
  /** What ingest knew of time when the block was sealed; absent in blocks of earlier versions. */
  readonly stream?: StreamTimes | undefined;
  /** Absent when nothing in the block has a record, and in what was read for a reader who does not ask. */
  readonly subjects?: SubjectColumns | undefined;
}

/** Time in the stream, by what its frames carry (lib/ingest/frame-times.ts), in microseconds since 1970. */
export interface StreamTimes {
  readonly nowUs: number;
  /** Frames up to this time may have come before, from another relay or under other numbers. */
  readonly overlapUntilUs?: number | undefined;
}

/** What events point at, in the short form of lib/event/subject.ts. A deletion has what its record pointed at. */
export interface SubjectColumns {
  /**
   * When the events were created, in µs since 1970: the time that the block came, less what the relay was late. A record
   * whose key is a time is looked for by it (record-finder.ts).
   */
  readonly createdFromUs: number;
  readonly createdThroughUs: number;
  /** One per event: the hash of its own record's path; `noPath` when it has none. */
  readonly path: Uint32Array;
  /** One per event: subjects of it and of those before it. */
  readonly ends: Uint32Array;
  /** `subjectInts` entries for each subject: low and high half of the DID's hash, hash of the path. */
  readonly subjectHashes: Uint32Array;
  /**
   * One per event, in a block that comes from the builder: the time that the record's key carries, NaN when it is none.
   * What the log stores and readers see has it no more.
   */
  readonly keyTimeUs?: Float64Array | undefined;
}

/** Relay id to the last sequence of it whose events are in the log. One entry per configured relay, so it is small. */
export type UpstreamPositions = ReadonlyMap<string, number>;

/** Events with both wire-ready copies. Nobody writes to `json` or `zstd`: they are shared with every socket. */
export interface Block {
  readonly index: BlockIndex;
  /** The events as WebSocket text messages, one after the other. */
  readonly json: Uint8Array;
  /** The same events as WebSocket binary messages that hold one zstd frame each. */
  readonly zstd: Uint8Array;
  /** `json` as the block store keeps it (stored-json.ts), where somebody has it already; a log that stores the block lets go of it. */
  readonly storedJson?: Uint8Array | undefined;
  /** Of the dictionary that `zstd` was compressed with. */
  readonly dictionaryId: number;
  /** What is in the log once this block is. */
  readonly positions: UpstreamPositions;
  /** Rows of the coverage ledger that are stored with it, in order; most blocks have none. */
  readonly coverage?: readonly CoverageRow[] | undefined;
}

/** The block without what only the store needs. */
export function withoutStoredJson(block: Block): Block {
  if (block.storedJson === undefined) return block;
  const { storedJson: _, ...kept } = block;
  return kept;
}

/** Bytes of both copies. */
export function blockBytesOf({ json, zstd }: Block): number {
  return json.length + zstd.length;
}

/** One encoding of a block: what a replay reads. */
export interface BlockSlice {
  readonly index: BlockIndex;
  readonly messages: Uint8Array;
  /** `messages` are JSON as the block store keeps it; only in what was read as `packed` (packed-slice.ts). */
  readonly isPacked?: true;
}

/** Where an event's part begins in a column of ends: its message, or its subjects. */
export function startOf(ends: Uint32Array, event: number): number {
  return event === 0 ? 0 : ends[event - 1];
}

/** Index of the first event with `time_us` greater than `afterTimeUs`; `count` when there is none. */
export function firstEventAfter(index: BlockIndex, afterTimeUs: number): number {
  return afterTimeUs < index.firstTimeUs ? 0 : firstAfter(index.timeUs, index.count, afterTimeUs);
}

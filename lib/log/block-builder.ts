// Gathers events into the next block. It is the sink that lib/event writes JSON into, and the one place where an event
// gets its `time_us`. It decides nothing about when a block ends: lib/ingest asks `isFull` and calls `seal`.

import { ByteWriter } from '../byte-writer.ts';
import type { Clock } from '../event/clock.ts';
import type { CoverageFinding, CoverageRow } from '../event/coverage.ts';
import type { DidHasher } from '../event/did-hash.ts';
import { type EventKind, type Operation, packKind } from '../event/event.ts';
import { binaryMessage, closeMessage, openMessage, textMessage } from '../event/websocket-frame.ts';
import { grow } from '../grow.ts';
import {
  type Block,
  type BlockIndex,
  noCollection,
  type StreamTimes,
  type UpstreamPositions,
} from './block.ts';
import { SubjectBuilder } from './subject-builder.ts';

/** Compresses an event's JSON to one zstd frame: the part of a `Compressor` that blocks need. */
export interface EventCompressor {
  readonly dictionaryId: number;
  /** @param isFast less effort, because many events wait. */
  compress(source: Uint8Array, start: number, end: number, out: ByteWriter, isFast: boolean): void;
}

/** Events after which a block is full: reads of 256 are where LevelDB's cost per event levels off. */
export const blockEventsMax = 256;
/**
 * Events compressed in one go from which on less effort goes into each. In the 16 ms that ingest gathers these are 4,000
 * a second: far above the network's rate, far below what full effort keeps up with. A replay compresses full blocks.
 */
export const fastEventsMin = 64;
/** JSON bytes after which a block is full, so that one write to a socket stays small against its buffer. */
export const blockJsonBytesMax = 256 * 1024;
/** Rows of the coverage ledger, before those of a kind are joined, after which a block is full: all frames may be bad. */
export const blockCoverageMax = 256;
const firstCapacityEvents = 512;
/** Room for a full block and the frame that fills it; a rare larger one is given back. */
const writerBytes = 4 * blockJsonBytesMax;

/** Mutable columns of the open block, larger than needed; `seal` copies out what is used. */
class Columns {
  timeUs = new Float64Array(firstCapacityEvents);
  jsonEnd = new Uint32Array(firstCapacityEvents);
  didHash = new Uint32Array(firstCapacityEvents * 2);
  collection = new Uint16Array(firstCapacityEvents);
  kindAndOperation = new Uint8Array(firstCapacityEvents);

  grow(): void {
    this.timeUs = grow(this.timeUs);
    this.jsonEnd = grow(this.jsonEnd);
    this.didHash = grow(this.didHash);
    this.collection = grow(this.collection);
    this.kindAndOperation = grow(this.kindAndOperation);
  }
}

/** Where a row of the ledger belongs: behind the event at `fromUs`, in front of those after `toUs`. */
export type CoveragePlace = Pick<CoverageRow, 'fromUs' | 'toUs'>;

/** Collects events and upstream positions until {@link seal}. Implements the event writer's sink. */
export class BlockBuilder {
  readonly writer = new ByteWriter(writerBytes);
  readonly #zstdWriter = new ByteWriter(blockJsonBytesMax);
  readonly #clock: Clock;
  readonly #hasher: DidHasher;
  readonly #columns = new Columns();
  readonly #subjects: SubjectBuilder;
  #collectionIds = new Map<string, number>();
  #positions: Map<string, number>;
  #positionsChanged = false;
  #followed: string | undefined;
  #coverage: CoverageRow[] = [];
  /** Where the newest sealed block ends. */
  #sealedUs = 0;
  #count = 0;
  #openStart = 0;
  #openTimeUs = 0;

  /** @param positions what the log holds so far; copied. */
  constructor(clock: Clock, hasher: DidHasher, positions: UpstreamPositions) {
    this.#clock = clock;
    this.#hasher = hasher;
    this.#subjects = new SubjectBuilder(hasher);
    this.#positions = new Map(positions);
    this.#followed = [...positions.keys()].at(-1);
  }

  get count(): number {
    return this.#count;
  }

  /** Whether there is anything to store: events, a row of the ledger, or just a newer upstream position. */
  get isEmpty(): boolean {
    return this.#count === 0 && !this.#positionsChanged && this.#coverage.length === 0;
  }

  /** Times of the events from that one on. A view: valid until the next event. */
  timesFrom(event: number): Float64Array {
    return this.#columns.timeUs.subarray(event, this.#count);
  }

  /** A place between the events so far and those to come, for a finding that is not certain yet. */
  mark(): CoveragePlace {
    const fromUs = this.#clock.lastUs;
    return { fromUs, toUs: this.#clock.next() };
  }

  /**
   * Notes a row of the ledger, which is stored with the block; drops of one kind are one row of it. Subscribers may have passed a
   * place that was marked before this block, and each row has a place of its own: then it is moved to here, and still begins
   * where it was marked.
   */
  cover(finding: CoverageFinding, marked?: CoveragePlace): void {
    const isGone = marked !== undefined && this.#isTaken(marked.toUs);
    const { fromUs, toUs } = marked ?? this.mark();
    const row = { ...finding, fromUs, toUs: isGone ? this.#clock.next() : toUs, count: 1 };
    const at = finding.reason === 'frame_dropped' ? this.#rowOf(finding) : -1;
    if (at < 0) this.#coverage.push(row);
    else {
      const before = this.#coverage[at];
      this.#coverage[at] = {
        ...row,
        fromUs: before.fromUs,
        fromSeq: before.fromSeq,
        count: before.count + 1,
      };
    }
  }

  #rowOf({ reason, relay, detail }: CoverageFinding): number {
    return this.#coverage.findIndex(
      (row) => row.reason === reason && row.relay === relay && row.detail === detail,
    );
  }

  #isTaken(toUs: number): boolean {
    return toUs <= this.#sealedUs || this.#coverage.some((row) => row.toUs === toUs);
  }

  /** A full block ends after the frame that filled it: a relay frame's events are never split over two blocks. */
  get isFull(): boolean {
    return (
      this.#count >= blockEventsMax ||
      this.writer.length >= blockJsonBytesMax ||
      this.#coverage.length >= blockCoverageMax
    );
  }

  begin(): number {
    this.#openTimeUs = this.#clock.next();
    this.#openStart = openMessage(this.writer);
    return this.#openTimeUs;
  }

  subject(source: Uint8Array, start: number, end: number): void {
    this.#subjects.add(source, start, end);
  }

  end(
    kind: EventKind,
    operation: Operation,
    source: Uint8Array,
    didStart: number,
    didEnd: number,
    pathStart: number,
    collectionEnd: number,
    pathEnd: number,
    isV1Only = false,
  ): void {
    closeMessage(this.writer, this.#openStart, textMessage);
    const columns = this.#columns;
    const at = this.#count++;
    if (at === columns.timeUs.length) columns.grow();
    columns.timeUs[at] = this.#openTimeUs;
    columns.jsonEnd[at] = this.writer.length;
    columns.kindAndOperation[at] = packKind(kind, operation, isV1Only);
    columns.collection[at] =
      pathStart === collectionEnd
        ? noCollection
        : this.#collectionId(Buffer.prototype.utf8Slice.call(source, pathStart, collectionEnd));
    this.#hasher.hash(source, didStart, didEnd);
    columns.didHash[at * 2] = this.#hasher.low;
    columns.didHash[at * 2 + 1] = this.#hasher.high;
    this.#subjects.end(source, pathStart, collectionEnd + 1, pathEnd);
  }

  /** Everything of that relay up to `seq` is in this block or before it. The relay that was followed last is the last. */
  advance(relayId: string, seq: number): void {
    if (relayId !== this.#followed) this.#positions.delete(relayId);
    this.#followed = relayId;
    this.#positions.set(relayId, seq);
    this.#positionsChanged = true;
  }

  /** The relay that was followed last, if one was. */
  get followed(): string | undefined {
    return this.#followed;
  }

  /** Last sequence taken from that relay, sealed or not. */
  positionOf(relayId: string): number | undefined {
    return this.#positions.get(relayId);
  }

  /**
   * Compresses the gathered events, makes the block and starts the next one. Call when not {@link isEmpty}.
   * @param frameTimeUs the time that the newest frame carries, which tells when the events were created; undefined when none
   * has carried one. @param stream kept with the block.
   */
  seal(compressor: EventCompressor, frameTimeUs?: number, stream?: StreamTimes): Block {
    const count = this.#count;
    const columns = this.#columns;
    const firstTimeUs = count > 0 ? columns.timeUs[0] : this.#clock.next();
    const jsonEnd = columns.jsonEnd.slice(0, count);
    const json = this.writer.copy();
    const { zstd, zstdEnd } = compressEvents(json, jsonEnd, compressor, this.#zstdWriter);
    const coverage = this.#takeCoverage();
    // A row behind the last event is part of the block: who has the block has it.
    const lastTimeUs = Math.max(
      count > 0 ? columns.timeUs[count - 1] : firstTimeUs,
      coverage?.at(-1)?.toUs ?? 0,
    );
    this.#sealedUs = lastTimeUs;
    if (frameTimeUs !== undefined) this.#subjects.late(this.#clock.nowUs() - frameTimeUs);
    const index: BlockIndex = {
      count,
      firstTimeUs,
      lastTimeUs,
      timeUs: columns.timeUs.slice(0, count),
      jsonEnd,
      zstdEnd,
      didHash: columns.didHash.slice(0, count * 2),
      collection: columns.collection.slice(0, count),
      kindAndOperation: columns.kindAndOperation.slice(0, count),
      collections: [...this.#collectionIds.keys()],
      stream,
      subjects: this.#subjects.take(firstTimeUs, lastTimeUs),
    };
    this.writer.shrink(writerBytes);
    this.#count = 0;
    this.#collectionIds = new Map();
    this.#positionsChanged = false;
    return {
      index,
      json,
      zstd,
      dictionaryId: compressor.dictionaryId,
      positions: new Map(this.#positions),
      coverage,
    };
  }

  #takeCoverage(): CoverageRow[] | undefined {
    if (this.#coverage.length === 0) return undefined;
    const coverage = this.#coverage.sort((one, other) => one.toUs - other.toUs);
    this.#coverage = [];
    return coverage;
  }

  #collectionId(collection: string): number {
    let id = this.#collectionIds.get(collection);
    if (id === undefined) {
      id = this.#collectionIds.size;
      this.#collectionIds.set(collection, id);
    }
    return id;
  }
}

/**
 * Compresses every event of `json` (WebSocket text messages that end at `jsonEnd`) into a binary message of its own. Where there is
 * no message there is none.
 * @param scratch reused between calls; the result is a copy.
 */
export function compressEvents(
  json: Uint8Array,
  jsonEnd: Uint32Array,
  compressor: EventCompressor,
  scratch: ByteWriter,
  take?: (bytes: number) => Buffer,
): { zstd: Uint8Array; zstdEnd: Uint32Array } {
  const zstdEnd = new Uint32Array(jsonEnd.length);
  const isFast = jsonEnd.length >= fastEventsMin;
  scratch.length = 0;
  let start = 0;
  for (let at = 0; at < jsonEnd.length; at++) {
    const end = jsonEnd[at];
    if (end > start) {
      const length = json[start + 1];
      const headerBytes = length < 126 ? 2 : length === 126 ? 4 : 10;
      const messageStart = openMessage(scratch);
      compressor.compress(json, start + headerBytes, end, scratch, isFast);
      closeMessage(scratch, messageStart, binaryMessage);
    }
    zstdEnd[at] = scratch.length;
    start = end;
  }
  return { zstd: take === undefined ? scratch.copy() : copyInto(take, scratch), zstdEnd };
}

function copyInto(take: (bytes: number) => Buffer, { buffer, length }: ByteWriter): Uint8Array {
  const target = take(length);
  target.set(buffer.subarray(0, length));
  return target.subarray(0, length);
}

/** Whether a block is large enough to be stored as it is. */
export function isFull({ index, json }: Block): boolean {
  return index.count >= blockEventsMax || json.length >= blockJsonBytesMax;
}

/** The block with zstd messages of `compressor`, if its own are of another dictionary. */
export function withDictionaryOf(block: Block, compressor: EventCompressor, scratch: ByteWriter): Block {
  const { dictionaryId } = compressor;
  if (block.dictionaryId === dictionaryId) return block;
  const { zstd, zstdEnd } = compressEvents(block.json, block.index.jsonEnd, compressor, scratch);
  return { ...block, index: { ...block.index, zstdEnd }, zstd, dictionaryId };
}

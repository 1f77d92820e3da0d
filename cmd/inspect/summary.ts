// What a log holds, from the heads of its blocks: one at a time, whatever their number. It reads no payload of the store
// and checks nothing beyond heads; table.ts shows the result, cmd/inspect.ts prints it.

import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { CodedError } from '../../lib/errors.ts';
import { eventKinds, kindIn, operationIn, operationNames, operations } from '../../lib/event/event.ts';
import { noCollection, type UpstreamPositions } from '../../lib/log/block.ts';
import type { BlockHead } from '../../lib/log/block-format.ts';
import { noDictionaryId } from '../../lib/log/journal-value.ts';
import { journalFolder, storeFolder } from '../../lib/log/log-files.ts';
import { segmentBlocks } from '../../lib/log/segment-index.ts';
import { formatMoment } from '../../lib/text.ts';
import { type CollectionCount, CollectionCounts } from '../command/collections.ts';
import { type ClosedLog, readFoundHead } from './reader.ts';

/** A moment, for machines and for people. */
export interface Moment {
  readonly timeUs: number;
  readonly time: string;
}

/** Everything that `inspect` tells; this is also its JSON. Bytes are values' bytes, before LevelDB's own overhead. */
export interface LogSummary {
  readonly dataDir: string;
  /** Absent when the log's description is damaged. */
  readonly format: number | undefined;
  /** Absent when there are no events. */
  readonly first: Moment | undefined;
  readonly last: Moment | undefined;
  readonly spanSeconds: number;
  /** In the store, and in the journal as far as the store does not have them. */
  readonly events: number;
  readonly eventsPerSecond: number;
  readonly bytes: StoredBytes;
  /** Of the files on the disk. */
  readonly diskBytes: number;
  readonly blocks: { readonly count: number } & EventsPerBlock;
  readonly journal: {
    readonly blocks: number;
    readonly events: number;
    readonly bytes: number;
    /** Blocks that the store has as well; not counted above. */
    readonly alreadyStored: number;
  };
  readonly segments: { readonly count: number; readonly blocksEach: number };
  /** Relay to the last sequence that is in the log. */
  readonly upstreamPositions: Readonly<Record<string, number>>;
  readonly dictionaries: readonly DictionaryUse[];
  readonly kinds: Readonly<Record<string, number>>;
  readonly operations: Readonly<Record<string, number>>;
  readonly collections: {
    readonly names: number;
    /** Whether there are more names than can be counted: `names` and counts are then lower bounds. */
    readonly isPartial: boolean;
    readonly top: readonly CollectionCount[];
    /** Events of all other collections. */
    readonly other: number;
    /** Events without one. */
    readonly none: number;
  };
  /** Blocks whose heads are unreadable: nothing above counts them. */
  readonly damagedBlocks: number;
  /** Why not all of the log could be read; absent when it could. */
  readonly readError: string | undefined;
}

export interface StoredBytes {
  readonly heads: number;
  readonly json: number;
  readonly zstd: number;
  /** What events point at. */
  readonly subjects: number;
  /** Indexes, filters, and events without a collection. */
  readonly segments: number;
  /** Of the five above: all of the store. */
  readonly store: number;
  /** Of each, per event in the store. */
  readonly perEvent: {
    readonly heads: number;
    readonly json: number;
    readonly zstd: number;
    readonly subjects: number;
    readonly store: number;
  };
}

export interface EventsPerBlock {
  readonly eventsMin: number;
  readonly eventsMedian: number;
  readonly eventsMax: number;
}

export interface DictionaryUse {
  readonly id: number;
  readonly blocks: number;
  readonly events: number;
  readonly zstdBytes: number;
}

/** Summarizes a log, with the `topMax` largest collections. @throws CodedError of the reader. */
export async function summarizeLog(reader: ClosedLog, topMax: number): Promise<LogSummary> {
  const tally = new Tally();
  await tally.guard(() => tally.addStore(reader));
  await tally.guard(() => tally.addJournal(reader));
  return tally.summary(reader, topMax, await bytesOnDisk(reader.dataDir));
}

/** The running sums. */
class Tally {
  readonly #collections = new CollectionCounts();
  readonly #kinds = new Array<number>(16).fill(0);
  readonly #operations = new Array<number>(16).fill(0);
  readonly #dictionaries = new Map<number, { blocks: number; events: number; zstdBytes: number }>();
  /** Number of store blocks by their number of events: the ways to be a block's size are few. */
  readonly #blockSizes = new Map<number, number>();
  readonly #bytes = { heads: 0, json: 0, zstd: 0, subjects: 0, segments: 0 };
  readonly #journal = { blocks: 0, events: 0, bytes: 0, alreadyStored: 0 };
  #storeEvents = 0;
  #storeEndUs = 0;
  #segments = 0;
  #withoutCollection = 0;
  #firstUs = 0;
  #lastUs = 0;
  #positions: UpstreamPositions = new Map();
  #damagedBlocks = 0;
  #readError: string | undefined;

  async addStore(reader: ClosedLog): Promise<void> {
    let segmentUs = 0;
    for await (const found of reader.heads()) {
      this.#storeEndUs = found.lastTimeUs;
      const head = this.#readHead(found);
      if (head === undefined) continue;
      const { count } = head.index;
      this.#storeEvents += count;
      this.#blockSizes.set(count, (this.#blockSizes.get(count) ?? 0) + 1);
      this.#bytes.heads += found.head?.length ?? 0;
      this.#bytes.json += head.jsonBytes;
      this.#bytes.zstd += head.zstdBytes;
      this.#bytes.subjects += head.subjectBytes;
      this.#addEvents(head);
      // The link changes with the first block of the next segment.
      if (head.segmentUs !== segmentUs) await this.#addSegment(reader, head.segmentUs);
      segmentUs = head.segmentUs;
    }
    if (this.#storeEndUs !== segmentUs) await this.#addSegment(reader, this.#storeEndUs);
  }

  async addJournal(reader: ClosedLog): Promise<void> {
    for await (const found of reader.journalBlocks()) {
      const head = this.#readHead(found);
      if (found.lastTimeUs <= this.#storeEndUs) {
        this.#journal.alreadyStored++;
      } else if (head !== undefined) {
        this.#journal.blocks++;
        this.#journal.events += head.index.count;
        for (const part of [found.head, found.json, found.zstd, found.subjects])
          this.#journal.bytes += part?.length ?? 0;
        this.#addEvents(head);
      }
    }
  }

  /** What LevelDB cannot read ends a walk, and is told with the rest. */
  async guard(walk: () => Promise<void>): Promise<void> {
    try {
      await walk();
    } catch (error) {
      if (!(error instanceof CodedError) || error.code !== 'LOG_READ_FAILED') throw error;
      this.#readError ??= error.message;
    }
  }

  summary(reader: ClosedLog, topMax: number, diskBytes: number): LogSummary {
    const { dataDir, description } = reader;
    const events = this.#storeEvents + this.#journal.events;
    const spanSeconds = (this.#lastUs - this.#firstUs) / 1e6;
    const top = this.#collections.top(topMax);
    const inTop = top.reduce((sum, { events }) => sum + events, 0);
    return {
      dataDir,
      format: description?.format,
      first: events === 0 ? undefined : momentOf(this.#firstUs),
      last: events === 0 ? undefined : momentOf(this.#lastUs),
      spanSeconds,
      events,
      eventsPerSecond: spanSeconds === 0 ? 0 : rounded(events / spanSeconds),
      bytes: this.#storedBytes(),
      diskBytes,
      blocks: { count: [...this.#blockSizes.values()].reduce(sumOf, 0), ...eventsPerBlock(this.#blockSizes) },
      journal: this.#journal,
      segments: { count: this.#segments, blocksEach: segmentBlocks },
      upstreamPositions: Object.fromEntries(this.#positions),
      dictionaries: [...this.#dictionaries].map(([id, use]) => ({ id, ...use })),
      kinds: named(Object.entries(eventKinds), this.#kinds),
      operations: named(
        Object.values(operations).map((operation) => [operationNames[operation], operation]),
        this.#operations,
      ),
      collections: {
        names: this.#collections.names,
        isPartial: this.#collections.isPartial,
        top,
        other: events - this.#withoutCollection - inTop,
        none: this.#withoutCollection,
      },
      damagedBlocks: this.#damagedBlocks,
      readError: this.#readError,
    };
  }

  #readHead(found: Parameters<typeof readFoundHead>[0]): BlockHead | undefined {
    try {
      return readFoundHead(found);
    } catch {
      this.#damagedBlocks++;
      return undefined;
    }
  }

  #addEvents({ index, dictionaryId, zstdBytes, positions }: BlockHead): void {
    const { count, timeUs, kindAndOperation, collection, collections } = index;
    this.#positions = positions;
    if (dictionaryId !== noDictionaryId) {
      const use = this.#dictionaries.get(dictionaryId) ?? { blocks: 0, events: 0, zstdBytes: 0 };
      this.#dictionaries.set(dictionaryId, use);
      use.blocks++;
      use.events += count;
      use.zstdBytes += zstdBytes;
    }
    if (count === 0) return;
    if (this.#firstUs === 0) this.#firstUs = timeUs[0];
    this.#lastUs = timeUs[count - 1];
    const perCollection = new Uint32Array(collections.length);
    for (let event = 0; event < count; event++) {
      this.#kinds[kindIn(kindAndOperation[event])]++;
      this.#operations[operationIn(kindAndOperation[event])]++;
      if (collection[event] === noCollection) this.#withoutCollection++;
      else perCollection[collection[event]]++;
    }
    for (const [id, name] of collections.entries()) this.#collections.add(name, perCollection[id]);
  }

  async #addSegment(reader: ClosedLog, lastTimeUs: number): Promise<void> {
    const values = await reader.segmentOf(lastTimeUs);
    // Trimmed, before the oldest block, or not full yet, behind the newest.
    if (values[0] === undefined) return;
    this.#segments++;
    for (const value of values) this.#bytes.segments += value?.length ?? 0;
  }

  #storedBytes(): StoredBytes {
    const { heads, json, zstd, subjects, segments } = this.#bytes;
    const store = heads + json + zstd + subjects + segments;
    const per = (bytes: number): number => (this.#storeEvents === 0 ? 0 : rounded(bytes / this.#storeEvents));
    const perEvent = {
      heads: per(heads),
      json: per(json),
      zstd: per(zstd),
      subjects: per(subjects),
      store: per(store),
    };
    return { heads, json, zstd, subjects, segments, store, perEvent };
  }
}

/** Smallest, middle and largest of the sizes; zeros when there are none. */
function eventsPerBlock(blockSizes: ReadonlyMap<number, number>): EventsPerBlock {
  const sizes = [...blockSizes].sort(([sizeA], [sizeB]) => sizeA - sizeB);
  let before = sizes.reduce((sum, [, blocks]) => sum + blocks, 0) / 2;
  const median = sizes.find(([, blocks]) => {
    before -= blocks;
    return before <= 0;
  });
  return { eventsMin: sizes[0]?.[0] ?? 0, eventsMedian: median?.[0] ?? 0, eventsMax: sizes.at(-1)?.[0] ?? 0 };
}

/** Counts by name; numbers without a name, from a damaged log, under `unknown`. */
function named(
  names: readonly (readonly [string, number])[],
  counts: readonly number[],
): Record<string, number> {
  const byName = Object.fromEntries(
    names.filter(([name]) => name !== '').map(([name, at]) => [name, counts[at]]),
  );
  const unknown = counts.filter((_, at) => names.every(([, known]) => known !== at)).reduce(sumOf, 0);
  return unknown === 0 ? byName : { ...byName, unknown };
}

/** Bytes of the files in the log's two databases. */
async function bytesOnDisk(dataDir: string): Promise<number> {
  let bytes = 0;
  for (const name of [storeFolder, journalFolder]) {
    const files = await readdir(join(dataDir, name)).catch(() => []);
    for (const file of files) bytes += (await stat(join(dataDir, name, file))).size;
  }
  return bytes;
}

function momentOf(timeUs: number): Moment {
  return { timeUs, time: formatMoment(timeUs) };
}

function rounded(number: number): number {
  return Math.round(number * 10) / 10;
}

function sumOf(sum: number, number: number): number {
  return sum + number;
}

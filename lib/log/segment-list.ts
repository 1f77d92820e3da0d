// The segment indexes of a block store: where each one lies, the one being filled, and the few read last. They lead from a
// position to the keys of the blocks that follow it, without reading blocks.

import { firstAfter } from '../binary-search.ts';
import { CodedError } from '../errors.ts';
import type { Database } from '../level/database.ts';
import { damaged } from '../level/database-errors.ts';
import type { Block } from './block.ts';
import { pickWithoutCollection } from './block-cut.ts';
import { blockKey, parts } from './block-format.ts';
import type { BlockLoader } from './block-loader.ts';
import { compactBlocks } from './compaction.ts';
import { type CreatedSearch, SegmentIndex } from './segment-index.ts';
import { type RebuiltSegment, rebuildSegment } from './segment-rebuild.ts';
import { headAtOrBefore, walkHeads } from './stored-heads.ts';
import { SubjectFilter } from './subject-filter.ts';

/** Segment indexes kept after use, and events without a collection, about 150 KB and 500 KB each: replays share them. */
const cachedSegmentsMax = 16;

/** A range of times that no search is near. */
const never = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY] as const;

/** What is known of a stored segment without reading it. */
interface StoredSegment {
  readonly lastTimeUs: number;
  /** As `SegmentIndex.createdRange`. */
  readonly createdRange: readonly [number, number];
}

/** See the file comment. Owned by one `BlockStore`. */
export class SegmentList {
  readonly #db: Database;
  /** `lastTimeUs` of each stored segment, ascending. */
  readonly #times: number[];
  /** As `SegmentIndex.createdRange`, of each. */
  readonly #createdRanges: (readonly [number, number])[];
  #open: SegmentIndex;
  #openSubjects = new SubjectFilter();
  /** Of the open segment's blocks, the events without a collection. */
  #withoutCollection: Block[] = [];
  /** A block of the open segment could not be read at opening, so that `#withoutCollection` is not all. */
  #hasDamage = false;
  readonly #loader: BlockLoader;
  /** Segments whose index is not there. */
  readonly #lost: ReadonlySet<number>;
  readonly #rebuiltCache = new Map<number, Promise<RebuiltSegment>>();
  readonly #cache = new Map<number, Promise<SegmentIndex>>();
  readonly #withoutCollectionCache = new Map<number, Promise<Block>>();
  readonly #subjectsCache = new Map<number, Promise<SubjectFilter | undefined>>();

  private constructor(
    db: Database,
    loader: BlockLoader,
    stored: readonly StoredSegment[],
    open: SegmentIndex,
    lost: ReadonlySet<number>,
  ) {
    this.#db = db;
    this.#lost = lost;
    this.#loader = loader;
    this.#times = stored.map(({ lastTimeUs }) => lastTimeUs);
    this.#createdRanges = stored.map(({ createdRange }) => createdRange);
    this.#open = open;
  }

  /**
   * Finds the segments of a store whose newest block ends at `lastTimeUs` and names `segmentUs` as the segment before
   * it; both 0 for an empty store. Reads every segment index for its link, and the blocks behind the last one.
   */
  static async load(
    db: Database,
    lastTimeUs: number,
    segmentUs: number,
    loader: BlockLoader,
  ): Promise<SegmentList> {
    const stored: StoredSegment[] = [];
    const lost = new Set<number>();
    // The newest block may itself be the last of a segment that its own head does not know.
    const closing = lastTimeUs === 0 ? undefined : await db.get(blockKey(lastTimeUs, parts.segment));
    let previousUs = closing === undefined ? segmentUs : lastTimeUs;
    const open = new SegmentIndex(previousUs);
    while (previousUs !== 0) {
      const value = await db.get(blockKey(previousUs, parts.segment));
      if (value === undefined) {
        // Trimmed together with its blocks: the chain ends where retention has got to. Or lost, when there are blocks.
        const last = await headAtOrBefore(db, previousUs);
        if (last === undefined) break;
        const { lastTimeUs: endUs } = last.index;
        const isOther = endUs < previousUs && (await db.get(blockKey(endUs, parts.segment))) !== undefined;
        if (!isOther) {
          stored.push({ lastTimeUs: endUs, createdRange: never });
          lost.add(endUs);
        }
        previousUs = isOther ? endUs : last.segmentUs;
        continue;
      }
      const segment = SegmentIndex.read(value);
      stored.push({ lastTimeUs: previousUs, createdRange: segment.createdRange });
      previousUs = segment.previousUs;
    }
    stored.reverse();
    const list = new SegmentList(db, loader, stored, open, lost);
    await list.#fillOpen(lastTimeUs, loader);
    return list;
  }

  /** The index of the segment being filled; its `previousUs` is what the next block's head names. */
  get open(): SegmentIndex {
    return this.#open;
  }

  /** What the events of the open segment's blocks point at. */
  get openSubjects(): SubjectFilter {
    return this.#openSubjects;
  }

  /** The events without a collection of the open segment's blocks, as one block; undefined when there are none. */
  get withoutCollection(): Block | undefined {
    if (this.#hasDamage) return undefined;
    if (this.#withoutCollection.length > 1)
      this.#withoutCollection = [compactBlocks(this.#withoutCollection)];
    return this.#withoutCollection[0];
  }

  /** Describes the next block in the open segment. */
  add(block: Block): void {
    this.#open.add(block.index);
    this.#openSubjects.add(block.index.subjects);
    const events = pickWithoutCollection(block);
    if (events !== undefined) this.#withoutCollection.push(events);
  }

  /** The open segment is full, and its index has been stored under its last block's time. */
  closeOpen(): void {
    const { lastTimeUs, createdRange } = this.#open;
    this.#times.push(lastTimeUs);
    this.#createdRanges.push(createdRange);
    this.#open = new SegmentIndex(lastTimeUs);
    this.#openSubjects = new SubjectFilter();
    this.#withoutCollection = [];
    this.#hasDamage = false;
  }

  /** Whether a segment ends with that block. */
  endsAt(lastTimeUs: number): boolean {
    return this.#times[this.#indexAfter(lastTimeUs - 1)] === lastTimeUs;
  }

  /** The index that describes the block with the first event after `timeUs`, the open one for the newest. */
  async after(timeUs: number): Promise<SegmentIndex> {
    const index = this.#indexAfter(timeUs);
    if (index === this.#times.length) return this.#open;
    return this.#segmentAt(this.#times[index]);
  }

  /** The events without a collection of a segment's blocks. Ask only for segments that have some. */
  async withoutCollectionOf(segment: SegmentIndex): Promise<Block> {
    const { lastTimeUs } = segment;
    if (segment === this.#open) {
      const { withoutCollection } = this;
      if (withoutCollection === undefined)
        throw damaged(`a block of the open segment up to ${lastTimeUs} cannot be read`);
      return withoutCollection;
    }
    return remember(this.#withoutCollectionCache, lastTimeUs, async () => {
      if (!this.#lost.has(lastTimeUs)) return this.#loader.withoutCollection(lastTimeUs);
      const { withoutCollection } = await this.#rebuilt(lastTimeUs);
      if (withoutCollection === undefined)
        throw damaged(`the blocks of the segment ${lastTimeUs} cannot be read`);
      return withoutCollection;
    });
  }

  /** What the events of a segment's blocks point at; undefined for segments from before there was such a filter. */
  async subjectsOf(segment: SegmentIndex): Promise<SubjectFilter | undefined> {
    if (segment === this.#open) return this.#openSubjects;
    const { lastTimeUs } = segment;
    return remember(this.#subjectsCache, lastTimeUs, async () => {
      if (this.#lost.has(lastTimeUs)) return (await this.#rebuilt(lastTimeUs)).subjects;
      const key = blockKey(lastTimeUs, parts.subjectFilter);
      await this.#db.guard?.admitKeys([key]);
      const value = await this.#db.get(key);
      return value === undefined ? undefined : SubjectFilter.read(value);
    });
  }

  /** Indexes of segments with blocks that were created when a search says; newest first. */
  async segmentsCreatedAt({ createdUs, slackUs, segmentsMax }: CreatedSearch): Promise<SegmentIndex[]> {
    const isNear = ([fromUs, throughUs]: readonly [number, number]): boolean =>
      createdUs >= fromUs - slackUs && createdUs <= throughUs + slackUs;
    const found: (SegmentIndex | Promise<SegmentIndex>)[] = isNear(this.#open.createdRange)
      ? [this.#open]
      : [];
    for (let at = this.#times.length - 1; at >= 0 && found.length < segmentsMax; at--) {
      if (isNear(this.#createdRanges[at])) found.push(this.#segmentAt(this.#times[at]));
    }
    return Promise.all(found);
  }

  /** Forgets segments all of whose blocks are gone. */
  trimTo(lastTimeUs: number): void {
    const kept = this.#times.findIndex((time) => time > lastTimeUs);
    const gone = kept === -1 ? this.#times.length : kept;
    this.#createdRanges.splice(0, gone);
    for (const time of this.#times.splice(0, gone)) {
      this.#cache.delete(time);
      this.#withoutCollectionCache.delete(time);
      this.#subjectsCache.delete(time);
      this.#rebuiltCache.delete(time);
    }
  }

  #segmentAt(lastTimeUs: number): Promise<SegmentIndex> {
    return remember(this.#cache, lastTimeUs, () => this.#read(lastTimeUs));
  }

  #rebuilt(lastTimeUs: number): Promise<RebuiltSegment> {
    return remember(this.#rebuiltCache, lastTimeUs, async () => {
      const last = await headAtOrBefore(this.#db, lastTimeUs);
      return rebuildSegment(this.#db, this.#loader, last?.segmentUs ?? 0, lastTimeUs);
    });
  }

  async #read(lastTimeUs: number): Promise<SegmentIndex> {
    if (this.#lost.has(lastTimeUs)) return (await this.#rebuilt(lastTimeUs)).index;
    const key = blockKey(lastTimeUs, parts.segment);
    await this.#db.guard?.admitKeys([key]);
    const value = await this.#db.get(key);
    if (value === undefined) throw damaged(`segment index ${lastTimeUs} is missing`);
    return SegmentIndex.read(value);
  }

  /** Index of the first stored segment that ends after `timeUs`. */
  #indexAfter(timeUs: number): number {
    return firstAfter(this.#times, this.#times.length, timeUs);
  }

  async #fillOpen(lastTimeUs: number, loader: BlockLoader): Promise<void> {
    for await (const { index } of walkHeads(this.#db, this.#open.previousUs + 1, lastTimeUs)) {
      try {
        this.add(await loader.block(index.lastTimeUs));
      } catch (error) {
        if (!(error instanceof CodedError)) throw error;
        // Reported to the replay that meets the block; the others, and ingest, can do without it.
        this.#open.add(index);
        this.#openSubjects.addUnknown();
        this.#hasDamage = true;
      }
    }
  }
}

/** Reads through a cache of {@link cachedSegmentsMax} entries; a failed read is not remembered. */
function remember<T>(cache: Map<number, Promise<T>>, key: number, read: () => Promise<T>): Promise<T> {
  const known = cache.get(key);
  if (known !== undefined) return known;
  const reading = read();
  reading.catch(() => cache.delete(key));
  cache.set(key, reading);
  const [oldest] = cache.keys();
  if (cache.size > cachedSegmentsMax) cache.delete(oldest);
  return reading;
}

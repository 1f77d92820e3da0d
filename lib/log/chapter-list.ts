// The chapters of a block store: where each one lies, the one being filled, and the few read last. It is the way from
// a position to the keys of the blocks behind it, without reading blocks.

import { CodedError } from '../event/coded-error.ts';
import type { Block } from './block.ts';
import { withoutCollection } from './block-cut.ts';
import { blockKey, parts } from './block-format.ts';
import type { BlockLoader } from './block-loader.ts';
import { Chapter, type MadeSearch } from './chapter.ts';
import { damaged } from './damage.ts';
import type { Database } from './database.ts';
import { foldBlocks } from './fold.ts';
import { walkHeads } from './head-walk.ts';
import { SubjectFilter } from './subject-filter.ts';
import { firstAfter } from './time-search.ts';

/** Chapters kept after use, and their events without a collection, about 150 KB and 500 KB each: replays share them. */
const cachedChaptersMax = 16;

/** What is known of a stored chapter without reading it. */
interface StoredChapter {
  readonly lastTimeUs: number;
  /** As `Chapter.made`. */
  readonly made: readonly [number, number];
}

/** See the file comment. Owned by one `BlockStore`. */
export class ChapterList {
  readonly #db: Database;
  /** `lastTimeUs` of each stored chapter, ascending. */
  readonly #times: number[];
  readonly #made: (readonly [number, number])[];
  #open: Chapter;
  #openSubjects = new SubjectFilter();
  /** Of the open chapter's blocks, the events without a collection. */
  #uncollected: Block[] = [];
  /** A block of the open chapter could not be read at opening, so that `#uncollected` is not all. */
  #hasDamage = false;
  readonly #loader: BlockLoader;
  readonly #cache = new Map<number, Promise<Chapter>>();
  readonly #uncollectedCache = new Map<number, Promise<Block>>();
  readonly #subjectsCache = new Map<number, Promise<SubjectFilter | undefined>>();

  private constructor(db: Database, loader: BlockLoader, stored: readonly StoredChapter[], open: Chapter) {
    this.#db = db;
    this.#loader = loader;
    this.#times = stored.map(({ lastTimeUs }) => lastTimeUs);
    this.#made = stored.map(({ made }) => made);
    this.#open = open;
  }

  /**
   * Finds the chapters of a store whose newest block ends at `lastTimeUs` and names `chapterUs` as the chapter before
   * it; both 0 for an empty store. Reads every chapter's link, and the blocks behind the last one.
   */
  static async load(
    db: Database,
    lastTimeUs: number,
    chapterUs: number,
    loader: BlockLoader,
  ): Promise<ChapterList> {
    const stored: StoredChapter[] = [];
    // The newest block may itself be the last of a chapter that its own head does not know.
    const closing = lastTimeUs === 0 ? undefined : await db.get(blockKey(lastTimeUs, parts.chapter));
    let previousUs = closing === undefined ? chapterUs : lastTimeUs;
    const open = new Chapter(previousUs);
    while (previousUs !== 0) {
      const value = await db.get(blockKey(previousUs, parts.chapter));
      // Trimmed together with its blocks: the chain ends where retention has got to.
      if (value === undefined) break;
      const chapter = Chapter.read(value);
      stored.push({ lastTimeUs: previousUs, made: chapter.made });
      previousUs = chapter.previousUs;
    }
    stored.reverse();
    const list = new ChapterList(db, loader, stored, open);
    await list.#fillOpen(lastTimeUs, loader);
    return list;
  }

  /** The chapter being filled; its `previousUs` is what the next block's head names. */
  get open(): Chapter {
    return this.#open;
  }

  /** What the events of its blocks point at. */
  get openSubjects(): SubjectFilter {
    return this.#openSubjects;
  }

  /** The events without a collection of the open chapter's blocks, as one block; undefined when there are none. */
  get uncollected(): Block | undefined {
    if (this.#hasDamage) return undefined;
    if (this.#uncollected.length > 1) this.#uncollected = [foldBlocks(this.#uncollected)];
    return this.#uncollected[0];
  }

  /** Describes the next block in the open chapter. */
  add(block: Block): void {
    this.#open.add(block.index);
    this.#openSubjects.add(block.index.subjects);
    const uncollected = withoutCollection(block);
    if (uncollected !== undefined) this.#uncollected.push(uncollected);
  }

  /** The open chapter has been stored under its last block's time. */
  closeOpen(): void {
    const { lastTimeUs, made } = this.#open;
    this.#times.push(lastTimeUs);
    this.#made.push(made);
    this.#open = new Chapter(lastTimeUs);
    this.#openSubjects = new SubjectFilter();
    this.#uncollected = [];
    this.#hasDamage = false;
  }

  /** Whether a chapter is stored under that block's time. */
  endsAt(lastTimeUs: number): boolean {
    return this.#times[this.#after(lastTimeUs - 1)] === lastTimeUs;
  }

  /** The chapter that describes the block with the first event after `timeUs`, the open one for the newest. */
  async after(timeUs: number): Promise<Chapter> {
    const position = this.#after(timeUs);
    if (position === this.#times.length) return this.#open;
    return this.#chapterAt(this.#times[position]);
  }

  /** The events without a collection of a chapter's blocks. Ask only for chapters that have some. */
  async uncollectedOf(chapter: Chapter): Promise<Block> {
    const { lastTimeUs } = chapter;
    if (chapter === this.#open) {
      const { uncollected } = this;
      if (uncollected === undefined)
        throw damaged(`a block of the chapter up to ${lastTimeUs} cannot be read`);
      return uncollected;
    }
    return remember(this.#uncollectedCache, lastTimeUs, () => this.#loader.uncollected(lastTimeUs));
  }

  /** What the events of a chapter's blocks point at; undefined for chapters from before there was such a filter. */
  async subjectsOf(chapter: Chapter): Promise<SubjectFilter | undefined> {
    if (chapter === this.#open) return this.#openSubjects;
    const { lastTimeUs } = chapter;
    return remember(this.#subjectsCache, lastTimeUs, async () => {
      const value = await this.#db.get(blockKey(lastTimeUs, parts.subjectFilter));
      return value === undefined ? undefined : SubjectFilter.read(value);
    });
  }

  /** Chapters with blocks that were made when a search says; newest first. */
  async madeAt({ madeUs, slackUs, chaptersMax }: MadeSearch): Promise<Chapter[]> {
    const isNear = ([fromUs, throughUs]: readonly [number, number]): boolean =>
      madeUs >= fromUs - slackUs && madeUs <= throughUs + slackUs;
    const found: (Chapter | Promise<Chapter>)[] = isNear(this.#open.made) ? [this.#open] : [];
    for (let at = this.#times.length - 1; at >= 0 && found.length < chaptersMax; at--) {
      if (isNear(this.#made[at])) found.push(this.#chapterAt(this.#times[at]));
    }
    return Promise.all(found);
  }

  /** Forgets chapters all of whose blocks are gone. */
  trimTo(lastTimeUs: number): void {
    const kept = this.#times.findIndex((time) => time > lastTimeUs);
    const gone = kept === -1 ? this.#times.length : kept;
    this.#made.splice(0, gone);
    for (const time of this.#times.splice(0, gone)) {
      this.#cache.delete(time);
      this.#uncollectedCache.delete(time);
      this.#subjectsCache.delete(time);
    }
  }

  #chapterAt(lastTimeUs: number): Promise<Chapter> {
    return remember(this.#cache, lastTimeUs, () => this.#read(lastTimeUs));
  }

  async #read(lastTimeUs: number): Promise<Chapter> {
    const value = await this.#db.get(blockKey(lastTimeUs, parts.chapter));
    if (value === undefined) throw damaged(`chapter ${lastTimeUs} is missing`);
    return Chapter.read(value);
  }

  /** Position of the first stored chapter that ends after `timeUs`. */
  #after(timeUs: number): number {
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

/** Reads through a cache of {@link cachedChaptersMax} entries; a failed read is not remembered. */
function remember<T>(cache: Map<number, Promise<T>>, key: number, read: () => Promise<T>): Promise<T> {
  const known = cache.get(key);
  if (known !== undefined) return known;
  const reading = read();
  reading.catch(() => cache.delete(key));
  cache.set(key, reading);
  const [oldest] = cache.keys();
  if (cache.size > cachedChaptersMax) cache.delete(oldest);
  return reading;
}

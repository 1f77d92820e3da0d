// The chapters of a block store: where each one lies, the one being filled, and the few read last. It is the way from
// a position to the keys of the blocks behind it, without reading blocks.

import { CodedError } from '../event/coded-error.ts';
import type { Block } from './block.ts';
import { withoutCollection } from './block-cut.ts';
import { blockKey, parts } from './block-format.ts';
import type { BlockLoader } from './block-loader.ts';
import { Chapter } from './chapter.ts';
import { damaged } from './damage.ts';
import type { Database } from './database.ts';
import { foldBlocks } from './fold.ts';
import { walkHeads } from './head-walk.ts';
import { firstAfter } from './time-search.ts';

/** Chapters kept after use, and their events without a collection, about 150 KB and 500 KB each: replays share them. */
const cachedChaptersMax = 16;

/** See the file comment. Owned by one `BlockStore`. */
export class ChapterList {
  readonly #db: Database;
  /** `lastTimeUs` of each stored chapter, ascending. */
  readonly #times: number[];
  #open: Chapter;
  /** Of the open chapter's blocks, the events without a collection. */
  #uncollected: Block[] = [];
  /** A block of the open chapter could not be read at opening, so that `#uncollected` is not all. */
  #hasDamage = false;
  readonly #loader: BlockLoader;
  readonly #cache = new Map<number, Promise<Chapter>>();
  readonly #uncollectedCache = new Map<number, Promise<Block>>();

  private constructor(db: Database, loader: BlockLoader, times: number[], open: Chapter) {
    this.#db = db;
    this.#loader = loader;
    this.#times = times;
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
    const times: number[] = [];
    // The newest block may itself be the last of a chapter that its own head does not know.
    const closing = lastTimeUs === 0 ? undefined : await db.get(blockKey(lastTimeUs, parts.chapter));
    let previousUs = closing === undefined ? chapterUs : lastTimeUs;
    const open = new Chapter(previousUs);
    while (previousUs !== 0) {
      const value = await db.get(blockKey(previousUs, parts.chapter));
      // Trimmed together with its blocks: the chain ends where retention has got to.
      if (value === undefined) break;
      times.push(previousUs);
      previousUs = Chapter.read(value).previousUs;
    }
    times.reverse();
    const list = new ChapterList(db, loader, times, open);
    await list.#fillOpen(lastTimeUs, loader);
    return list;
  }

  /** The chapter being filled; its `previousUs` is what the next block's head names. */
  get open(): Chapter {
    return this.#open;
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
    const uncollected = withoutCollection(block);
    if (uncollected !== undefined) this.#uncollected.push(uncollected);
  }

  /** The open chapter has been stored under its last block's time. */
  closeOpen(): void {
    const { lastTimeUs } = this.#open;
    this.#times.push(lastTimeUs);
    this.#open = new Chapter(lastTimeUs);
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
    const lastTimeUs = this.#times[position];
    return remember(this.#cache, lastTimeUs, () => this.#read(lastTimeUs));
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

  /** Forgets chapters all of whose blocks are gone. */
  trimTo(lastTimeUs: number): void {
    const kept = this.#times.findIndex((time) => time > lastTimeUs);
    for (const time of this.#times.splice(0, kept === -1 ? this.#times.length : kept)) {
      this.#cache.delete(time);
      this.#uncollectedCache.delete(time);
    }
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

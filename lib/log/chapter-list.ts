// The chapters of a block store: where each one lies, the one being filled, and the few read last. It is the way from
// a position to the keys of the blocks behind it, without reading blocks.

import { blockKey, parts, readHead } from './block-format.ts';
import { Chapter } from './chapter.ts';
import { damaged } from './damage.ts';
import type { Database } from './database.ts';

/** Chapters kept after use, about 150 KB each: replays of the same hours share them. */
const cachedChaptersMax = 16;

/** See the file comment. Owned by one `BlockStore`. */
export class ChapterList {
  readonly #db: Database;
  /** `lastTimeUs` of each stored chapter, ascending. */
  readonly #times: number[];
  #open: Chapter;
  readonly #cache = new Map<number, Promise<Chapter>>();

  private constructor(db: Database, times: number[], open: Chapter) {
    this.#db = db;
    this.#times = times;
    this.#open = open;
  }

  /**
   * Finds the chapters of a store whose newest block ends at `lastTimeUs` and names `chapterUs` as the chapter before
   * it; both 0 for an empty store. Reads every chapter's link, and the heads of the blocks behind the last one.
   */
  static async load(db: Database, lastTimeUs: number, chapterUs: number): Promise<ChapterList> {
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
    const list = new ChapterList(db, times, open);
    await list.#fillOpen(lastTimeUs);
    return list;
  }

  /** The chapter being filled; its `previousUs` is what the next block's head names. */
  get open(): Chapter {
    return this.#open;
  }

  /** The open chapter has been stored under its last block's time. */
  closeOpen(): void {
    const { lastTimeUs } = this.#open;
    this.#times.push(lastTimeUs);
    this.#open = new Chapter(lastTimeUs);
  }

  /** The chapter that describes the block with the first event after `timeUs`, the open one for the newest. */
  async after(timeUs: number): Promise<Chapter> {
    let low = 0;
    let high = this.#times.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#times[middle] > timeUs) high = middle;
      else low = middle + 1;
    }
    if (low === this.#times.length) return this.#open;
    const lastTimeUs = this.#times[low];
    let chapter = this.#cache.get(lastTimeUs);
    if (chapter === undefined) {
      chapter = this.#read(lastTimeUs);
      this.#cache.set(lastTimeUs, chapter);
      const [oldest] = this.#cache.keys();
      if (this.#cache.size > cachedChaptersMax) this.#cache.delete(oldest);
    }
    return chapter;
  }

  /** Forgets chapters all of whose blocks are gone. */
  trimTo(lastTimeUs: number): void {
    const kept = this.#times.findIndex((time) => time > lastTimeUs);
    for (const time of this.#times.splice(0, kept === -1 ? this.#times.length : kept))
      this.#cache.delete(time);
  }

  async #read(lastTimeUs: number): Promise<Chapter> {
    try {
      const value = await this.#db.get(blockKey(lastTimeUs, parts.chapter));
      if (value === undefined) {
        throw damaged(`chapter ${lastTimeUs} is missing`);
      }
      return Chapter.read(value);
    } catch (error) {
      this.#cache.delete(lastTimeUs);
      throw error;
    }
  }

  async #fillOpen(lastTimeUs: number): Promise<void> {
    const iterator = this.#db.iterator({
      gte: blockKey(this.#open.previousUs + 1, parts.head),
      lte: blockKey(lastTimeUs, parts.head),
    });
    try {
      for (let entry = await iterator.next(); entry !== undefined; entry = await iterator.next()) {
        const { index } = readHead(entry[1]);
        this.#open.add(index);
        iterator.seek(blockKey(index.lastTimeUs + 1, parts.head));
      }
    } finally {
      await iterator.close();
    }
  }
}

// Reads a range of a block store for one reader: asks the chapters what is worth reading, reads it several blocks at a
// time, and hands over slices in order. Owned by block-store.ts.

import type { BlockSlice } from './block.ts';
import { cutRun } from './block-cut.ts';
import { firstEventAfter } from './block-index.ts';
import type { BlockLoader } from './block-loader.ts';
import { type Chapter, type ReadFilter, wants } from './chapter.ts';
import type { ChapterList } from './chapter-list.ts';
import type { ReadResult, SliceEncoding } from './event-log.ts';

/** JSON bytes of a usual block: turns a reader's byte limit into a number of blocks before they are read. */
const blockBytesUsual = 128 * 1024;
/** Chapters searched per read (half a million events), so that a search that finds nothing still comes back soon. */
const chaptersPerRead = 8;

/** What of the log is there to be read: events after `fromUs`, up to the block that ends at `toUs`. */
export interface ReadRange {
  readonly fromUs: number;
  readonly toUs: number;
}

/** A whole block, or of several blocks of a chapter the events without a collection. */
interface Step {
  readonly chapter: Chapter;
  readonly isBlock: boolean;
  /** Events after this one. */
  readonly fromUs: number;
  /** `lastTimeUs` of the block, or of the last of the blocks. */
  throughUs: number;
}

/** See the file comment. */
export class BlockReader {
  readonly #loader: BlockLoader;
  readonly #chapters: ChapterList;

  constructor(loader: BlockLoader, chapters: ChapterList) {
    this.#loader = loader;
    this.#chapters = chapters;
  }

  /** As `EventLog.read`, within `range`. */
  async read(
    range: ReadRange,
    encoding: SliceEncoding,
    bytesMax: number,
    filter: ReadFilter | undefined,
  ): Promise<ReadResult> {
    const { steps, throughUs } = await this.#plan(range, Math.ceil(bytesMax / blockBytesUsual), filter);
    const times = steps.filter((step) => step.isBlock).map((step) => step.throughUs);
    const blocks = (await this.#loader.slices(times, encoding, filter?.references !== undefined)).values();
    const slices: BlockSlice[] = [];
    for (const step of steps) {
      const slice = step.isBlock ? blocks.next().value : await this.#uncollected(step, encoding);
      if (slice !== undefined) slices.push(slice);
    }
    return { slices, throughUs };
  }

  /** What to read, in order: up to `blocksMax` blocks; and how far the search has got. */
  async #plan(
    { fromUs, toUs }: ReadRange,
    blocksMax: number,
    filter: ReadFilter | undefined,
  ): Promise<{ steps: Step[]; throughUs: number }> {
    const steps: Step[] = [];
    let blocks = 0;
    let throughUs = fromUs;
    for (let searched = 0; searched < chaptersPerRead && throughUs < toUs; searched++) {
      const chapter = await this.#chapters.after(throughUs);
      const wanted = filter === undefined ? undefined : await this.#match(chapter, filter);
      for (let at = chapter.blockAfter(throughUs); at < chapter.count; at++) {
        const lastTimeUs = chapter.lastTimeOf(at);
        // The open chapter knows of a block that is still being written.
        if (blocks >= blocksMax || lastTimeUs > toUs) return { steps, throughUs };
        const want = wanted === undefined ? wants.block : wanted[at];
        if (want === wants.block) blocks++;
        if (want !== wants.nothing) addStep(steps, chapter, want === wants.block, throughUs, lastTimeUs);
        throughUs = lastTimeUs;
      }
    }
    return { steps, throughUs };
  }

  /** One of {@link wants} for each block of a chapter. */
  async #match(chapter: Chapter, filter: ReadFilter): Promise<Uint8Array> {
    const found = chapter.mayMatch(filter);
    const { references } = filter;
    if (references === undefined) return found;
    const subjects = await this.#chapters.subjectsOf(chapter);
    for (let block = 0; block < found.length; block++) {
      // What has no collection points at nothing.
      if (found[block] !== wants.block || !subjects?.mayMatch(block, references))
        found[block] = wants.nothing;
    }
    return found;
  }

  async #uncollected(step: Step, encoding: SliceEncoding): Promise<BlockSlice | undefined> {
    const block = await this.#chapters.uncollectedOf(step.chapter);
    const from = firstEventAfter(block.index, step.fromUs);
    const to = firstEventAfter(block.index, step.throughUs);
    if (from >= to) return undefined;
    const frames = encoding === 'json' ? block.json : block.zstd;
    return cutRun({ index: block.index, frames }, encoding, from, to);
  }
}

/** Adds a step, or makes the last one longer: blocks that follow each other with nothing but such events are one step. */
function addStep(steps: Step[], chapter: Chapter, isBlock: boolean, fromUs: number, throughUs: number): void {
  const last = steps.at(-1);
  if (!isBlock && last?.isBlock === false && last.chapter === chapter && last.throughUs === fromUs) {
    last.throughUs = throughUs;
  } else {
    steps.push({ chapter, isBlock, fromUs, throughUs });
  }
}

// Reads a range of a block store for one reader: asks the segment indexes what is worth reading, reads it several blocks at
// a time, and hands over slices in order. Owned by stored-blocks.ts.

import { type BlockSlice, firstEventAfter } from './block.ts';
import { cutSlice } from './block-cut.ts';
import type { BlockLoader } from './block-loader.ts';
import type { ReadResult, SliceEncoding } from './event-log.ts';
import { type ReadFilter, type SegmentIndex, wants } from './segment-index.ts';
import type { SegmentList } from './segment-list.ts';

/** JSON bytes of a usual block: turns a reader's byte limit into a number of blocks before they are read. */
const blockBytesUsual = 128 * 1024;
/** Segment indexes searched per read (half a million events), so that a search that finds nothing still comes back soon. */
const segmentsPerRead = 8;

/** What of the log is there to be read: events after `fromUs`, up to the block that ends at `toUs`. */
export interface ReadRange {
  readonly fromUs: number;
  readonly toUs: number;
}

/** A whole block, or of several blocks of a segment the events without a collection. */
interface Step {
  readonly segment: SegmentIndex;
  readonly isBlock: boolean;
  /** Events after this one. */
  readonly fromUs: number;
  /** `lastTimeUs` of the block, or of the last of the blocks. */
  throughUs: number;
}

/** See the file comment. */
export class BlockReader {
  readonly #loader: BlockLoader;
  readonly #segments: SegmentList;

  constructor(loader: BlockLoader, segments: SegmentList) {
    this.#loader = loader;
    this.#segments = segments;
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
    const blocks = (await this.#loader.slices(times, encoding, filter?.subjectHashes !== undefined)).values();
    const slices: BlockSlice[] = [];
    for (const step of steps) {
      const slice = step.isBlock ? blocks.next().value : await this.#withoutCollection(step, encoding);
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
    for (let searched = 0; searched < segmentsPerRead && throughUs < toUs; searched++) {
      const segment = await this.#segments.after(throughUs);
      const wanted = filter === undefined ? undefined : await this.#match(segment, filter);
      for (let at = segment.blockAfter(throughUs); at < segment.count; at++) {
        const lastTimeUs = segment.lastTimeOf(at);
        // The open segment knows of a block that is still being written.
        if (blocks >= blocksMax || lastTimeUs > toUs) return { steps, throughUs };
        const want = wanted === undefined ? wants.block : wanted[at];
        if (want === wants.block) blocks++;
        if (want !== wants.nothing) addStep(steps, segment, want === wants.block, throughUs, lastTimeUs);
        throughUs = lastTimeUs;
      }
    }
    return { steps, throughUs };
  }

  /** One of {@link wants} for each block of a segment. */
  async #match(segment: SegmentIndex, filter: ReadFilter): Promise<Uint8Array> {
    const found = segment.mayMatch(filter);
    const { subjectHashes } = filter;
    if (subjectHashes === undefined) return found;
    const subjects = await this.#segments.subjectsOf(segment);
    for (let block = 0; block < found.length; block++) {
      // What has no collection points at nothing.
      if (found[block] !== wants.block || !subjects?.mayMatch(block, subjectHashes))
        found[block] = wants.nothing;
    }
    return found;
  }

  async #withoutCollection(step: Step, encoding: SliceEncoding): Promise<BlockSlice | undefined> {
    const block = await this.#segments.withoutCollectionOf(step.segment);
    const from = firstEventAfter(block.index, step.fromUs);
    const to = firstEventAfter(block.index, step.throughUs);
    if (from >= to) return undefined;
    const messages = encoding === 'zstd' ? block.zstd : block.json;
    return cutSlice({ index: block.index, messages }, encoding, from, to);
  }
}

/** Adds a step, or makes the last one longer: blocks that follow each other with nothing but such events are one step. */
function addStep(
  steps: Step[],
  segment: SegmentIndex,
  isBlock: boolean,
  fromUs: number,
  throughUs: number,
): void {
  const last = steps.at(-1);
  if (!isBlock && last?.isBlock === false && last.segment === segment && last.throughUs === fromUs) {
    last.throughUs = throughUs;
  } else {
    steps.push({ segment, isBlock, fromUs, throughUs });
  }
}

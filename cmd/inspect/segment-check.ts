// Checks the segment indexes of a store against the blocks that they describe: that they are where the blocks' links say,
// that they describe these blocks and no others, and that asking one never skips a block that holds what is asked for. Fed
// with the blocks in order by log-check.ts; it holds the columns of one segment's blocks.

import { noPath, subjectInts } from '../../lib/event/subject.ts';
import { type BlockIndex, noCollection } from '../../lib/log/block.ts';
import { type BlockHead, unpackBlock } from '../../lib/log/block-format.ts';
import { SegmentIndex, segmentBlocks, wants } from '../../lib/log/segment-index.ts';
import { SubjectFilter } from '../../lib/log/subject-filter.ts';
import { type ProblemCode, type ProblemList, reasonOf } from './problem.ts';
import type { FoundBlock } from './reader.ts';

/** A block of the segment at hand; without an index when its head is unreadable. */
interface Described {
  readonly lastTimeUs: number;
  readonly index: BlockIndex | undefined;
}

/** See the file comment. Call {@link next} for every block of the store. */
export class SegmentCheck {
  /** Segments whose index was there. */
  count = 0;
  readonly #problems: ProblemList;
  /** End of the newest segment so far; undefined before the first readable head. */
  #segmentUs: number | undefined;
  #blocks: Described[] = [];
  /** Whether the blocks of this segment may begin before the first one seen: retention does not cut at segments. */
  #isCut = true;

  constructor(problems: ProblemList) {
    this.#problems = problems;
  }

  /** @param head undefined when it is unreadable. */
  next(block: FoundBlock, head: BlockHead | undefined): void {
    const { lastTimeUs, segment } = block;
    if (head !== undefined) this.#checkLink(lastTimeUs, head);
    this.#blocks.push({ lastTimeUs, index: head?.index });
    if (segment !== undefined) {
      this.count++;
      this.#checkSegment(lastTimeUs, segment, block.subjectFilter);
      this.#checkWithoutCollection(lastTimeUs, block.withoutCollection);
    } else if (this.#blocks.length === segmentBlocks) {
      this.#report('segment_missing', lastTimeUs, `${segmentBlocks} blocks and no segment index behind them`);
    } else {
      return;
    }
    this.#segmentUs = lastTimeUs;
    this.#blocks = [];
    this.#isCut = false;
  }

  #checkLink(lastTimeUs: number, { segmentUs, before, index }: BlockHead): void {
    if (this.#segmentUs === undefined) {
      this.#segmentUs = segmentUs;
      this.#isCut = before.events > 0 || before.bytes > 0;
      if (segmentUs >= index.firstTimeUs || (!this.#isCut && segmentUs !== 0)) {
        this.#report('segment_link', lastTimeUs, `it names segment ${segmentUs} as the one before its own`);
      }
      return;
    }
    if (segmentUs === this.#segmentUs) return;
    if (segmentUs > this.#segmentUs && segmentUs < index.firstTimeUs) {
      const detail = `block ${lastTimeUs} names a segment that ends here, and its index is not there`;
      this.#report('segment_missing', segmentUs, detail);
      this.#isCut = false;
      this.#segmentUs = segmentUs;
      this.#blocks = [];
    } else {
      const detail = `it names segment ${segmentUs} as the one before its own, not ${this.#segmentUs}`;
      this.#report('segment_link', lastTimeUs, detail);
    }
  }

  #checkSegment(timeUs: number, value: Uint8Array, filter: Uint8Array | undefined): void {
    let segment: SegmentIndex;
    try {
      segment = SegmentIndex.read(value);
    } catch {
      this.#report(
        'segment_damaged',
        timeUs,
        `a segment index of ${value.length} bytes has a wrong checksum`,
      );
      return;
    }
    if (this.#segmentUs !== undefined && segment.previousUs !== this.#segmentUs) {
      const detail = `the segment index names ${segment.previousUs} as the segment before it, not ${this.#segmentUs}`;
      this.#report('segment_link', timeUs, detail);
    }
    const positions = this.#checkTimes(timeUs, segment);
    this.#checkCollections(timeUs, segment, positions);
    this.#checkDids(timeUs, segment, positions);
    this.#checkCreated(timeUs, segment, positions);
    this.#checkSubjects(timeUs, segment, positions, filter);
  }

  /** The part beside a segment index must have the events without a collection of its blocks, no fewer and no others. */
  #checkWithoutCollection(timeUs: number, value: Uint8Array | undefined): void {
    if (this.#blocks.some(({ index }) => index === undefined)) return;
    const expected = this.#blocks.flatMap(({ index }) => withoutCollectionTimes(index as BlockIndex));
    if (value === undefined) {
      if (expected.length > 0)
        this.#report('without_collection_missing', timeUs, `${expected.length} events without a collection`);
      return;
    }
    let found: number[];
    try {
      const { index } = unpackBlock(value).head;
      found = withoutCollectionTimes(index);
      if (found.length !== index.count) found.push(Number.NaN);
    } catch (error) {
      this.#report('without_collection_damaged', timeUs, reasonOf(error));
      return;
    }
    // Retention may have taken the first blocks of the segment, but not their events here.
    const kept = this.#isCut ? found.slice(found.length - expected.length) : found;
    if (kept.length !== expected.length || kept.some((time, at) => time !== expected[at])) {
      this.#report(
        'without_collection_events',
        timeUs,
        `${found.length} events, and its blocks have ${expected.length}`,
      );
    }
  }

  /** Position in the segment index of each block, -1 for one that it does not describe. */
  #checkTimes(timeUs: number, segment: SegmentIndex): number[] {
    const described = new Map<number, number>();
    for (let at = 0; at < segment.count; at++) described.set(segment.lastTimeOf(at), at);
    const positions = this.#blocks.map(({ lastTimeUs }) => described.get(lastTimeUs) ?? -1);
    const strange = this.#blocks.filter((_, at) => positions[at] === -1);
    const seen = new Set(this.#blocks.map(({ lastTimeUs }) => lastTimeUs));
    const fromUs = this.#isCut ? this.#blocks[0].lastTimeUs : 0;
    const absent = [...described.keys()].filter(
      (lastTimeUs) => lastTimeUs >= fromUs && !seen.has(lastTimeUs),
    );
    if (segment.count !== segmentBlocks) {
      this.#report(
        'segment_blocks',
        timeUs,
        `the segment index describes ${segment.count} of ${segmentBlocks} blocks`,
      );
    }
    if (absent.length > 0) {
      const detail = `the segment index describes ${absent.length} blocks that are not there, the first is ${absent[0]}`;
      this.#report('segment_blocks', timeUs, detail);
    }
    if (strange.length > 0) {
      const first = strange[0].lastTimeUs;
      const detail = `the segment index does not describe ${strange.length} blocks before it, the first is ${first}`;
      this.#report('segment_blocks', timeUs, detail);
    }
    return positions;
  }

  #checkCollections(timeUs: number, segment: SegmentIndex, positions: readonly number[]): void {
    const names: string[] = [];
    // Asking tells the names, and which blocks have events without a collection: these match whatever is asked.
    const without = segment.mayMatch({
      wantsCollection(name) {
        names.push(name);
        return false;
      },
    });
    const candidatesOf = new Map<string, Uint8Array>();
    for (const name of names) {
      candidatesOf.set(name, segment.mayMatch({ wantsCollection: (asked) => asked === name }));
    }
    const denied: string[] = [];
    const excess: string[] = [];
    for (const [at, { lastTimeUs, index }] of this.#blocks.entries()) {
      const position = positions[at];
      if (position === -1 || index === undefined) continue;
      const has = new Set(index.collections);
      const hasWithout = index.collection.includes(noCollection);
      if (hasWithout !== (without[position] === wants.withoutCollection)) {
        (hasWithout ? denied : excess).push(`events without a collection in block ${lastTimeUs}`);
      }
      for (const name of has) {
        if ((candidatesOf.get(name) ?? without)[position] !== wants.block)
          denied.push(`${name} in block ${lastTimeUs}`);
      }
      for (const [name, candidates] of candidatesOf) {
        if (candidates[position] === wants.block && !has.has(name)) {
          excess.push(`${name} in block ${lastTimeUs}`);
        }
      }
    }
    this.#reportAll('segment_denies', timeUs, 'the segment index denies', denied);
    this.#reportAll('segment_excess', timeUs, 'the segment index claims', excess);
  }

  #checkDids(timeUs: number, segment: SegmentIndex, positions: readonly number[]): void {
    /** Answers by the low half of the hash: accounts write more than once, and asking costs a look at every block. */
    const answers = new Map<number, { readonly high: number; readonly candidates: Uint8Array }>();
    const denied: string[] = [];
    for (const [at, { lastTimeUs, index }] of this.#blocks.entries()) {
      const position = positions[at];
      if (position === -1 || index === undefined) continue;
      for (let event = 0; event < index.count; event++) {
        const low = index.didHash[event * 2];
        const high = index.didHash[event * 2 + 1];
        let answer = answers.get(low);
        if (answer === undefined || answer.high !== high) {
          answer = { high, candidates: segment.mayMatch({ didHashes: Uint32Array.of(low, high) }) };
          answers.set(low, answer);
        }
        if (answer.candidates[position] !== wants.block)
          denied.push(`the DID of event ${event} in block ${lastTimeUs}`);
      }
    }
    this.#reportAll('segment_denies', timeUs, 'the segment index denies', denied);
  }

  /** Deletions look for the block of their record by when its events were created. */
  #checkCreated(timeUs: number, segment: SegmentIndex, positions: readonly number[]): void {
    const outside: string[] = [];
    for (const [at, { lastTimeUs, index }] of this.#blocks.entries()) {
      const position = positions[at];
      if (position === -1 || index?.subjects === undefined) continue;
      const didHash = index.didHash.subarray(0, 2);
      // What it denies has been reported.
      if (segment.mayMatch({ didHashes: didHash })[position] !== wants.block) continue;
      const { createdFromUs, createdThroughUs } = index.subjects;
      for (const createdUs of [createdFromUs, createdThroughUs]) {
        const search = { createdUs, slackUs: 0, didHash, blocksMax: segmentBlocks, segmentsMax: 1 };
        const found = segment.blocksCreatedAt(search).some((block) => block.lastTimeUs === lastTimeUs);
        if (!found) outside.push(`block ${lastTimeUs} at ${createdUs}`);
      }
    }
    this.#reportAll('segment_created', timeUs, 'the segment index does not have', outside);
  }

  #checkSubjects(
    timeUs: number,
    segment: SegmentIndex,
    positions: readonly number[],
    value: Uint8Array | undefined,
  ): void {
    if (value === undefined) {
      // Format 1 had no filters, nor did its segment indexes say when events were created.
      if (segment.createdRange[1] > 0)
        this.#report('filter_missing', timeUs, 'its events are not found by what they point at');
      return;
    }
    let filter: SubjectFilter;
    try {
      filter = SubjectFilter.read(value);
    } catch (error) {
      this.#report('filter_damaged', timeUs, reasonOf(error));
      return;
    }
    const denied: string[] = [];
    for (const [at, { lastTimeUs, index }] of this.#blocks.entries()) {
      const position = positions[at];
      if (position === -1 || index?.subjects === undefined) continue;
      const { subjectHashes } = index.subjects;
      for (let start = 0; start < subjectHashes.length; start += subjectInts) {
        const record = subjectHashes.subarray(start, start + subjectInts);
        const account = Uint32Array.of(record[0], record[1], noPath);
        if (!filter.mayMatch(position, record) || !filter.mayMatch(position, account))
          denied.push(`subject ${start / subjectInts} in block ${lastTimeUs}`);
      }
    }
    this.#reportAll('segment_denies', timeUs, 'the filter denies', denied);
  }

  /** One problem for a segment index, however often it has it. */
  #reportAll(code: ProblemCode, timeUs: number, what: string, cases: readonly string[]): void {
    if (cases.length === 0) return;
    const more = cases.length > 1 ? ` (and ${cases.length - 1} more)` : '';
    this.#report(code, timeUs, `${what} ${cases[0]}${more}`);
  }

  #report(code: ProblemCode, timeUs: number, detail: string): void {
    this.#problems.report(code, 'store', timeUs, detail);
  }
}

/** `time_us` of the events that have no collection. */
function withoutCollectionTimes(index: BlockIndex): number[] {
  const times: number[] = [];
  for (let event = 0; event < index.count; event++) {
    if (index.collection[event] === noCollection) times.push(index.timeUs[event]);
  }
  return times;
}

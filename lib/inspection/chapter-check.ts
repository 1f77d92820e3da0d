// Checks the chapters of a store against the blocks that they describe: that they are where the blocks' links say, that
// they describe these blocks and no others, and that asking one never skips a block that holds what is asked for. Fed
// with the blocks in order by log-check.ts; it holds the columns of one chapter's blocks.

import { noPath, referenceInts } from '../event/reference.ts';
import { type BlockHead, unpackBlock } from '../log/block-format.ts';
import { type BlockIndex, noCollection } from '../log/block-index.ts';
import { Chapter, chapterBlocks, wants } from '../log/chapter.ts';
import { SubjectFilter } from '../log/subject-filter.ts';
import { type ProblemCode, type ProblemList, reasonOf } from './problem.ts';
import type { FoundBlock } from './reader.ts';

/** A block behind the last chapter; without an index when its head is unreadable. */
interface Described {
  readonly lastTimeUs: number;
  readonly index: BlockIndex | undefined;
}

/** See the file comment. Call {@link next} for every block of the store. */
export class ChapterCheck {
  /** Chapters that were there. */
  count = 0;
  readonly #problems: ProblemList;
  /** Time of the newest chapter so far; undefined before the first readable head. */
  #chapterUs: number | undefined;
  #blocks: Described[] = [];
  /** Whether the blocks of this chapter may begin before the first one seen: retention does not cut at chapters. */
  #isCut = true;

  constructor(problems: ProblemList) {
    this.#problems = problems;
  }

  /** @param head undefined when it is unreadable. */
  next(block: FoundBlock, head: BlockHead | undefined): void {
    const { lastTimeUs, chapter } = block;
    if (head !== undefined) this.#checkLink(lastTimeUs, head);
    this.#blocks.push({ lastTimeUs, index: head?.index });
    if (chapter !== undefined) {
      this.count++;
      this.#checkChapter(lastTimeUs, chapter, block.subjectFilter);
      this.#checkUncollected(lastTimeUs, block.uncollected);
    } else if (this.#blocks.length === chapterBlocks) {
      this.#report('chapter_missing', lastTimeUs, `${chapterBlocks} blocks and no chapter behind them`);
    } else {
      return;
    }
    this.#chapterUs = lastTimeUs;
    this.#blocks = [];
    this.#isCut = false;
  }

  #checkLink(lastTimeUs: number, { chapterUs, before, index }: BlockHead): void {
    if (this.#chapterUs === undefined) {
      this.#chapterUs = chapterUs;
      this.#isCut = before.events > 0 || before.bytes > 0;
      if (chapterUs >= index.firstTimeUs || (!this.#isCut && chapterUs !== 0)) {
        this.#report('chapter_link', lastTimeUs, `it names chapter ${chapterUs} as the one before it`);
      }
      return;
    }
    if (chapterUs === this.#chapterUs) return;
    if (chapterUs > this.#chapterUs && chapterUs < index.firstTimeUs) {
      const detail = `block ${lastTimeUs} names it as the chapter before it, and it is not there`;
      this.#report('chapter_missing', chapterUs, detail);
      this.#isCut = false;
      this.#chapterUs = chapterUs;
      this.#blocks = [];
    } else {
      const detail = `it names chapter ${chapterUs} as the one before it, not ${this.#chapterUs}`;
      this.#report('chapter_link', lastTimeUs, detail);
    }
  }

  #checkChapter(timeUs: number, value: Uint8Array, filter: Uint8Array | undefined): void {
    let chapter: Chapter;
    try {
      chapter = Chapter.read(value);
    } catch {
      this.#report('chapter_damaged', timeUs, `a chapter of ${value.length} bytes has a wrong checksum`);
      return;
    }
    if (this.#chapterUs !== undefined && chapter.previousUs !== this.#chapterUs) {
      const detail = `the chapter names ${chapter.previousUs} as the one before it, not ${this.#chapterUs}`;
      this.#report('chapter_link', timeUs, detail);
    }
    const positions = this.#checkTimes(timeUs, chapter);
    this.#checkCollections(timeUs, chapter, positions);
    this.#checkDids(timeUs, chapter, positions);
    this.#checkMade(timeUs, chapter, positions);
    this.#checkSubjects(timeUs, chapter, positions, filter);
  }

  /** The part behind a chapter must have the events without a collection of its blocks, no fewer and no others. */
  #checkUncollected(timeUs: number, value: Uint8Array | undefined): void {
    if (this.#blocks.some(({ index }) => index === undefined)) return;
    const expected = this.#blocks.flatMap(({ index }) => uncollectedTimes(index as BlockIndex));
    if (value === undefined) {
      if (expected.length > 0)
        this.#report('uncollected_missing', timeUs, `${expected.length} events without a collection`);
      return;
    }
    let found: number[];
    try {
      const { index } = unpackBlock(value).head;
      found = uncollectedTimes(index);
      if (found.length !== index.count) found.push(Number.NaN);
    } catch (error) {
      this.#report('uncollected_damaged', timeUs, reasonOf(error));
      return;
    }
    // Retention may have taken the first blocks of the chapter, but not their events here.
    const kept = this.#isCut ? found.slice(found.length - expected.length) : found;
    if (kept.length !== expected.length || kept.some((time, at) => time !== expected[at])) {
      this.#report(
        'uncollected_events',
        timeUs,
        `${found.length} events, and its blocks have ${expected.length}`,
      );
    }
  }

  /** Position in the chapter of each block, -1 for one that it does not describe. */
  #checkTimes(timeUs: number, chapter: Chapter): number[] {
    const described = new Map<number, number>();
    for (let at = 0; at < chapter.count; at++) described.set(chapter.lastTimeOf(at), at);
    const positions = this.#blocks.map(({ lastTimeUs }) => described.get(lastTimeUs) ?? -1);
    const strange = this.#blocks.filter((_, at) => positions[at] === -1);
    const seen = new Set(this.#blocks.map(({ lastTimeUs }) => lastTimeUs));
    const fromUs = this.#isCut ? this.#blocks[0].lastTimeUs : 0;
    const absent = [...described.keys()].filter(
      (lastTimeUs) => lastTimeUs >= fromUs && !seen.has(lastTimeUs),
    );
    if (chapter.count !== chapterBlocks) {
      this.#report(
        'chapter_blocks',
        timeUs,
        `the chapter describes ${chapter.count} of ${chapterBlocks} blocks`,
      );
    }
    if (absent.length > 0) {
      const detail = `the chapter describes ${absent.length} blocks that are not there, the first is ${absent[0]}`;
      this.#report('chapter_blocks', timeUs, detail);
    }
    if (strange.length > 0) {
      const first = strange[0].lastTimeUs;
      const detail = `the chapter does not describe ${strange.length} blocks before it, the first is ${first}`;
      this.#report('chapter_blocks', timeUs, detail);
    }
    return positions;
  }

  #checkCollections(timeUs: number, chapter: Chapter, positions: readonly number[]): void {
    const names: string[] = [];
    // Asking tells the names, and which blocks have events without a collection: these match whatever is asked.
    const without = chapter.mayMatch({
      wantsCollection(name) {
        names.push(name);
        return false;
      },
    });
    const candidatesOf = new Map<string, Uint8Array>();
    for (const name of names) {
      candidatesOf.set(name, chapter.mayMatch({ wantsCollection: (asked) => asked === name }));
    }
    const denied: string[] = [];
    const excess: string[] = [];
    for (const [at, { lastTimeUs, index }] of this.#blocks.entries()) {
      const position = positions[at];
      if (position === -1 || index === undefined) continue;
      const has = new Set(index.collections);
      const hasWithout = index.collection.includes(noCollection);
      if (hasWithout !== (without[position] === wants.uncollected)) {
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
    this.#reportAll('chapter_denies', timeUs, 'the chapter denies', denied);
    this.#reportAll('chapter_excess', timeUs, 'the chapter claims', excess);
  }

  #checkDids(timeUs: number, chapter: Chapter, positions: readonly number[]): void {
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
          answer = { high, candidates: chapter.mayMatch({ didHashes: Uint32Array.of(low, high) }) };
          answers.set(low, answer);
        }
        if (answer.candidates[position] !== wants.block)
          denied.push(`the DID of event ${event} in block ${lastTimeUs}`);
      }
    }
    this.#reportAll('chapter_denies', timeUs, 'the chapter denies', denied);
  }

  /** Deletions look for the block of their record by when it was made. */
  #checkMade(timeUs: number, chapter: Chapter, positions: readonly number[]): void {
    const outside: string[] = [];
    for (const [at, { lastTimeUs, index }] of this.#blocks.entries()) {
      const position = positions[at];
      if (position === -1 || index?.subjects === undefined) continue;
      const didHash = index.didHash.subarray(0, 2);
      // What it denies has been reported.
      if (chapter.mayMatch({ didHashes: didHash })[position] !== wants.block) continue;
      const { madeFromUs, madeThroughUs } = index.subjects;
      for (const madeUs of [madeFromUs, madeThroughUs]) {
        const search = { madeUs, slackUs: 0, didHash, blocksMax: chapterBlocks, chaptersMax: 1 };
        const found = chapter.madeAt(search).some((block) => block.lastTimeUs === lastTimeUs);
        if (!found) outside.push(`block ${lastTimeUs} at ${madeUs}`);
      }
    }
    this.#reportAll('chapter_made', timeUs, 'the chapter does not have', outside);
  }

  #checkSubjects(
    timeUs: number,
    chapter: Chapter,
    positions: readonly number[],
    value: Uint8Array | undefined,
  ): void {
    if (value === undefined) {
      // Format 1 had no filters, nor did its chapters say when blocks were made.
      if (chapter.made[1] > 0)
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
      const { references } = index.subjects;
      for (let start = 0; start < references.length; start += referenceInts) {
        const record = references.subarray(start, start + referenceInts);
        const account = Uint32Array.of(record[0], record[1], noPath);
        if (!filter.mayMatch(position, record) || !filter.mayMatch(position, account))
          denied.push(`reference ${start / referenceInts} in block ${lastTimeUs}`);
      }
    }
    this.#reportAll('chapter_denies', timeUs, 'the filter denies', denied);
  }

  /** One problem for a chapter, however often it has it. */
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
function uncollectedTimes(index: BlockIndex): number[] {
  const times: number[] = [];
  for (let event = 0; event < index.count; event++) {
    if (index.collection[event] === noCollection) times.push(index.timeUs[event]);
  }
  return times;
}

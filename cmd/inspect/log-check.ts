// Verifies a whole log: reads every value once, in order, and has each block checked by itself, against the one before
// it and against the index of its segment. It owns the walk and the verdict. verification.ts calls it; the daemon never does.

import { CodedError } from '../../lib/errors.ts';
import { DidHasher } from '../../lib/event/did-hash.ts';
import { BlockCheck, type EventDecompressor } from './block-check.ts';
import { checkCoverage } from './coverage-check.ts';
import { OrderCheck, type SteppedBack } from './order-check.ts';
import { ProblemList } from './problem.ts';
import { type ClosedLog, type FoundBlock, readFoundHead } from './reader.ts';
import { SegmentCheck } from './segment-check.ts';

export interface CheckOptions {
  /** What decompresses zstd frames of that dictionary; undefined when it is not at hand. */
  readonly decompressorOf: (dictionaryId: number) => EventDecompressor | undefined;
  /** Problems kept with their details; the others are counted. */
  readonly listedMax?: number;
  /** Told after every block. `totalEvents` is an estimate from the ends of the store, 0 when there is none. */
  readonly onProgress?: (events: number, totalEvents: number, problems: number) => void;
}

/** What a verification looked at and what it found. */
export interface CheckResult {
  readonly problems: ProblemList;
  /** Unusual, but right in a log that is intact. */
  readonly steppedBack: readonly SteppedBack[];
  /** Events whose zstd frames were only measured, by the dictionary that was not at hand. */
  readonly unchecked: ReadonlyMap<number, number>;
  /** In the store. */
  readonly blocks: number;
  readonly segments: number;
  readonly journalBlocks: number;
  /** In the store and in the journal; those in both count twice, for both are checked. */
  readonly events: number;
  /** Heads, payloads and segment indexes as stored. */
  readonly bytes: number;
}

/**
 * Checks everything in a log.
 * @throws CodedError of the decompressor only when it is no fault of the log's.
 */
export async function checkLog(reader: ClosedLog, options: CheckOptions): Promise<CheckResult> {
  const check = new LogCheck(reader, options);
  await check.store();
  await check.journal();
  return check.result();
}

class LogCheck {
  readonly #reader: ClosedLog;
  readonly #options: CheckOptions;
  readonly #problems: ProblemList;
  readonly #blockCheck: BlockCheck;
  readonly #segmentCheck: SegmentCheck;
  #orderCheck: OrderCheck;
  #totalEvents = 0;
  #blocks = 0;
  #journalBlocks = 0;
  #events = 0;
  #bytes = 0;

  constructor(reader: ClosedLog, options: CheckOptions) {
    this.#reader = reader;
    this.#options = options;
    this.#problems = new ProblemList(options.listedMax);
    const { description } = reader;
    const hasher = description && new DidHasher(description.didHashKey);
    this.#blockCheck = new BlockCheck(this.#problems, hasher, options.decompressorOf);
    this.#segmentCheck = new SegmentCheck(this.#problems);
    this.#orderCheck = new OrderCheck(this.#problems, Number.POSITIVE_INFINITY);
    if (description === undefined) {
      const detail = 'it has no readable description: DIDs cannot be compared with their hashes';
      this.#problems.report('description_damaged', 'log', 0, detail);
    }
  }

  async store(): Promise<void> {
    await this.#guard(async () => {
      this.#orderCheck = new OrderCheck(this.#problems, await this.#journalStartUs());
      for await (const block of this.#reader.blocks(0, (key) => this.#stray(key))) {
        if (this.#blocks === 0) this.#totalEvents = await this.#storedEvents(block);
        this.#blocks++;
        const head = this.#check(block);
        this.#orderCheck.nextStored(block, head);
        this.#segmentCheck.next(block, head);
      }
    });
    await this.#guard(async () => {
      this.#bytes += await checkCoverage(this.#reader, this.#problems);
    });
  }

  async journal(): Promise<void> {
    await this.#guard(async () => {
      for await (const block of this.#reader.journalBlocks((key) => this.#stray(key))) {
        this.#journalBlocks++;
        this.#orderCheck.nextJournalled(block, this.#check(block));
      }
    });
  }

  result(): CheckResult {
    return {
      problems: this.#problems,
      steppedBack: this.#orderCheck.steppedBack,
      unchecked: this.#blockCheck.unchecked,
      blocks: this.#blocks,
      segments: this.#segmentCheck.count,
      journalBlocks: this.#journalBlocks,
      events: this.#events,
      bytes: this.#bytes,
    };
  }

  #check(block: FoundBlock): ReturnType<BlockCheck['check']> {
    const head = this.#blockCheck.check(block);
    this.#events += head?.index.count ?? 0;
    const { json, zstd, subjects, segment, withoutCollection, subjectFilter } = block;
    for (const value of [block.head, json, zstd, subjects, segment, withoutCollection, subjectFilter])
      this.#bytes += value?.length ?? 0;
    this.#options.onProgress?.(this.#events, this.#totalEvents, this.#problems.total);
    return head;
  }

  /** Time of the first event in the journal; Infinity when it has none. */
  async #journalStartUs(): Promise<number> {
    for await (const block of this.#reader.journalBlocks()) {
      try {
        return readFoundHead(block).index.firstTimeUs;
      } catch {
        return block.lastTimeUs;
      }
    }
    return Number.POSITIVE_INFINITY;
  }

  async #storedEvents(first: FoundBlock): Promise<number> {
    try {
      const lastTimeUs = await this.#reader.storeEndUs();
      const last = readFoundHead({ lastTimeUs, head: await this.#reader.headOf(lastTimeUs) });
      return last.after.events - readFoundHead(first).before.events;
    } catch {
      return 0;
    }
  }

  #stray(key: Uint8Array): void {
    this.#problems.report('key_unknown', 'log', 0, `the key ${Buffer.from(key).toString('hex')}`);
  }

  /** What LevelDB cannot read is a problem like others, and the last one of its database. */
  async #guard(walk: () => Promise<void>): Promise<void> {
    try {
      await walk();
    } catch (error) {
      if (!(error instanceof CodedError) || error.code !== 'LOG_READ_FAILED') throw error;
      this.#problems.report('read_failed', 'log', 0, error.message);
    }
  }
}

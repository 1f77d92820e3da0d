// Sealed blocks on their way into the log, one at a time and in order: stored, then published. It owns what waits and its bound,
// from which on the relay has to wait, and waits itself while the disk is full. It knows no frames and no relay.

import { CodedError } from '../errors.ts';
import type { BlockVerdicts } from '../event/verdict.ts';
import { type Block, blockBytesOf, withoutStoredJson } from '../log/block.ts';
import type { EventLog, WaitingBlock } from '../log/event-log.ts';
import { hasLittleMemory } from '../memory.ts';

/** Sealed and unstored bytes at which reading from the relay stops, and at which it goes on. */
const [pendingBytesMax, pendingBytesLow] = hasLittleMemory()
  ? [2 * 1024 * 1024, 1024 * 1024]
  : [16 * 1024 * 1024, 4 * 1024 * 1024];

/** What a queue needs, and whom it tells. */
export interface BlockQueueOptions {
  readonly log: Pick<EventLog, 'resolve' | 'append' | 'recover' | 'lastTimeUs'> & {
    /** Told once of the list of what waits behind the block that is stored, for a log that takes several together. */
    lookAhead?(waiting: readonly WaitingBlock[]): void;
  };
  /** Called with each stored block, in order. A promise is waited for before the next is stored. */
  readonly publish: (block: Block) => Promise<void> | undefined;
  /** Told how long the log took to store a block. */
  readonly written: (seconds: number) => void;
  /** The log waits for room on the disk: told why, and `undefined` once it goes on. */
  readonly stalled: (why: CodedError | undefined) => void;
  /** The log refused a block: nothing more can be taken. Called once. */
  readonly failed: (error: unknown) => void;
}

/** What the queue asks of who fills it. */
export interface BlockSource {
  /** Stops and restarts reading from the relay. */
  setPaused(paused: boolean): void;
  /** All that waited is stored. */
  drained(): void;
}

interface Waiting extends WaitingBlock {
  readonly frameTimeUs: number | undefined;
  readonly verdicts: BlockVerdicts | undefined;
}

/** See the file comment. */
export class BlockQueue {
  readonly #options: BlockQueueOptions;
  readonly #source: BlockSource;
  readonly #blocks: Waiting[] = [];
  #pendingBytes = 0;
  #storing: Promise<void> | undefined;
  #writingSinceMs: number | undefined;
  #storedAtMs = -Infinity;
  #newestFrameTimeUs: number | undefined;
  #paused = false;
  #isOver = false;
  /** Why the log waits for room on the disk, while it does. */
  #stalledBy: CodedError | undefined;

  constructor(options: BlockQueueOptions, source: BlockSource) {
    this.#options = options;
    this.#source = source;
    options.log.lookAhead?.(this.#blocks);
  }

  /** Code of the error for which nothing is stored at the moment; undefined while all is well. */
  get stalledBy(): string | undefined {
    return this.#stalledBy?.code;
  }

  get pendingBytes(): number {
    return this.#pendingBytes;
  }

  get isPaused(): boolean {
    return this.#paused;
  }

  get isStoring(): boolean {
    return this.#storing !== undefined;
  }

  /** Whether the log has refused a block, or is closed. */
  get isOver(): boolean {
    return this.#isOver;
  }

  /** Milliseconds since an event was stored; Infinity before one was. */
  get idleMs(): number {
    return performance.now() - this.#storedAtMs;
  }

  /** Milliseconds that the write under way has taken; 0 while there is none. */
  get writingMs(): number {
    return this.#writingSinceMs === undefined ? 0 : performance.now() - this.#writingSinceMs;
  }

  /**
   * The time that the newest frame carries whose events are stored, in microseconds since 1970; undefined before the first.
   */
  get newestFrameTimeUs(): number | undefined {
    return this.#newestFrameTimeUs;
  }

  /**
   * Not behind a block that the log has refused: it would be stored with a hole before it, and with it the relay's place behind the
   * hole. @param frameTimeUs the time that its newest frame carries. @param verdicts which it waits for when its turn has come.
   */
  push(block: Block, frameTimeUs: number | undefined, verdicts?: BlockVerdicts): void {
    if (this.#isOver) return;
    this.#blocks.push({
      ...{ block, frameTimeUs, verdicts },
      whole: () => withVerdicts(block, verdicts),
    });
    this.#pendingBytes += blockBytesOf(block);
    if (!this.#paused && this.#pendingBytes > pendingBytesMax) this.#setPaused(true);
    this.#storing ??= this.#store();
  }

  /** Resolves when all is stored. While the disk is full there is no waiting: what is not stored comes again. */
  async stop(): Promise<void> {
    this.#isOver = true;
    if (this.#stalledBy === undefined) await this.#storing;
  }

  async #store(): Promise<void> {
    const { log, publish, failed } = this.#options;
    try {
      for (let next = this.#blocks.shift(); next !== undefined; next = this.#blocks.shift()) {
        const made = log.lookAhead === undefined ? this.#resolvedFirst(next) : this.#wholeFirst(next);
        const block = made instanceof Promise ? await made : made;
        await this.#append(block);
        next.verdicts?.stored();
        this.#newestFrameTimeUs = next.frameTimeUs;
        if (block.index.count > 0) this.#storedAtMs = performance.now();
        this.#pendingBytes -= blockBytesOf(block);
        if (this.#paused && this.#pendingBytes < pendingBytesLow) this.#setPaused(false);
        const wait = publish(withoutStoredJson(block));
        if (wait !== undefined) await wait;
      }
    } catch (error) {
      this.#isOver = true;
      this.#blocks.length = 0;
      if (!isClosed(error)) failed(error);
    }
    this.#storing = undefined;
    if (!this.#isOver) this.#source.drained();
  }

  /** What deletions have deleted is looked for while the verdicts are made. */
  #resolvedFirst({ block, verdicts }: Waiting): Block | Promise<Block> {
    const resolved = this.#options.log.resolve(block);
    if (!(resolved instanceof Promise)) return withVerdicts(resolved, verdicts);
    return resolved.then((found) => withVerdicts(found, verdicts));
  }

  /** For a log that sends on what it resolves. */
  #wholeFirst(next: Waiting): Block | Promise<Block> {
    const { log } = this.#options;
    const whole = next.whole();
    return whole instanceof Promise ? whole.then((block) => log.resolve(block)) : log.resolve(whole);
  }

  /** Stores a block, however long the disk is full. Meanwhile the queue grows to its bound and the relay waits. */
  async #append(block: Block): Promise<void> {
    const { log, written, stalled } = this.#options;
    for (;;) {
      try {
        const startedAtMs = performance.now();
        this.#writingSinceMs = startedAtMs;
        await log.append(block);
        this.#writingSinceMs = undefined;
        written((performance.now() - startedAtMs) / 1000);
        return;
      } catch (error) {
        this.#writingSinceMs = undefined;
        if (!(error instanceof CodedError) || !error.retryable) throw error;
        this.#stalledBy = error;
        stalled(error);
        await log.recover();
        this.#stalledBy = undefined;
        if (!this.#isOver) stalled(undefined);
        if (log.lastTimeUs >= block.index.lastTimeUs) return;
      }
    }
  }

  #setPaused(paused: boolean): void {
    this.#paused = paused;
    this.#source.setPaused(paused);
  }
}

/** The log was closed while it waited for room: the daemon stops. */
function isClosed(error: unknown): boolean {
  return error instanceof CodedError && error.code === 'LOG_CLOSED';
}

function withVerdicts(block: Block, verdicts: BlockVerdicts | undefined): Block | Promise<Block> {
  if (verdicts === undefined) return block;
  const column = verdicts.column();
  return column instanceof Promise
    ? column.then((verdict) => withColumn(block, verdict))
    : withColumn(block, column);
}

function withColumn(block: Block, verdict: Uint8Array): Block {
  return { ...block, index: { ...block.index, verdict } };
}

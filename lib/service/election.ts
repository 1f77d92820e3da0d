// When a node of a cluster is to write: it asks for the lease when nobody writes, or when the writer lets go, and only when it has all
// that the stream has and its clock can be believed. It keeps ready what a writer begins with. Who writes is not decided here but by
// the stream, block by block.

import { type ClusterCounts, count } from '../cluster/cluster-counts.ts';
import type { Engine } from '../cluster/engine.ts';
import { free, type Lease } from '../cluster/lease.ts';
import type { StreamFollower } from '../cluster/stream-follower.ts';
import { EarlierReader } from '../ingest/earlier-frames.ts';
import type { LogReader } from '../log/event-log.ts';
import type { Logger } from '../logger.ts';

/** How often a node that could write asks whether it should. */
const askMs = 1_000;
/** It does not ask while somebody writes: so long after the last message. */
const quietMs = 3_000;
/** How far this machine's clock may be from the engine's: `time_us` of a wrong one would drag every cursor along. */
const skewMsMax = 5_000;
/** How long an elected node may take to get the last messages. */
const tipMs = 5_000;
const tipPollMs = 20;
/** How often a node that may be elected reads what was taken: all at once takes half a second and more. */
const earlierMs = 10_000;

/** What an election needs. */
export interface ElectionOptions {
  readonly engine: Engine;
  readonly lease: Lease;
  readonly nodeId: string;
  readonly log: LogReader;
  readonly counts: ClusterCounts;
  readonly logger: Logger;
}

/** This node is to write. */
export interface WonElection {
  /** Unlike that of any other turn as the writer, of this node or another. */
  readonly termId: string;
  /** Resolves when another node has been elected. */
  readonly lost: Promise<void>;
}

/** See the file comment. */
export class Election {
  readonly #options: ElectionOptions;
  readonly #stopping = Promise.withResolvers<void>();
  #isStopped = false;
  #freeUntilMs = 0;
  #earlier: EarlierReader;
  #earlierAtMs = Number.NEGATIVE_INFINITY;

  constructor(options: ElectionOptions) {
    this.#options = options;
    this.#earlier = new EarlierReader(options.log);
  }

  /** Ends what waits, and what would. */
  stop(): void {
    this.#isStopped = true;
    this.#stopping.resolve();
  }

  /** Lets another node be elected. Never rejects. */
  end(): Promise<void> {
    return this.#options.lease.release();
  }

  /** What earlier writers took; it is its caller's from now on. */
  takeEarlier(): EarlierReader {
    const earlier = this.#earlier;
    this.#earlier = new EarlierReader(this.#options.log);
    this.#earlierAtMs = Number.NEGATIVE_INFINITY;
    return earlier;
  }

  /**
   * Waits until this node is to write; undefined after {@link stop}.
   * @param follower what the node has comes from it. @param isUnfit whether its log takes no writes at the moment.
   */
  async won(follower: StreamFollower, isUnfit: () => boolean): Promise<WonElection | undefined> {
    let wake = Promise.withResolvers<void>();
    const unwatch = this.#options.engine.lease.watch((value) => {
      if (value !== free) return;
      this.#freeUntilMs = performance.now() + tipMs;
      wake.resolve();
    });
    try {
      while (!this.#isStopped) {
        wake = Promise.withResolvers();
        if (follower.isCaughtUp && !isUnfit() && (this.#isFree || follower.quietMs > quietMs)) {
          const won = await this.#campaign(follower);
          if (won !== undefined) return won;
        }
        if (follower.isCaughtUp) await this.#prepare();
        await this.#waitFor(wake.promise, this.#isFree ? tipPollMs : askMs);
      }
      return undefined;
    } finally {
      unwatch();
    }
  }

  async #prepare(): Promise<void> {
    if (this.#isFree || performance.now() - this.#earlierAtMs < earlierMs) return;
    await this.#earlier.read();
    this.#earlierAtMs = performance.now();
  }

  /** Whether the last writer has told of late that it let go. */
  get #isFree(): boolean {
    return performance.now() < this.#freeUntilMs;
  }

  async #campaign(follower: StreamFollower): Promise<WonElection | undefined> {
    const { engine, lease, nodeId } = this.#options;
    const state = await engine.state();
    if (state === undefined || !this.#isClockRight(state.timeMs)) return undefined;
    const lost = Promise.withResolvers<void>();
    const taken = await lease.take(lost.resolve);
    if (taken !== 'unsure') this.#freeUntilMs = 0;
    if (taken !== 'taken') return undefined;
    if (await this.#reachTip(follower)) return { termId: `${nodeId}.${lease.revision}`, lost: lost.promise };
    await lease.release();
    return undefined;
  }

  #isClockRight(engineTimeMs: number): boolean {
    const { counts, logger } = this.#options;
    const skewMs = Date.now() - engineTimeMs;
    if (Math.abs(skewMs) <= skewMsMax) return true;
    if (counts.leases.get('clock_off') === 0) {
      logger.warn(
        { skewMs },
        'the clock of this machine is off: it does not stand for election; look at NTP',
      );
    }
    count(counts.leases, 'clock_off');
    return false;
  }

  /** Whether it has all that the stream has. If another node writes all the same, the first append tells. */
  async #reachTip(follower: StreamFollower): Promise<boolean> {
    const deadlineMs = performance.now() + tipMs;
    while (!this.#isStopped && performance.now() < deadlineMs) {
      const state = await this.#options.engine.state();
      if (state !== undefined && state.lastSequence <= follower.sequence) return true;
      await this.#waitFor(this.#stopping.promise, tipPollMs);
    }
    return false;
  }

  /** Resolves early at a stop. */
  async #waitFor(promise: Promise<void>, ms: number): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, ms);
    });
    await Promise.race([promise, late, this.#stopping.promise]);
    clearTimeout(timer);
  }
}

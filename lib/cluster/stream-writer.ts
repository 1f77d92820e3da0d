// Gets one message after the other to its place in the stream, exactly once, whatever the engine answers or does not answer. Nothing
// but the append that names the sequence it follows makes that safe: who is elected only tries. It knows messages, no blocks.

import { type ClusterCounts, count, type RetryReason } from './cluster-counts.ts';
import type { AppendOutcome, Engine, StreamMessage } from './engine.ts';

/** How long an attempt waits for its answer, and more for a large message: 4 MB took 126 ms, 8 MB up to 495. */
const attemptMs = 500;
const attemptBytesPerMs = 10_000;
/** Time between two attempts: without an answer of any kind it doubles, from the one to the other. */
const pauseMs = { least: 25, most: 250 };
/** Attempts without an answer after which another server is asked: one that is stopped cost 7 s, and with this 1.7 s. */
const silentAttemptsMax = 3;
/** Looks that must agree on a place that is taken and empty: its message is not kept any more. */
const emptyLooksMax = 3;
/** How long the leader must say that it has forgotten what it had acknowledged: one that wakes up says so for a moment. */
const lostAfterMs = 5_000;

/** How a message ended. */
export type StoreEnd = 'stored' | 'fenced' | 'lost' | 'closed';

/** Time, for tests. */
export interface WriterClock {
  readonly nowMs: () => number;
  /** Resolves early when the writer is closed. */
  readonly sleep: (ms: number, signal: AbortSignal) => Promise<void>;
}

/** See the file comment. */
export class StreamWriter {
  readonly #engine: Engine;
  readonly #counts: ClusterCounts;
  readonly #clock: WriterClock;
  readonly #closing = new AbortController();

  constructor(engine: Engine, counts: ClusterCounts, clock: WriterClock = machineClock) {
    this.#engine = engine;
    this.#counts = counts;
    this.#clock = clock;
  }

  /**
   * Has the message stored as number `sequence`, however long it takes. Calls must not overlap. Never rejects.
   * `closed`: it may be stored or not.
   */
  async store(message: StreamMessage, sequence: number): Promise<StoreEnd> {
    const attempt = new Attempts(this.#engine, this.#counts, this.#clock, message, sequence);
    const { signal } = this.#closing;
    while (!signal.aborted) {
      const end = await attempt.next();
      if (end !== undefined) return end;
      if (attempt.pauseMs > 0) await this.#clock.sleep(attempt.pauseMs, signal);
    }
    return 'closed';
  }

  /** Ends what is under way. */
  close(): void {
    this.#closing.abort();
  }
}

/** The attempts for one message. */
class Attempts {
  /** Until the next attempt. */
  pauseMs = 0;
  readonly #engine: Engine;
  readonly #counts: ClusterCounts;
  readonly #clock: WriterClock;
  readonly #message: StreamMessage;
  readonly #sequence: number;
  readonly #timeoutMs: number;
  #silent = 0;
  #emptyLooks = 0;
  #lostSinceMs: number | undefined;

  constructor(
    engine: Engine,
    counts: ClusterCounts,
    clock: WriterClock,
    message: StreamMessage,
    sequence: number,
  ) {
    this.#engine = engine;
    this.#counts = counts;
    this.#clock = clock;
    this.#message = message;
    this.#sequence = sequence;
    this.#timeoutMs = attemptMs + Math.ceil(message.bytes.length / attemptBytesPerMs);
  }

  /** One attempt; undefined when there has to be another. */
  async next(): Promise<StoreEnd | undefined> {
    const outcome = await this.#engine.append(this.#message, this.#sequence - 1, this.#timeoutMs);
    if (outcome.kind === 'stored') return this.#stored(outcome);
    if (outcome.kind === 'refused') return this.#look();
    const { why } = outcome;
    if (why === 'timeout' && ++this.#silent % silentAttemptsMax === 0) this.#engine.hop();
    return this.#again(why);
  }

  #stored({ sequence, isDuplicate }: Extract<AppendOutcome, { kind: 'stored' }>): StoreEnd {
    // The expectation allows no other place, unless the engine has forgotten where it was.
    const end = sequence !== this.#sequence ? 'lost' : isDuplicate ? 'duplicate' : 'acknowledged';
    count(this.#counts.appends, end);
    return end === 'lost' ? 'lost' : 'stored';
  }

  /** The append was refused: what is at its place? */
  async #look(): Promise<StoreEnd | undefined> {
    const there = await this.#engine.message(this.#sequence);
    if (there === undefined) return this.#again('unread');
    if (there !== null) {
      const isOurs = there.id === this.#message.id;
      count(this.#counts.appends, isOurs ? 'found' : 'fenced');
      return isOurs ? 'stored' : 'fenced';
    }
    const state = await this.#engine.state();
    if (state === undefined) return this.#again('unread');
    const { lastSequence } = state;
    if (lastSequence < this.#sequence - 1) return this.#forgotten();
    this.#lostSinceMs = undefined;
    // A message that is proposed and not committed refuses others, and may still come to nothing: absence proves nothing.
    if (lastSequence < this.#sequence) return this.#again('not_visible');
    if (++this.#emptyLooks < emptyLooksMax) return this.#again('not_visible');
    count(this.#counts.appends, 'fenced_unknown');
    return 'fenced';
  }

  #forgotten(): StoreEnd | undefined {
    const nowMs = this.#clock.nowMs();
    this.#lostSinceMs ??= nowMs;
    if (nowMs - this.#lostSinceMs < lostAfterMs) return this.#again('stale_leader');
    count(this.#counts.appends, 'lost');
    return 'lost';
  }

  #again(why: RetryReason): undefined {
    count(this.#counts.retries, why);
    if (why === 'reconnected') this.pauseMs = 0;
    else this.pauseMs = Math.min(pauseMs.most, Math.max(pauseMs.least, this.pauseMs * 2));
  }
}

/** Sleeps that end early. */
export const machineClock: WriterClock = {
  nowMs: () => performance.now(),
  sleep: (ms, signal) =>
    new Promise((resolve) => {
      if (signal.aborted) return resolve();
      const done = (): void => {
        clearTimeout(timer);
        signal.removeEventListener('abort', done);
        resolve();
      };
      const timer = setTimeout(done, ms);
      signal.addEventListener('abort', done);
    }),
};

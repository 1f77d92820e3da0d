// Copies the stream into the log of a node that does not write: every message once, in order, none stepped over. Doorbells bring new
// messages as they are stored; whatever they miss is asked for. It keeps nothing in the engine, so a slow node slows nobody.

import { ByteWriter } from '../byte-writer.ts';
import type { Block } from '../log/block.ts';
import type { EventCompressor } from '../log/block-builder.ts';
import { BlockGatherer } from './block-gatherer.ts';
import { type ReadBlocks, readMessage } from './block-message.ts';
import { type ClusterCounts, count, type FollowNote } from './cluster-counts.ts';
import { forked, hole, tooOld } from './cluster-errors.ts';
import type { BatchEnd, Engine, StoredMessage, StreamState } from './engine.ts';
import { machineClock, type WriterClock } from './stream-writer.ts';

/** Of one batch: 8 MB ones made the writer beside them wait for 35 ms, and are no faster. */
const batchBytesMax = 1024 * 1024;
/** Of messages that doorbells have brought and that wait; beyond, they are asked for later. */
const queuedBytesMax = 32 * 1024 * 1024;
/** How often the end of the stream is looked at when no doorbell rings, and the leader is asked for it. */
const pollMs = 1_000;
const leaderPollMs = 3_000;
/** After an answer that does not have what a doorbell has told of; so many of them, and the leader is asked. */
const emptyMs = 25;
const emptiesMax = 3;
/** After no answer; so many in a row, and another server is asked. */
const silentMs = 250;
const silencesMax = 3;
/** Answers of the leader that must agree that a message is missing. */
const holesMax = 3;
/** How long the stream must seem to end before what this node has: a leader that wakes up says so for a moment. */
const shortAfterMs = 5_000;

/** What a follower needs, and whom it tells. */
export interface FollowerOptions {
  readonly engine: Engine;
  readonly counts: ClusterCounts;
  readonly streamId: string;
  readonly compressor: EventCompressor;
  /** Sequence of the last message that the log has, and where it ends; 0 for an empty log. */
  readonly sequence: number;
  readonly lastTimeUs: number;
  /** Takes blocks in order. */
  readonly push: (block: Block) => void;
  /** This node cannot follow any more. Called once. */
  readonly failed: (error: unknown) => void;
  readonly clock?: WriterClock;
}

/** A batch on its way, and what has come of it. */
interface Asked {
  readonly taken: StoredMessage[];
  readonly end: Promise<BatchEnd>;
}

/** See the file comment. */
export class StreamFollower {
  /** Sequence of the last message that was pushed, or waits for the next batch to fill a block. */
  sequence: number;
  /** Whether it has had everything at least once, by the leader's word. */
  isCaughtUp = false;
  /** When the engine was last heard of, by the monotonic clock. */
  heardAtMs = Number.NEGATIVE_INFINITY;
  /** Who wrote the last message: its id. */
  newestId = '';
  /** Time between the engine's clock and this machine's, in milliseconds, positive when this one is ahead; as last seen. */
  clockSkewMs = 0;
  readonly #options: FollowerOptions;
  readonly #clock: WriterClock;
  readonly #scratch = new ByteWriter();
  readonly #stopping = new AbortController();
  readonly #gatherer: BlockGatherer;
  /** Of the last message that was taken. */
  #lastTimeUs: number;
  /** The batch after the one that is stored at the moment. */
  #asked: Asked | undefined;
  /** The highest sequence that is known of. */
  #known: number;
  #queued: StoredMessage[] = [];
  #queuedBytes = 0;
  #isPaused = false;
  #wake = Promise.withResolvers<void>();
  #running: Promise<void> | undefined;
  #unfollow: () => void = () => {};
  #askedAtMs = Number.NEGATIVE_INFINITY;
  #leaderAtMs = Number.NEGATIVE_INFINITY;
  #empties = 0;
  #silences = 0;
  #holes = 0;
  #shortSinceMs: number | undefined;
  #rangAtMs = Number.NEGATIVE_INFINITY;

  constructor(options: FollowerOptions) {
    this.#options = options;
    this.#clock = options.clock ?? machineClock;
    this.#gatherer = new BlockGatherer(options.push);
    this.sequence = options.sequence;
    this.#known = options.sequence;
    this.#lastTimeUs = options.lastTimeUs;
  }

  start(): void {
    this.#unfollow = this.#options.engine.follow((message) => this.#heard(message));
    this.#running = this.#run().catch((error: unknown) => {
      if (!this.#isStopped) this.#options.failed(error);
    });
  }

  /** Hands on what waits; resolves when nothing is pushed any more. */
  async stop(): Promise<void> {
    this.#unfollow();
    this.#stopping.abort();
    this.#wake.resolve();
    await this.#running;
    // Whoever goes on from here, as the writer perhaps, goes by `sequence`.
    this.#gatherer.flush();
    // One that comes after it must not ask meanwhile.
    await this.#asked?.end;
  }

  /** Whoever takes the blocks has enough, or can go on. */
  setPaused(paused: boolean): void {
    this.#isPaused = paused;
    this.#wake.resolve();
  }

  /** Messages that are known of and not pushed yet. */
  get behind(): number {
    return Math.max(0, this.#known - this.sequence);
  }

  /** Milliseconds since a doorbell: somebody writes. */
  get quietMs(): number {
    return this.#clock.nowMs() - this.#rangAtMs;
  }

  get #isStopped(): boolean {
    return this.#stopping.signal.aborted;
  }

  #heard(message: StoredMessage): void {
    this.heardAtMs = this.#rangAtMs = this.#clock.nowMs();
    const { sequence, bytes } = message;
    const next = (this.#queued.at(-1)?.sequence ?? this.sequence) + 1;
    if (sequence < next) {
      count(this.#options.counts.follows, 'again');
      return;
    }
    this.#known = Math.max(this.#known, sequence);
    if (sequence === next && this.#queuedBytes < queuedBytesMax) {
      this.#queued.push(message);
      this.#queuedBytes += bytes.length;
    }
    this.#wake.resolve();
  }

  async #run(): Promise<void> {
    while (!this.#isStopped) {
      this.#wake = Promise.withResolvers<void>();
      if (this.#isPaused) await this.#wake.promise;
      else if (this.#queued.length > 0) await this.#applyQueued();
      else if (this.isCaughtUp && this.behind === 0 && !this.#isPollDue) await this.#rest(pollMs);
      else await this.#pull();
    }
  }

  get #isPollDue(): boolean {
    return this.#clock.nowMs() - Math.max(this.#askedAtMs, this.heardAtMs) >= pollMs;
  }

  /** Until something happens, or so long. */
  #rest(ms: number): Promise<void> {
    const resting = new AbortController();
    // With a reason, or there is an exception made with every message.
    void this.#wake.promise.then(() => resting.abort('woken'));
    return this.#clock.sleep(ms, resting.signal);
  }

  #sleep(ms: number): Promise<void> {
    return this.#clock.sleep(ms, this.#stopping.signal);
  }

  async #applyQueued(): Promise<void> {
    const queued = this.#queued;
    this.#queued = [];
    this.#queuedBytes = 0;
    await this.#apply(queued, 'doorbell');
  }

  #ask(sequence: number): Asked {
    const taken: StoredMessage[] = [];
    const end = this.#options.engine.batch(sequence, batchBytesMax, (message) => taken.push(message));
    return { taken, end };
  }

  async #pull(): Promise<void> {
    const { engine, counts } = this.#options;
    const { taken, end: ending } = this.#asked ?? this.#ask(this.sequence + 1);
    const end = await ending;
    this.#asked = undefined;
    if (this.#isStopped) return;
    this.#askedAtMs = this.#clock.nowMs();
    if (end !== 'silent') this.heardAtMs = this.#askedAtMs;
    const [first] = taken;
    if (first !== undefined && first.sequence > this.sequence + 1) return this.#lookAtHole();
    // While this one is stored, the next one comes: far behind, a node takes what its own processor allows. A batch costs a server a sixth
    // to a tenth of what it costs the node, so the writer beside has the rest.
    const last = taken.at(-1);
    if (end === 'more' && last !== undefined) this.#asked = this.#ask(last.sequence + 1);
    await this.#apply(taken, 'batch', end === 'more');
    if (end === 'silent') {
      count(counts.follows, 'silent_replica');
      if (++this.#silences % silencesMax === 0) engine.hop();
      return this.#sleep(silentMs);
    }
    this.#silences = 0;
    if (end === 'more' || taken.length > 0) return;
    if (this.behind > 0) await this.#missing();
    else await this.#lookAtEnd();
  }

  /** There is more, and the replica that answered does not have it. */
  async #missing(): Promise<void> {
    const { engine, counts } = this.#options;
    count(counts.follows, 'empty_replica');
    if (++this.#empties % emptiesMax !== 0) return this.#sleep(emptyMs);
    const message = await engine.message(this.sequence + 1);
    if (message === null) await this.#lookAtAbsent();
    else if (message !== undefined) return this.#apply([message], 'leader');
    await this.#sleep(silentMs);
  }

  /** The end of the stream, as far as the replica that answered knows it. */
  async #lookAtEnd(): Promise<void> {
    const isDue = this.#clock.nowMs() - this.#leaderAtMs >= leaderPollMs;
    if (!this.isCaughtUp || isDue || this.#shortSinceMs !== undefined) await this.#askEnd();
    if (!this.isCaughtUp) await this.#rest(silentMs);
  }

  async #askEnd(): Promise<StreamState | undefined> {
    const state = await this.#options.engine.state();
    if (state === undefined || this.#isStopped) return undefined;
    const nowMs = this.#clock.nowMs();
    this.heardAtMs = this.#leaderAtMs = nowMs;
    this.clockSkewMs = Date.now() - state.timeMs;
    if (state.lastSequence < this.sequence) {
      count(this.#options.counts.follows, 'short_stream');
      this.#shortSinceMs ??= nowMs;
      this.isCaughtUp = false;
      if (nowMs - this.#shortSinceMs < shortAfterMs) return state;
      throw forked(`the stream ends at message ${state.lastSequence}, and this node has ${this.sequence}`);
    }
    this.#shortSinceMs = undefined;
    this.#known = state.lastSequence;
    if (state.lastSequence === this.sequence) this.isCaughtUp = true;
    return state;
  }

  /** A batch began beyond the next message: is it gone, or missing? */
  async #lookAtHole(): Promise<void> {
    const { engine, counts } = this.#options;
    const next = this.sequence + 1;
    this.#gatherer.flush();
    count(counts.follows, 'hole');
    const message = await engine.message(next);
    if (message !== null && message !== undefined) return this.#apply([message], 'leader');
    if (message === null) await this.#lookAtAbsent();
    await this.#sleep(silentMs);
  }

  /** The leader does not have the next message: is it gone, missing, or only said to be there? */
  async #lookAtAbsent(): Promise<void> {
    const next = this.sequence + 1;
    const state = await this.#askEnd();
    if (state === undefined) return;
    // Not the first one of some time ago: after a restart of the servers it can be an earlier one again.
    if (state.firstSequence > next) throw tooOld(next, state.firstSequence);
    if (state.lastSequence >= next && ++this.#holes >= holesMax) throw hole(next);
  }

  /**
   * Messages in order; what does not go on where this node is ends it.
   * @param goesOn more comes at once, so that blocks may wait for others.
   */
  async #apply(messages: readonly StoredMessage[], how: FollowNote, goesOn = false): Promise<void> {
    const { counts } = this.#options;
    for (const message of messages) {
      if (message.sequence <= this.sequence) {
        count(counts.follows, 'again');
        continue;
      }
      if (message.sequence > this.sequence + 1) break;
      const read = this.#read(message) ?? (await this.#readFromLeader(message.sequence));
      if (this.#isStopped) return;
      const blocks = this.#missingOf(message.sequence, read);
      count(counts.follows, how);
      this.sequence = message.sequence;
      this.#known = Math.max(this.#known, message.sequence);
      this.newestId = message.id;
      this.#empties = this.#holes = 0;
      for (const block of blocks) {
        this.#lastTimeUs = block.index.lastTimeUs;
        this.#gatherer.add(block);
      }
    }
    if (!goesOn) this.#gatherer.flush();
  }

  /** Blocks of the next message that the log does not have: one that was ended in the middle of it has the first ones. */
  #missingOf(sequence: number, { blocks, previousUs }: ReadBlocks): readonly Block[] {
    const endUs = this.#lastTimeUs;
    const had = blocks.findIndex(({ index }) => index.lastTimeUs === endUs) + 1;
    if (had > 0 && had < blocks.length) return blocks.slice(had);
    const follows = previousUs === 0 || endUs === 0 || previousUs === endUs;
    if (had === 0 && follows && blocks[0].index.firstTimeUs > endUs) return blocks;
    throw forked(
      `message ${sequence} of the stream follows ${previousUs}, and the log of this node ends at ${endUs}`,
    );
  }

  /** Undefined when it is damaged. */
  #read(message: StoredMessage): ReadBlocks | undefined {
    try {
      return this.#readOrThrow(message);
    } catch {
      return undefined;
    }
  }

  #readOrThrow(message: StoredMessage): ReadBlocks {
    const { streamId, compressor } = this.#options;
    return readMessage(message, streamId, compressor, this.#scratch);
  }

  /** What a replica or a doorbell had was damaged. */
  async #readFromLeader(sequence: number): Promise<ReadBlocks> {
    for (;;) {
      const message = await this.#options.engine.message(sequence);
      if (message === null) throw hole(sequence);
      if (message !== undefined) {
        const read = this.#readOrThrow(message);
        count(this.#options.counts.follows, 'repaired');
        return read;
      }
      await this.#sleep(silentMs);
      if (this.#isStopped) throw hole(sequence);
    }
  }
}

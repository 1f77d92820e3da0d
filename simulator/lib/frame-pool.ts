// Load mode: a fixed set of frames sent over and over, each time stamped with a new sequence, revision and time. Any
// sequence of the past can be written again, so the backlog is endless and costs nothing. It is also the oracle: from
// a sequence alone it says which events its frame leads to. Served by the relay server.

import { CodedError } from '../../lib/errors.ts';
import type { FrameSource } from './frame-source.ts';
import { FrameTemplate } from './frame-template.ts';
import type { SyntheticNetwork } from './network.ts';
import { PublishTimes } from './publish-times.ts';
import { defaultFirstSeq, SequencePlan } from './sequence-plan.ts';
import { type ExpectedFrame, eventsOf, readSyntheticFrame, type SyntheticFrame } from './synthetic-frame.ts';

/** How a pool numbers and dates its frames. */
export interface FramePoolOptions {
  /** Sequence of the first frame. Default {@link defaultFirstSeq}. */
  readonly firstSeq?: number;
  /** Milliseconds for the `time` of frames, read as they are published. Default: the wall clock. */
  readonly nowMs?: () => number;
  /** Frames that can be read back by cursor. Default: all. */
  readonly backlogFrames?: number;
}

/** Frames to stamp. The frame of a sequence is always the same one: that at `seq` modulo the size of the pool. */
export class FramePool implements FrameSource {
  readonly length = Number.POSITIVE_INFINITY;
  readonly #frames: readonly ExpectedFrame[];
  readonly #templates: readonly FrameTemplate[];
  /** Events of the frames before each, and of all: one entry more than frames. */
  readonly #eventsBefore: readonly number[];
  readonly #plan: SequencePlan;
  readonly #nowMs: () => number;
  readonly #backlogFrames: number;
  readonly #published = new PublishTimes();
  readonly #time = Buffer.alloc(24);
  #timeMs = Number.NaN;
  #prepared = 0;

  private constructor(frames: readonly SyntheticFrame[], options: FramePoolOptions) {
    if (frames.length === 0) {
      throw new CodedError('SIMULATOR_POOL_EMPTY', 'a frame pool needs at least one frame');
    }
    this.#templates = frames.map((frame) => new FrameTemplate(frame.bytes));
    this.#frames = frames.map(({ kind, did, rev, ops }) => ({ kind, did, rev, ops }));
    const before = [0];
    for (const frame of frames) {
      before.push(before[before.length - 1] + eventsOf(frame));
    }
    this.#eventsBefore = before;
    this.#plan = new SequencePlan(options.firstSeq ?? defaultFirstSeq);
    this.#nowMs = options.nowMs ?? Date.now;
    this.#backlogFrames = options.backlogFrames ?? Number.POSITIVE_INFINITY;
  }

  /** A pool of the network's next frames; about a millisecond of work for each. */
  static async generate(
    network: SyntheticNetwork,
    frames = 2000,
    options: FramePoolOptions = {},
  ): Promise<FramePool> {
    const made: SyntheticFrame[] = [];
    for (let i = 0; i < frames; i++) {
      made.push(await network.next());
    }
    return new FramePool(made, options);
  }

  /**
   * A pool of frames from elsewhere, a file for example. Frames without a sequence (`#info`, errors) cannot be in it.
   * @throws CodedError `SIMULATOR_FRAME_INVALID`, `SIMULATOR_POOL_EMPTY`.
   */
  static fromFrames(frames: Iterable<Uint8Array>, options: FramePoolOptions = {}): FramePool {
    return new FramePool(Array.from(frames, readSyntheticFrame), options);
  }

  /** Frames in the pool. */
  get size(): number {
    return this.#frames.length;
  }

  /** Events that one round through the pool leads to. */
  get eventsPerRound(): number {
    return this.#eventsBefore[this.#frames.length];
  }

  /** What the frame of a sequence leads to. Its `rev` is not the stamped one: see {@link stampedRev}. */
  expectedAt(seq: number): ExpectedFrame {
    return this.#frames[seq % this.#frames.length];
  }

  /**
   * Number of the first event of a sequence's frame when all events of all sequences from 0 on are numbered in order;
   * the difference of two is the count of events between them. O(1).
   */
  firstEventOf(seq: number): number {
    const index = seq % this.#frames.length;
    return ((seq - index) / this.#frames.length) * this.eventsPerRound + this.#eventsBefore[index];
  }

  get firstPosition(): number {
    return Math.max(0, this.#prepared - this.#backlogFrames);
  }

  prepare(end: number): undefined {
    if (end <= this.#prepared) return;
    this.#published.note(this.#prepared, this.#nowMs());
    this.#prepared = end;
  }

  seqAt(position: number): number {
    return this.#plan.seqAt(position);
  }

  positionAfter(cursor: number, end: number): number {
    return Math.max(this.#plan.positionAfter(cursor, end), this.firstPosition);
  }

  bytesAt(position: number): number {
    const seq = this.#plan.seqAt(position);
    return this.#templates[seq % this.#templates.length].bytesFor(seq);
  }

  writeAt(position: number, out: Buffer, offset: number): void {
    const seq = this.#plan.seqAt(position);
    const timeMs = this.#published.at(position) ?? this.#nowMs();
    if (timeMs !== this.#timeMs) {
      this.#timeMs = timeMs;
      this.#time.write(new Date(timeMs).toISOString(), 'latin1');
    }
    const template = this.#templates[seq % this.#templates.length];
    template.write(seq, this.#plan.epochAt(position), this.#time, out, offset);
  }

  jumpTo(position: number, seq: number): void {
    this.#plan.jumpTo(position, seq);
  }

  restartAt(position: number, seq: number): void {
    this.#plan.restartAt(position, seq);
  }
}

// Serves a network that is generated while it is read: each frame is made when it is about to be published and kept in
// a history of bounded size, as a relay does. About a thousand frames a second; for more there is the frame pool.

import type { ChosenAct } from './chosen-act.ts';
import type { FrameSource } from './frame-source.ts';
import type { SyntheticNetwork } from './network.ts';
import { defaultFirstSeq, SequencePlan } from './sequence-plan.ts';
import type { SyntheticFrame } from './synthetic-frame.ts';

/** How frames are numbered, and how many are kept. */
export interface NetworkHistoryOptions {
  /** Sequence of the first frame. Default {@link defaultFirstSeq}. */
  readonly firstSeq?: number;
  /** Bytes of the frames kept for readers that come back. Default 256 MiB: 80,000 frames of 3 KB. */
  readonly historyBytesMax?: number;
}

const defaultHistoryBytesMax = 256 * 1024 * 1024;

/** The recent frames of a live network. */
export class NetworkHistory implements FrameSource {
  readonly length = Number.POSITIVE_INFINITY;
  readonly #network: SyntheticNetwork;
  readonly #plan: SequencePlan;
  readonly #bytesMax: number;
  /** Frames by position; those below `#first` are dropped. */
  readonly #frames = new Map<number, Uint8Array>();
  #first = 0;
  #end = 0;
  #bytes = 0;
  #generating: Promise<void> = Promise.resolve();

  /** @param network used by nobody else from now on. */
  constructor(network: SyntheticNetwork, options: NetworkHistoryOptions = {}) {
    this.#network = network;
    this.#plan = new SequencePlan(options.firstSeq ?? defaultFirstSeq);
    this.#bytesMax = options.historyBytesMax ?? defaultHistoryBytesMax;
  }

  get firstPosition(): number {
    return this.#first;
  }

  /** Bytes of the frames that are kept. */
  get bytes(): number {
    return this.#bytes;
  }

  /**
   * Has the next frame that is made be this; `made` is told of it. It has yet to be published.
   * @throws CodedError as {@link SyntheticNetwork.choose}.
   */
  choose(act: ChosenAct, made: (frame: SyntheticFrame) => void): Promise<void> {
    const chosen = this.#generating.then(() => this.#network.choose(act, made));
    this.#generating = chosen.catch(() => {});
    return chosen;
  }

  prepare(end: number): Promise<void> | undefined {
    if (end <= this.#end) {
      return undefined;
    }
    this.#generating = this.#generating.then(() => this.#generate(end));
    return this.#generating;
  }

  seqAt(position: number): number {
    return this.#plan.seqAt(position);
  }

  positionAfter(cursor: number, end: number): number {
    return Math.max(this.#plan.positionAfter(cursor, end), this.#first);
  }

  bytesAt(position: number): number {
    return this.#frames.get(position)?.length ?? 0;
  }

  writeAt(position: number, out: Buffer, offset: number): void {
    const frame = this.#frames.get(position);
    if (frame !== undefined) {
      out.set(frame, offset);
    }
  }

  jumpTo(position: number, seq: number): void {
    this.#plan.jumpTo(position, seq);
  }

  restartAt(position: number, seq: number): void {
    this.#plan.restartAt(position, seq);
  }

  async #generate(end: number): Promise<void> {
    while (this.#end < end) {
      const { bytes } = await this.#network.next(this.#plan.seqAt(this.#end));
      this.#frames.set(this.#end++, bytes);
      this.#bytes += bytes.length;
      while (this.#bytes > this.#bytesMax && this.#first < this.#end - 1) {
        this.#bytes -= this.bytesAt(this.#first);
        this.#frames.delete(this.#first++);
      }
    }
  }
}

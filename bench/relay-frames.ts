// The frames that the simulated relay sends in a benchmark: made once, kept in a file, sent over and over with new
// sequences by however many relays. It also knows how many events any stretch of them leads to, and how many of those
// a filter lets through, so that nobody has to guess when a server is done.

import { join } from 'node:path';
import { FramePool } from '../simulator/lib/frame-pool.ts';
import { readFrames, writeFrames } from '../simulator/lib/frames-file.ts';
import { type NetworkOptions, SyntheticNetwork } from '../simulator/lib/network.ts';
import { defaultFirstSeq } from '../simulator/lib/sequence-plan.ts';
import type { ExpectedFrame } from '../simulator/lib/synthetic-frame.ts';

/** Cursor before the first frame of a relay. */
export const startCursor = defaultFirstSeq - 1;

/** The first wire and the baseline have no sync events: what is stored is then what is counted. */
const shares = { sync: 0 };

/** What a network of frames is made from. */
export interface FrameOptions extends Pick<NetworkOptions, 'accounts' | 'historyRecords' | 'mix'> {
  readonly frames: number;
}

/** See the file comment. */
export class RelayFrames {
  readonly path: string;
  readonly pool: FramePool;

  private constructor(path: string, pool: FramePool) {
    this.path = path;
    this.pool = pool;
  }

  /** Makes frames, the same ones for the same options, and puts them into a file in `directory`. */
  static async make(directory: string, { frames, ...network }: FrameOptions): Promise<RelayFrames> {
    const path = join(directory, `frames-${frames}.bin`);
    await writeFrames(path, framesOf(new SyntheticNetwork({ seed: 'bench', shares, ...network }), frames));
    return new RelayFrames(path, FramePool.fromFrames(await readFrames(path)));
  }

  /** Every frame once. */
  *once(): Generator<ExpectedFrame> {
    for (let at = 0; at < this.pool.size; at++) yield this.pool.expectedAt(at);
  }

  /** Events of a relay's first `frames` frames. */
  eventsOf(frames: number): number {
    return this.pool.firstEventOf(defaultFirstSeq + frames) - this.pool.firstEventOf(defaultFirstSeq);
  }

  /** Bytes of a relay's first `frames` frames. */
  bytesOf(frames: number): number {
    let bytes = 0;
    for (let at = 0; at < frames; at++) bytes += this.pool.bytesAt(at);
    return bytes;
  }

  /** How many frames lead to about that many events. */
  framesFor(events: number): number {
    return events === 0 ? 0 : Math.max(1, Math.round((events * this.pool.size) / this.pool.eventsPerRound));
  }

  /** Events among a relay's first `frames` frames that `matching` counts in each. */
  countOf(frames: number, matching: (frame: ExpectedFrame) => number): number {
    let events = 0;
    for (let at = 0; at < frames; at++) events += matching(this.pool.expectedAt(defaultFirstSeq + at));
    return events;
  }
}

async function* framesOf(network: SyntheticNetwork, count: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < count; at++) yield (await network.next()).bytes;
}

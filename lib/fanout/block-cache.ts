// What an encoding has made of blocks of late, so that readers of the same blocks share it, live and in replays. It knows
// blocks by the events in them: what is read from the log twice is not the same object. Owned by the encodings that cost most.

import type { BlockIndex } from '../log/block.ts';
import type { Messages } from './encodings.ts';

/**
 * Events of a block from which on it counts as one that is replayed. What is published at the network's rate is of a few events; it is
 * compacted soon, and kept only for those who read it before that.
 */
const replayedEventsMin = 64;
/** Bytes of the messages of small blocks that are kept: some seconds of the network. */
const smallBytesMax = 1024 * 1024;
/** Small blocks that are kept, because a block may be of one event. */
const smallBlocksMax = 1024;
/** How long they are kept after the last replay has had one made. */
const idleMs = 60_000;

/** Keeps the blocks that were asked for last. */
export class BlockCache {
  readonly #make: (index: BlockIndex, stored: Uint8Array) => Messages;
  readonly #small = new KeptBlocks(smallBytesMax, smallBlocksMax);
  readonly #replayed: KeptBlocks;
  #idle: NodeJS.Timeout | undefined;

  /** @param replayedBytesMax of messages of blocks that are replayed. */
  constructor(make: (index: BlockIndex, stored: Uint8Array) => Messages, replayedBytesMax: number) {
    this.#make = make;
    this.#replayed = new KeptBlocks(replayedBytesMax, Number.POSITIVE_INFINITY);
  }

  /** The messages of a block, made of the stored ones unless they are there. */
  get(index: BlockIndex, stored: Uint8Array): Messages {
    const { count, timeUs } = index;
    // `time_us` is unique: with as many events between the same two it is the same block.
    const key = `${timeUs[0]} ${timeUs[count - 1]} ${count}`;
    const kept = count < replayedEventsMin ? this.#small : this.#replayed;
    const known = kept.get(key);
    if (known !== undefined) return known;
    if (this.#idle === undefined) this.#idle = setTimeout(() => this.#clear(), idleMs).unref();
    else if (kept === this.#replayed) this.#idle.refresh();
    const messages = this.#make(index, stored);
    kept.add(key, messages);
    return messages;
  }

  #clear(): void {
    this.#small.clear();
    this.#replayed.clear();
    this.#idle = undefined;
  }
}

/** Messages by the key of their block, those that were asked for last. */
class KeptBlocks {
  readonly #bytesMax: number;
  readonly #blocksMax: number;
  readonly #kept = new Map<string, Messages>();
  #bytes = 0;

  constructor(bytesMax: number, blocksMax: number) {
    this.#bytesMax = bytesMax;
    this.#blocksMax = blocksMax;
  }

  get(key: string): Messages | undefined {
    const known = this.#kept.get(key);
    if (known === undefined) return undefined;
    this.#kept.delete(key);
    this.#kept.set(key, known);
    return known;
  }

  add(key: string, messages: Messages): void {
    this.#kept.set(key, messages);
    this.#bytes += messages.bytes.length;
    for (const [oldest, { bytes }] of this.#kept) {
      if (this.#bytes <= this.#bytesMax && this.#kept.size <= this.#blocksMax) return;
      this.#kept.delete(oldest);
      this.#bytes -= bytes.length;
    }
  }

  clear(): void {
    this.#kept.clear();
    this.#bytes = 0;
  }
}

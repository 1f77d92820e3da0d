// What an encoding has made of blocks of late, so that readers of the same blocks share it, live and in replays. It knows
// blocks by the events in them: what is read from the log twice is not the same object. Owned by the encodings that cost most.

import type { BlockIndex } from '../log/block.ts';
import type { Messages } from './encodings.ts';

/** Bytes of messages that are kept, of one encoding in one thread: thirty full blocks, which readers side by side are apart. */
const keptBytesMax = 8 * 1024 * 1024;
/** Blocks that are kept, because a block may be of one event. */
const keptBlocksMax = 1024;
/** How long they are kept after the last one was asked for. */
const idleMs = 60_000;

/** Keeps the blocks that were asked for last. */
export class BlockCache {
  readonly #make: (index: BlockIndex, stored: Uint8Array) => Messages;
  readonly #kept = new Map<string, Messages>();
  #keptBytes = 0;
  #idle: NodeJS.Timeout | undefined;

  constructor(make: (index: BlockIndex, stored: Uint8Array) => Messages) {
    this.#make = make;
  }

  /** The messages of a block, made of the stored ones unless they are there. */
  get(index: BlockIndex, stored: Uint8Array): Messages {
    const { count, timeUs } = index;
    // `time_us` is unique: with as many events between the same two it is the same block.
    const key = `${timeUs[0]} ${timeUs[count - 1]} ${count}`;
    const known = this.#kept.get(key);
    if (known !== undefined) {
      this.#kept.delete(key);
      this.#kept.set(key, known);
      return known;
    }
    const messages = this.#make(index, stored);
    this.#keep(key, messages);
    return messages;
  }

  #keep(key: string, messages: Messages): void {
    if (this.#idle === undefined) this.#idle = setTimeout(() => this.#clear(), idleMs).unref();
    else this.#idle.refresh();
    this.#kept.set(key, messages);
    this.#keptBytes += messages.bytes.length;
    for (const [oldest, { bytes }] of this.#kept) {
      if (this.#keptBytes <= keptBytesMax && this.#kept.size <= keptBlocksMax) return;
      this.#kept.delete(oldest);
      this.#keptBytes -= bytes.length;
    }
  }

  #clear(): void {
    this.#kept.clear();
    this.#keptBytes = 0;
    this.#idle = undefined;
  }
}

// What an encoding has made of blocks of late, so that readers of the same blocks share it, live and in replays. It knows
// blocks by the events in them: what is read from the log twice is not the same object. Owned by the encodings that cost most.

import type { BlockIndex } from '../log/block.ts';
import { SpareMemory } from '../spare-memory.ts';
import type { Messages } from './encodings.ts';

/**
 * Events of a block from which on it counts as one that is replayed. What is published at the network's rate is of a few events; it is
 * compacted soon, and kept only for those who read it before that.
 */
export const replayedEventsMin = 64;
/** Bytes of the messages of small blocks that are kept: some seconds of the network. */
const smallBytesMax = 1024 * 1024;
/** Small blocks that are kept, because a block may be of one event. */
const smallBlocksMax = 1024;
/**
 * Of the bytes of blocks that are replayed, the part that is kept until a block is asked for that was dropped: who replays alone reads
 * nothing twice, and writes into memory that the processor's caches have.
 */
const aloneShare = 1 / 16;
/** Blocks that were dropped and are remembered by name: as many as are kept for several readers, and more. */
const droppedMax = 512;
/** How long they are kept after the last replay has had one made. */
const idleMs = 60_000;

/** Makes the messages of a block. @param take gives memory for them, to be called once. */
export type MakeMessages = (
  index: BlockIndex,
  stored: Uint8Array,
  take: (bytes: number) => Buffer,
) => Messages;

/** Keeps the blocks that were asked for last. */
export class BlockCache {
  readonly #make: MakeMessages;
  readonly #small: KeptBlocks;
  readonly #replayed: KeptBlocks;
  #idle: NodeJS.Timeout | undefined;

  /** @param replayedBytesMax of messages of blocks that are replayed. */
  constructor(make: MakeMessages, replayedBytesMax: number) {
    this.#make = make;
    this.#small = new KeptBlocks(smallBytesMax, smallBytesMax, smallBlocksMax);
    this.#replayed = new KeptBlocks(
      replayedBytesMax,
      replayedBytesMax * aloneShare,
      Number.POSITIVE_INFINITY,
      new SpareMemory(),
    );
  }

  /**
   * The messages of a block, made of the stored ones unless they are there. @param isBrief as of `Encoding.recode`.
   */
  get(index: BlockIndex, stored: Uint8Array, isBrief = false): Messages {
    const known = this.known(index, isBrief);
    if (known !== undefined) return known;
    const kept = this.#keptOf(index);
    if (this.#idle === undefined) this.#idle = setTimeout(() => this.#clear(), idleMs).unref();
    else if (kept === this.#replayed) this.#idle.refresh();
    return kept.add(keyOf(index), isBrief, (take) => this.#make(index, stored, take));
  }

  /** The same if they are there. */
  known(index: BlockIndex, isBrief = false): Messages | undefined {
    return this.#keptOf(index).get(keyOf(index), isBrief);
  }

  #keptOf({ count }: BlockIndex): KeptBlocks {
    return count < replayedEventsMin ? this.#small : this.#replayed;
  }

  #clear(): void {
    this.#small.clear();
    this.#replayed.clear();
    this.#idle = undefined;
  }
}

/** `time_us` is unique: with as many events between the same two it is the same block. */
function keyOf({ count, timeUs }: BlockIndex): string {
  return `${timeUs[0]} ${timeUs[count - 1]} ${count}`;
}

const nothing = Buffer.alloc(0);

/** A block's messages, and the memory that they are in. */
interface Kept extends Messages {
  readonly memory: Buffer;
  isHeld: boolean;
}

/** Messages by the key of their block, those that were asked for last. */
class KeptBlocks {
  readonly #bytesMost: number;
  readonly #bytesAlone: number;
  readonly #blocksMax: number;
  readonly #spare: SpareMemory | undefined;
  readonly #kept = new Map<string, Kept>();
  /** Blocks that were dropped for want of room. */
  readonly #dropped = new Set<string>();
  #bytesMax: number;
  #bytes = 0;

  /** @param bytesAlone while nothing is asked for again. @param spare absent: what is dropped is left to the garbage collector. */
  constructor(bytesMost: number, bytesAlone: number, blocksMax: number, spare?: SpareMemory) {
    this.#bytesMost = bytesMost;
    this.#bytesAlone = bytesAlone;
    this.#bytesMax = bytesAlone;
    this.#blocksMax = blocksMax;
    this.#spare = spare;
  }

  get(key: string, isBrief: boolean): Messages | undefined {
    const known = this.#kept.get(key);
    if (known === undefined) return undefined;
    this.#kept.delete(key);
    this.#kept.set(key, known);
    if (!isBrief) known.isHeld = true;
    return known;
  }

  add(key: string, isBrief: boolean, make: (take: (bytes: number) => Buffer) => Messages): Messages {
    if (this.#dropped.delete(key)) this.#bytesMax = this.#bytesMost;
    let memory: Buffer = nothing;
    const { bytes, ends } = make((count) => {
      this.#makeRoom(count);
      memory = this.#spare?.take(count) ?? Buffer.allocUnsafeSlow(count);
      return memory;
    });
    const kept: Kept = { bytes, ends, memory, isHeld: !isBrief };
    if (memory.length > this.#bytesMost) return kept;
    this.#kept.set(key, kept);
    this.#bytes += memory.length;
    return kept;
  }

  clear(): void {
    this.#kept.clear();
    this.#dropped.clear();
    this.#spare?.clear();
    this.#bytes = 0;
    this.#bytesMax = this.#bytesAlone;
  }

  /** Drops what was not asked for the longest, so that there is room for one of so many bytes. */
  #makeRoom(bytes: number): void {
    for (const [key, { memory, isHeld }] of this.#kept) {
      if (this.#bytes + bytes <= this.#bytesMax && this.#kept.size < this.#blocksMax) return;
      this.#kept.delete(key);
      this.#bytes -= memory.length;
      if (!isHeld) this.#spare?.give(memory);
      this.#remember(key);
    }
  }

  #remember(key: string): void {
    if (this.#spare === undefined) return;
    this.#dropped.add(key);
    if (this.#dropped.size <= droppedMax) return;
    for (const oldest of this.#dropped) {
      this.#dropped.delete(oldest);
      return;
    }
  }
}

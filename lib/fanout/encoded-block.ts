// A block's frames in an encoding: the stored copy, or what the encoding makes of it. What is made of the newest block is
// kept, because everyone who is live gets it. Used by round.ts and subscriber.ts.

import type { Block } from '../log/block.ts';
import type { BlockIndex } from '../log/block-index.ts';
import type { Encoding, Frames } from './transport.ts';

/** @param stored the frames of `encoding.stored`. */
export function encode(encoding: Encoding, index: BlockIndex, stored: Uint8Array): Frames {
  if (encoding.recode !== undefined) return encoding.recode(index, stored);
  return { frames: stored, ends: encoding.stored === 'json' ? index.jsonEnd : index.zstdEnd };
}

/** See the file comment. */
export class NewestBlock {
  #block: Block | undefined;
  /** By the name of the encoding. */
  readonly #made = new Map<string, Frames>();

  /** From now on what is made of this block is kept. */
  set(block: Block): void {
    this.#block = block;
    this.#made.clear();
  }

  /** The frames of any block. */
  encode(block: Block, encoding: Encoding): Frames {
    const made = block === this.#block ? this.#made.get(encoding.name) : undefined;
    if (made !== undefined) return made;
    const frames = encode(encoding, block.index, encoding.stored === 'json' ? block.json : block.zstd);
    if (block === this.#block) this.#made.set(encoding.name, frames);
    return frames;
  }
}

// A block's messages in an encoding: the stored copy, or what the encoding makes of it. What is made of the newest block is
// kept, because everyone who is live gets it. Used by publish-batch.ts and subscriber.ts.

import type { Block, BlockIndex } from '../log/block.ts';
import type { Encoding, Messages } from './transport.ts';

/** @param stored the messages of `encoding.stored`. */
export function encode(encoding: Encoding, index: BlockIndex, stored: Uint8Array): Messages {
  if (encoding.recode !== undefined) return encoding.recode(index, stored);
  return { messages: stored, ends: encoding.stored === 'json' ? index.jsonEnd : index.zstdEnd };
}

/** See the file comment. */
export class NewestBlock {
  #block: Block | undefined;
  /** By the name of the encoding. */
  readonly #made = new Map<string, Messages>();

  /** From now on what is made of this block is kept. */
  set(block: Block): void {
    this.#block = block;
    this.#made.clear();
  }

  /** The messages of any block. */
  encode(block: Block, encoding: Encoding): Messages {
    const made = block === this.#block ? this.#made.get(encoding.name) : undefined;
    if (made !== undefined) return made;
    const messages = encode(encoding, block.index, encoding.stored === 'json' ? block.json : block.zstd);
    if (block === this.#block) this.#made.set(encoding.name, messages);
    return messages;
  }
}

// The forms in which events can be sent, and a block's messages in one of them: the stored copy, or what the encoding
// makes of it. What is made of the newest block is kept, because all live subscribers get it. It compresses nothing:
// dictionary-encoding.ts does. Used by publication.ts and subscriber.ts.

import type { Block, BlockIndex } from '../log/block.ts';

/** Messages of consecutive events, and where each of them ends. */
export interface Messages {
  readonly bytes: Uint8Array;
  readonly ends: Uint32Array;
}

/** The form in which a subscriber receives events. */
export interface Encoding {
  /** Unique: subscribers share bytes when this and their filter are equal. */
  readonly name: string;
  /** The stored copy that it is made from. */
  readonly stored: 'json' | 'zstd';
  /** Present when what is sent is zstd: counted apart. */
  readonly compressed?: true;
  /**
   * Makes other messages, one for each event, of the stored ones; absent: those are sent as they are. Called once for the
   * newest block, however many receive it, and once for each block that a replay reads. Must not throw.
   */
  readonly recode?: (index: BlockIndex, stored: Uint8Array) => Messages;
  /** Makes a message of what the server says beside events, where that is to have the form of events; absent: text. */
  readonly message?: (text: string) => Buffer;
}

/** The stored copies as they are. */
export const encodings: Readonly<Record<'json' | 'zstd', Encoding>> = {
  json: { name: 'json', stored: 'json' },
  zstd: { name: 'zstd', stored: 'zstd', compressed: true },
};

/** @param stored the messages of `encoding.stored`. */
export function encode(encoding: Encoding, index: BlockIndex, stored: Uint8Array): Messages {
  if (encoding.recode !== undefined) return encoding.recode(index, stored);
  return { bytes: stored, ends: encoding.stored === 'json' ? index.jsonEnd : index.zstdEnd };
}

/** See the file comment. */
export class NewestBlock {
  #block: Block | undefined;
  /** By the name of the encoding. */
  readonly #encoded = new Map<string, Messages>();

  /** From now on what is made of this block is kept. */
  set(block: Block): void {
    this.#block = block;
    this.#encoded.clear();
  }

  /** The messages of any block. */
  encode(block: Block, encoding: Encoding): Messages {
    const kept = block === this.#block ? this.#encoded.get(encoding.name) : undefined;
    if (kept !== undefined) return kept;
    const messages = encode(encoding, block.index, encoding.stored === 'json' ? block.json : block.zstd);
    if (block === this.#block) this.#encoded.set(encoding.name, messages);
    return messages;
  }
}

// The forms in which events can be sent, and a block's messages in one of them: the stored copy, or what the encoding
// makes of it. What is made of the newest block is kept, because all live subscribers get it. It compresses nothing:
// dictionary-encoding.ts does. Used by publication.ts and subscriber.ts.

import type { Block, BlockIndex, BlockSlice } from '../log/block.ts';
import type { SliceEncoding } from '../log/event-log.ts';
import { jsonOfPacked, unpackJson } from '../log/packed-slice.ts';
import { SpareMemory } from '../spare-memory.ts';

/** Messages of consecutive events, and where each of them ends. */
export interface Messages {
  readonly bytes: Uint8Array;
  readonly ends: Uint32Array;
  /**
   * False: whoever asked for them may use `bytes` until others are made; then their memory may be used for those. Set to true by who
   * has them longer.
   */
  isHeld?: boolean;
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
   * newest block, however many receive it, and once for each block that a replay reads. Must not throw, nor keep `stored`.
   * @param isBrief the caller is through with them before it asks for others or returns to the event loop, or sets `isHeld`.
   */
  readonly recode?: (index: BlockIndex, stored: Uint8Array, isBrief?: boolean) => Messages;
  /** The same, if it is there already: then nothing has to be unpacked for it. */
  readonly known?: (index: BlockIndex, isBrief?: boolean) => Messages | undefined;
  /** Makes a message of what the server says beside events, where that is to have the form of events; absent: text. */
  readonly message?: (text: string) => Buffer;
}

/** The stored copies as they are. */
export const encodings: Readonly<Record<'json' | 'zstd', Encoding>> = {
  json: { name: 'json', stored: 'json' },
  zstd: { name: 'zstd', stored: 'zstd', compressed: true },
};

/** @param stored the messages of `encoding.stored`. @param isBrief as of {@link Encoding.recode}. */
function encode(encoding: Encoding, index: BlockIndex, stored: Uint8Array, isBrief: boolean): Messages {
  if (encoding.recode !== undefined) return encoding.recode(index, stored, isBrief);
  return { bytes: stored, ends: encoding.stored === 'json' ? index.jsonEnd : index.zstdEnd };
}

/** What to ask the log for. */
export function wantedOf({ stored }: Encoding): SliceEncoding {
  return stored === 'json' ? 'packed' : stored;
}

/** Memory of stored JSON that was unpacked to be sent as it is. */
const unpacked = new SpareMemory();
const nothing: Buffer = Buffer.alloc(0);

/** Stored JSON, unpacked. */
class UnpackedMessages implements Messages {
  readonly bytes: Uint8Array;
  readonly ends: Uint32Array;
  readonly memory: Buffer;
  isHeld = false;

  constructor(stored: Uint8Array, index: BlockIndex) {
    let memory: Buffer = nothing;
    this.bytes = unpackJson(stored, index, (bytes) => {
      memory = unpacked.take(bytes);
      return memory;
    });
    this.ends = index.jsonEnd;
    this.memory = memory;
  }
}

/**
 * The messages of what was read, as {@link wantedOf} says; brief, as of {@link Encoding.recode}, and to be handed to {@link release}.
 * @throws CodedError `LOG_CORRUPT`.
 */
export function encodeSlice(encoding: Encoding, slice: BlockSlice): Messages {
  const { index, messages, isPacked } = slice;
  if (encoding.recode === undefined && isPacked) return new UnpackedMessages(messages, index);
  return encoding.known?.(index, true) ?? encode(encoding, index, jsonOfPacked(slice), true);
}

/** Nothing is asked of these messages any more, but by who holds them. */
export function release(messages: Messages): void {
  if (messages instanceof UnpackedMessages && !messages.isHeld) unpacked.give(messages.memory);
}

/** See the file comment. */
export class NewestBlock {
  #block: Block | undefined;
  /** By the name of the encoding. A new one for each block: V8 has a map that is cleared refer to what it held until a full collection. */
  #encoded = new Map<string, Messages>();

  /** From now on what is made of this block is kept. */
  set(block: Block): void {
    this.#block = block;
    this.#encoded = new Map();
  }

  /** The messages of any block: brief, as of {@link Encoding.recode}, unless it is the newest. */
  encode(block: Block, encoding: Encoding): Messages {
    const isNewest = block === this.#block;
    const kept = isNewest ? this.#encoded.get(encoding.name) : undefined;
    if (kept !== undefined) return kept;
    const stored = encoding.stored === 'json' ? block.json : block.zstd;
    const messages = encode(encoding, block.index, stored, !isNewest);
    if (isNewest) this.#encoded.set(encoding.name, messages);
    return messages;
  }
}

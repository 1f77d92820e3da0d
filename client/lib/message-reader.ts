// What came over the socket to what it says: text as it is, zstd frames decompressed, both within a bound. It owns the
// dictionary in use, and has it fetched when the caller has given none.

import { UsageError } from '../../lib/errors.ts';
import { Decompressor, type WasmSource } from './decompressor.ts';
import type { MalformedReason, Message } from './event.ts';
import type { Platform } from './platform.ts';

/** Longest message taken, in characters: a record has at most 1 MiB, and escaping makes at most six times that. */
const messageCharsMax = 8 * 1024 * 1024;

/** What a message says, with its text; empty when there is none. */
export type ReadMessage = Message & { readonly text: string };

/** See the file comment. */
export class MessageReader {
  readonly #given: Uint8Array | undefined;
  readonly #wasm: WasmSource | undefined;
  #decompressor: Decompressor | undefined;

  /** @param dictionary kept; undefined: the server's own. @param wasm of the decoder, where it does not find it by itself. */
  constructor(dictionary: Uint8Array | undefined, wasm: WasmSource | undefined) {
    this.#given = dictionary;
    this.#wasm = wasm;
  }

  /** Makes ready for zstd frames; at once when it is. @throws CodedError as `fetch` and `Decompressor.open`. */
  async prepare(fetch: () => Promise<Uint8Array>, platform: Platform): Promise<void> {
    if (this.#decompressor !== undefined) return;
    const dictionary = this.#given ?? (await fetch());
    this.#decompressor = await Decompressor.open(dictionary, this.#wasm, platform);
  }

  /** Of the dictionary in use. A server that has several has to be told: by itself it sends what every v1 client reads. */
  get dictionaryId(): number | undefined {
    return this.#decompressor?.dictionaryId;
  }

  /** The server does not have the dictionary in use. False when there is none, or it is the caller's: then there is no other. */
  forget(): boolean {
    if (this.#given !== undefined || this.#decompressor === undefined) return false;
    this.close();
    return true;
  }

  /**
   * Reads a message, its text by `readText`. Undefined: the server has changed to a dictionary that `prepare` has to get first.
   * @throws CodedError `CLIENT_WRONG_DICTIONARY` for a zstd frame made with another dictionary than the one given.
   */
  read(data: unknown, readText: (text: string) => Message): ReadMessage | undefined {
    if (typeof data === 'string') return bounded(data, readText);
    if (!(data instanceof ArrayBuffer) || this.#decompressor === undefined) return malformed('bad_frame', '');
    const content = this.#decompressor.read(new Uint8Array(data), messageCharsMax);
    if ('text' in content) return bounded(content.text, readText);
    if (content.fault === 'damaged') return malformed('bad_frame', '');
    const { dictionaryId } = this.#decompressor;
    if (this.forget()) return undefined;
    throw new UsageError(
      'CLIENT_WRONG_DICTIONARY',
      `the server compresses with another zstd dictionary than ${dictionaryId}: give that one`,
    );
  }

  /** Frees the decompressor's memory. Idempotent. */
  close(): void {
    this.#decompressor?.close();
    this.#decompressor = undefined;
  }
}

function bounded(text: string, readText: (text: string) => Message): ReadMessage {
  return text.length > messageCharsMax ? malformed('too_large', text) : { ...readText(text), text };
}

function malformed(reason: MalformedReason, text: string): ReadMessage {
  return { malformed: reason, text };
}

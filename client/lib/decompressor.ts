// zstd for a client: the server's dictionary, fetched or given, and zstd frames to text within a bound. The library is loaded
// when the first compressed stream starts, so those without compression do not pay for it. It takes 10 µs an event in
// Node 26; node:zlib, whose one-shot call reads the dictionary anew as well, takes 31 (and 85 in Node 22).

import type { WasmDecompressor } from '../../lib/codec/wasm-module.ts';
import { dictionaryMagic, readZstdHeader } from '../../lib/codec/zstd-header.ts';
import { CodedError, UsageError } from '../../lib/errors.ts';
import { printable } from '../../lib/text.ts';
import { textOf, wholeOf } from './answer.ts';
import { httpUrl } from './filter.ts';
import type { Platform } from './platform.ts';

/** Largest dictionary taken from a server, in bytes. */
const dictionaryBytesMax = 1024 * 1024;
/** Characters of why there is none: what the server sent may be in it. */
const shownCharsMax = 300;
/** Largest decoder; it has 250 KB. */
const wasmBytesMax = 16 * 1024 * 1024;

/** Where the decoder's `zstd.wasm` is, or what is in it. */
export type WasmSource = string | URL | Uint8Array<ArrayBuffer>;

/** A zstd frame as text, or why not: `other` means that it was made with another dictionary. */
export type Content = { readonly text: string } | { readonly fault: 'damaged' | 'other' };

/** See the file comment. */
export class Decompressor {
  readonly dictionaryId: number;
  readonly #zstd: WasmDecompressor;
  readonly #textDecoder = new TextDecoder();

  private constructor(dictionaryId: number, zstd: WasmDecompressor) {
    this.dictionaryId = dictionaryId;
    this.#zstd = zstd;
  }

  /** Keeps `dictionary`. @throws CodedError `CLIENT_BAD_DICTIONARY`, `CLIENT_NO_DECODER`. */
  static async open(
    dictionary: Uint8Array,
    wasm: WasmSource | undefined,
    platform: Platform,
  ): Promise<Decompressor> {
    const view = new DataView(dictionary.buffer, dictionary.byteOffset, dictionary.byteLength);
    if (dictionary.length < 8 || view.getUint32(0, true) !== dictionaryMagic) {
      const text = `${dictionary.length} bytes are not a zstd dictionary: give the one that the server compresses with`;
      throw new UsageError('CLIENT_BAD_DICTIONARY', text);
    }
    try {
      const bytes = wasm === undefined ? undefined : await wasmBytes(wasm, platform);
      const { openWasmDecompressor } = await import('../../lib/codec/wasm-module.ts');
      return new Decompressor(view.getUint32(4, true), await openWasmDecompressor(dictionary, bytes));
    } catch (cause) {
      const { message } = (cause instanceof CodedError ? (cause.cause as Error) : cause) as Error;
      const text = `the zstd decoder does not load: ${message}. In a page, serve zstd.wasm of @bokuweb/zstd-wasm and give its address as "zstdWasm", or do without "compress".`;
      throw new CodedError('CLIENT_NO_DECODER', text, { cause });
    }
  }

  /** The text of one zstd frame that has at most `bytesMax` bytes of it. Never throws. */
  read(frame: Uint8Array, bytesMax: number): Content {
    const header = readZstdHeader(frame);
    const madeWith = header?.dictionaryId ?? 0;
    // A frame that names none is read with whichever.
    if (madeWith !== 0 && madeWith !== this.dictionaryId) return { fault: 'other' };
    try {
      return { text: this.#textDecoder.decode(this.#zstd.decompress(frame, bytesMax)) };
    } catch {
      return { fault: 'damaged' };
    }
  }

  close(): void {
    this.#zstd.close();
  }
}

/** How WebAssembly begins. */
const wasmMagic = '\0asm';

/** @throws Error that names the address. */
async function wasmBytes(source: WasmSource, platform: Platform): Promise<Uint8Array<ArrayBuffer>> {
  let bytes = source;
  let name = 'what was given';
  if (!(bytes instanceof Uint8Array)) {
    name = String(source);
    const response = await platform.fetch(name, { signal: new AbortController().signal });
    if (response.status !== 200) throw new Error(`${name} answers ${response.status}`);
    bytes = await wholeOf(response, wasmBytesMax);
  }
  // The library would say nothing about it, and never be loaded.
  if (String.fromCharCode(...bytes.subarray(0, wasmMagic.length)) === wasmMagic) return bytes;
  throw new Error(`${name} is no WebAssembly`);
}

/** What the second wire's dictionary is asked for by, beside the stream. */
const v2DictionaryName = 'network.bsky.jetstream.getZstdDictionary';

/**
 * The dictionary that a server compresses with now: a Slipstream server's on the first wire, any on the second. @throws CodedError `CLIENT_NO_DICTIONARY` when the server
 * has none to offer, as v1 servers; retryable when it may have one later.
 */
export async function fetchDictionary(
  subscribeUrl: URL,
  wire: 'v1' | 'v2',
  platform: Platform,
  timeoutMs: number,
): Promise<Uint8Array> {
  const abort = new AbortController();
  const timer = platform.setTimeout(() => abort.abort(), timeoutMs);
  const get = async (lastPart: string) => {
    const url = httpUrl(subscribeUrl);
    url.pathname = url.pathname.replace(/[^/]*$/, lastPart);
    url.search = '';
    const response = await platform.fetch(url.href, { signal: abort.signal });
    if (response.status === 200) return response;
    throw noDictionary(
      `${url.href} answers ${response.status}`,
      response.status >= 500 || response.status === 429,
    );
  };
  try {
    let name = v2DictionaryName;
    if (wire === 'v1') {
      const list: unknown = JSON.parse(await textOf(await get('dictionaries')));
      const id = Array.isArray(list) ? list.find((entry) => entry?.default === true)?.id : undefined;
      if (!Number.isSafeInteger(id)) throw noDictionary('its list names none', false);
      name = `dictionaries/${id}`;
    }
    return await wholeOf(await get(name), dictionaryBytesMax);
  } catch (cause) {
    if (cause instanceof CodedError) throw cause;
    const isLasting = cause instanceof SyntaxError || cause instanceof RangeError;
    throw noDictionary(String(cause), !isLasting, cause);
  } finally {
    platform.clearTimeout(timer);
  }
}

function noDictionary(why: string, retryable: boolean, cause?: unknown): CodedError {
  return new CodedError(
    'CLIENT_NO_DICTIONARY',
    `cannot get the server's zstd dictionary: ${printable(why, shownCharsMax)}. Give one as "dictionary", or do without "compress".`,
    { cause, retryable },
  );
}

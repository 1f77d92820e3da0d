// zstd compiled to WebAssembly: works everywhere, nothing to build. It owns the library's heap buffers and repairs what
// its one-call API cannot do: keep a dictionary digested, and the window limit, for which events above 128 KiB take
// node:zlib's one-shot call. The library is loaded by wasm-module.ts.
import { zstdCompressSync } from 'node:zlib';
import type { ByteWriter } from '../byte-writer.ts';
import { CodedError } from '../errors.ts';
import {
  type Compressor,
  closed,
  compressFailed,
  corruptFrame,
  fastLevel,
  refusedDictionary,
  windowBytesMax,
} from './compressor.ts';
import type { Dictionary } from './dictionary.ts';
import { dictionaryTail } from './dictionary-layout.ts';
import { loadZstdModule, type ZstdModule } from './wasm-module.ts';
import { zstdParameters } from './zstd-parameters.ts';

/**
 * What a level is here, from level 1 on: a level of zstd, and the bytes of dictionary content that it digests anew for
 * each event. Of 11 µs at level 2 about 7 are the dictionary's entropy tables, which no call of the library spares, 1 is
 * its content; all 110 KiB of the official one would be 52. Chosen on real and on synthetic events: greedy levels gain
 * more from a longer tail, lazy ones pay more for it.
 */
const levels = [
  { zstdLevel: 1, tailBytes: 3072 },
  { zstdLevel: 3, tailBytes: 4096 },
  { zstdLevel: 3, tailBytes: 8192 },
  { zstdLevel: 4, tailBytes: 4096 },
  { zstdLevel: 5, tailBytes: 4096 },
  { zstdLevel: 6, tailBytes: 8192 },
] as const;

/** A part of the dictionary on the library's heap, and the level to use it at. */
interface Digest {
  readonly zstdLevel: number;
  readonly pointer: number;
  readonly bytes: number;
}

/**
 * A compressor on the WebAssembly build. The dictionary is copied, its content shortened to what pays.
 * Throws CODEC_WASM_FAILED when the library does not load, CODEC_DICTIONARY_INVALID when it refuses the dictionary.
 */
export async function openWasmCompressor(dictionary: Dictionary, level: number): Promise<Compressor> {
  return new WasmCompressor(await loadZstdModule(), dictionary, level);
}

class WasmCompressor implements Compressor {
  readonly name = 'wasm';
  readonly dictionaryId: number;
  readonly level: number;
  readonly #module: ZstdModule;
  /** Empty when there is none. */
  readonly #dictionary: Uint8Array;
  readonly #normal: Digest;
  readonly #fast: Digest;
  readonly #context: number;
  readonly #source: number;
  readonly #target: number;
  readonly #targetBytes: number;
  /** A view of the whole heap, renewed when it has grown. */
  #heap: Buffer<ArrayBuffer>;
  #open = true;

  constructor(module: ZstdModule, dictionary: Dictionary | undefined, level: number) {
    this.dictionaryId = dictionary?.id ?? 0;
    this.level = level;
    this.#module = module;
    this.#dictionary = dictionary?.bytes ?? new Uint8Array(0);
    this.#targetBytes = module._ZSTD_compressBound(windowBytesMax);
    this.#context = module._ZSTD_createCCtx();
    this.#source = this.#allocate(windowBytesMax);
    this.#target = this.#allocate(this.#targetBytes);
    this.#normal = this.#load(level);
    this.#fast = fastLevel(level) === level ? this.#normal : this.#load(fastLevel(level));
    this.#heap = Buffer.from(module.HEAPU8.buffer);
    if (module._ZSTD_isError(this.#compressHeap(0, this.#normal)) === 0) return;
    this.close();
    throw dictionary === undefined
      ? compressFailed(0, 'no frame of no bytes')
      : refusedDictionary(dictionary);
  }

  compress(source: Uint8Array, start: number, end: number, out: ByteWriter, isFast = false): void {
    this.#requireOpen();
    const bytes = end - start;
    if (bytes > windowBytesMax) {
      out.bytes(this.#compressLarge(source.subarray(start, end)));
      return;
    }
    this.#renewHeap();
    Buffer.prototype.copy.call(source, this.#heap, this.#source, start, end);
    const frameBytes = this.#compressHeap(bytes, isFast ? this.#fast : this.#normal);
    if (this.#module._ZSTD_isError(frameBytes) !== 0) throw compressFailed(bytes, `code ${frameBytes}`);
    this.#renewHeap();
    out.reserve(frameBytes);
    this.#heap.copy(out.buffer, out.length, this.#target, this.#target + frameBytes);
    out.length += frameBytes;
  }

  decompress(frame: Uint8Array, maxBytes: number): Uint8Array {
    this.#requireOpen();
    const module = this.#module;
    const pointers = [frame.length, maxBytes, this.#dictionary.length].map((bytes) => this.#allocate(bytes));
    const [source, target, dictionary] = pointers;
    const context = module._ZSTD_createDCtx();
    try {
      // The library takes no bytes for zero zstd frames, which is no error to it.
      if (frame.length === 0) throw new Error('no bytes');
      module.HEAPU8.set(frame, source);
      module.HEAPU8.set(this.#dictionary, dictionary);
      const bytes = module._ZSTD_decompress_usingDict(
        context,
        target,
        maxBytes,
        source,
        frame.length,
        dictionary,
        this.#dictionary.length,
      );
      if (module._ZSTD_isError(bytes) !== 0) throw new Error(`code ${bytes}`);
      return module.HEAPU8.slice(target, target + bytes);
    } catch (cause) {
      throw corruptFrame(frame, this.dictionaryId, maxBytes, cause);
    } finally {
      module._ZSTD_freeDCtx(context);
      for (const pointer of pointers) module._free(pointer);
    }
  }

  withDictionary(dictionary: Dictionary | undefined, level = this.level): Compressor {
    this.#requireOpen();
    return new WasmCompressor(this.#module, dictionary, dictionary === undefined ? fastLevel(level) : level);
  }

  close(): void {
    if (!this.#open) return;
    this.#open = false;
    this.#module._ZSTD_freeCCtx(this.#context);
    const digests = new Set([this.#normal.pointer, this.#fast.pointer]);
    for (const pointer of [...digests, this.#source, this.#target]) this.#module._free(pointer);
  }

  /** Copies what a level digests to the heap. */
  #load(level: number): Digest {
    const { zstdLevel, tailBytes } = levels[level - 1];
    const tail = dictionaryTail(this.#dictionary, tailBytes);
    const pointer = this.#allocate(tail.length);
    this.#module.HEAPU8.set(tail, pointer);
    return { zstdLevel, pointer, bytes: tail.length };
  }

  /** Compresses the first `bytes` of the heap's source into its target: bytes of the zstd frame, or the library's code. */
  #compressHeap(bytes: number, digest: Digest): number {
    return this.#module._ZSTD_compress_usingDict(
      this.#context,
      this.#target,
      this.#targetBytes,
      this.#source,
      bytes,
      digest.pointer,
      digest.bytes,
      digest.zstdLevel,
    );
  }

  /** For events above the window limit: 0.3 ms of dictionary loading do not count against their size. */
  #compressLarge(content: Uint8Array): Uint8Array {
    try {
      const params = zstdParameters(fastLevel(this.level));
      const dictionary = this.#dictionary.length === 0 ? {} : { dictionary: this.#dictionary };
      return zstdCompressSync(content, { ...dictionary, params });
    } catch (cause) {
      throw compressFailed(content.length, (cause as Error).message, cause);
    }
  }

  #renewHeap(): void {
    const { buffer } = this.#module.HEAPU8;
    if (buffer !== this.#heap.buffer) this.#heap = Buffer.from(buffer);
  }

  #allocate(bytes: number): number {
    const pointer = this.#module._malloc(Math.max(1, bytes));
    if (pointer !== 0) return pointer;
    throw new CodedError('CODEC_OUT_OF_MEMORY', `the zstd heap has no room for ${bytes} bytes more`);
  }

  #requireOpen(): void {
    if (!this.#open) throw closed();
  }
}

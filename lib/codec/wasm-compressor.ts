// zstd compiled to WebAssembly: works everywhere, nothing to build. It owns the library's heap buffers and repairs two
// things that the library's one-call API cannot do: the checksum, which is appended here, and the window limit, for
// which events above 128 KiB take node:zlib's one-shot call. The only importer of @bokuweb/zstd-wasm.
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { constants, zstdCompressSync } from 'node:zlib';
import type { ByteWriter } from '../decode/byte-writer.ts';
import { CodedError } from '../event/coded-error.ts';
import { type Compressor, windowBytesMax, windowLogMax } from './compressor.ts';
import type { Dictionary } from './dictionary.ts';
import { dictionaryTail } from './dictionary-layout.ts';
import { frameChecksum } from './xxhash64.ts';

/**
 * Bytes of dictionary content that the library digests on each call. Measured on real events with the official
 * dictionary at level 3: 12 µs and ratio 0.461 with 4 KiB, 14 µs and 0.464 with 8 KiB, 66 µs and 0.460 with all 110
 * KiB; over more events 8 KiB are the better of the first two by 1 to 3 %.
 */
const digestedTailBytes = 8192;

/** The part of the library's module that is used here. `HEAPU8` is replaced whenever the heap grows. */
interface ZstdModule {
  readonly HEAPU8: Uint8Array<ArrayBuffer>;
  readonly calledRun?: boolean;
  _malloc(bytes: number): number;
  _free(pointer: number): void;
  _ZSTD_isError(code: number): number;
  _ZSTD_compressBound(bytes: number): number;
  _ZSTD_createCCtx(): number;
  _ZSTD_freeCCtx(context: number): void;
  _ZSTD_compress_usingDict(
    context: number,
    target: number,
    targetBytes: number,
    source: number,
    sourceBytes: number,
    dictionary: number,
    dictionaryBytes: number,
    level: number,
  ): number;
  _ZSTD_createDCtx(): number;
  _ZSTD_freeDCtx(context: number): void;
  _ZSTD_decompress_usingDict(
    context: number,
    target: number,
    targetBytes: number,
    source: number,
    sourceBytes: number,
    dictionary: number,
    dictionaryBytes: number,
  ): number;
}

let loading: Promise<ZstdModule> | undefined;

/** Loads the library once per process: its module is a singleton, and a second `init` would mix two instances. */
function loadModule(): Promise<ZstdModule> {
  loading ??= (async () => {
    const require = createRequire(import.meta.url);
    const entry = require.resolve('@bokuweb/zstd-wasm');
    const { Module } = require(join(dirname(entry), 'module.js')) as { Module: ZstdModule };
    if (Module.calledRun !== true) await (require(entry) as { init(): Promise<void> }).init();
    return Module;
  })();
  return loading;
}

/**
 * A compressor on the WebAssembly build. The dictionary is copied, its content shortened to what pays.
 * Throws CODEC_WASM_FAILED when the library does not load, CODEC_DICTIONARY_INVALID when it refuses the dictionary.
 */
export async function openWasmCompressor(dictionary: Dictionary, level: number): Promise<Compressor> {
  let module: ZstdModule;
  try {
    module = await loadModule();
  } catch (cause) {
    throw new CodedError(
      'CODEC_WASM_FAILED',
      `@bokuweb/zstd-wasm does not load: ${(cause as Error).message}. Install the package's dependencies again.`,
      { cause },
    );
  }
  return new WasmCompressor(module, dictionary, level);
}

class WasmCompressor implements Compressor {
  readonly name = 'wasm';
  readonly dictionaryId: number;
  readonly level: number;
  readonly #module: ZstdModule;
  readonly #dictionary: Uint8Array;
  readonly #digestedBytes: number;
  readonly #digested: number;
  readonly #context: number;
  readonly #source: number;
  readonly #target: number;
  readonly #targetBytes: number;
  /** Views of the whole heap, renewed when it has grown. */
  #heap: Buffer<ArrayBuffer>;
  #view: DataView;
  #open = true;

  constructor(module: ZstdModule, dictionary: Dictionary, level: number) {
    this.dictionaryId = dictionary.id;
    this.level = level;
    this.#module = module;
    this.#dictionary = dictionary.bytes;
    const digested = dictionaryTail(dictionary.bytes, digestedTailBytes);
    this.#digestedBytes = digested.length;
    this.#targetBytes = module._ZSTD_compressBound(windowBytesMax);
    this.#context = module._ZSTD_createCCtx();
    this.#digested = this.#allocate(digested.length);
    this.#source = this.#allocate(windowBytesMax);
    this.#target = this.#allocate(this.#targetBytes);
    this.#heap = Buffer.from(module.HEAPU8.buffer);
    this.#view = new DataView(module.HEAPU8.buffer);
    this.#heap.set(digested, this.#digested);
    if (module._ZSTD_isError(this.#compressHeap(0)) === 0) return;
    this.close();
    throw new CodedError(
      'CODEC_DICTIONARY_INVALID',
      `zstd refuses the dictionary ${dictionary.id} (sha256 ${dictionary.sha256}): its tables are damaged. Give an intact file.`,
    );
  }

  compress(source: Uint8Array, start: number, end: number, out: ByteWriter): void {
    this.#requireOpen();
    const bytes = end - start;
    if (bytes > windowBytesMax) {
      out.bytes(this.#compressLarge(source.subarray(start, end)));
      return;
    }
    this.#renewViews();
    Buffer.prototype.copy.call(source, this.#heap, this.#source, start, end);
    const frameBytes = this.#compressHeap(bytes);
    if (this.#module._ZSTD_isError(frameBytes) !== 0) throw compressFailed(bytes, `code ${frameBytes}`);
    this.#renewViews();
    out.reserve(frameBytes + 4);
    const { buffer, length } = out;
    this.#heap.copy(buffer, length, this.#target, this.#target + frameBytes);
    // Bit 2 of the frame header descriptor announces the checksum after the last block.
    buffer[length + 4] |= 0b100;
    const checksum = frameChecksum(this.#view, this.#source, this.#source + bytes);
    buffer.writeUInt32LE(checksum, length + frameBytes);
    out.length = length + frameBytes + 4;
  }

  decompress(frame: Uint8Array, maxBytes: number): Uint8Array {
    this.#requireOpen();
    const module = this.#module;
    const pointers = [frame.length, maxBytes, this.#dictionary.length].map((bytes) => this.#allocate(bytes));
    const [source, target, dictionary] = pointers;
    const context = module._ZSTD_createDCtx();
    try {
      // zstd takes no bytes for zero frames, which is no error to it.
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
      throw new CodedError(
        'CODEC_CORRUPT_FRAME',
        `a frame of ${frame.length} bytes is not zstd with dictionary ${this.dictionaryId}, or holds more than ${maxBytes} bytes`,
        { cause },
      );
    } finally {
      module._ZSTD_freeDCtx(context);
      for (const pointer of pointers) module._free(pointer);
    }
  }

  close(): void {
    if (!this.#open) return;
    this.#open = false;
    this.#module._ZSTD_freeCCtx(this.#context);
    for (const pointer of [this.#digested, this.#source, this.#target]) this.#module._free(pointer);
  }

  /** Compresses the first `bytes` of the heap's source into its target: bytes of the frame, or the library's code. */
  #compressHeap(bytes: number): number {
    return this.#module._ZSTD_compress_usingDict(
      this.#context,
      this.#target,
      this.#targetBytes,
      this.#source,
      bytes,
      this.#digested,
      this.#digestedBytes,
      this.level,
    );
  }

  /** For events above the window limit: 0.3 ms of dictionary loading do not count against their size. */
  #compressLarge(content: Uint8Array): Uint8Array {
    const params = {
      [constants.ZSTD_c_compressionLevel]: this.level,
      [constants.ZSTD_c_windowLog]: windowLogMax,
      [constants.ZSTD_c_checksumFlag]: 1,
    };
    try {
      return zstdCompressSync(content, { dictionary: this.#dictionary, params });
    } catch (cause) {
      throw compressFailed(content.length, (cause as Error).message, cause);
    }
  }

  #renewViews(): void {
    const { buffer } = this.#module.HEAPU8;
    if (buffer === this.#heap.buffer) return;
    this.#heap = Buffer.from(buffer);
    this.#view = new DataView(buffer);
  }

  #allocate(bytes: number): number {
    const pointer = this.#module._malloc(Math.max(1, bytes));
    if (pointer !== 0) return pointer;
    throw new CodedError('CODEC_OUT_OF_MEMORY', `the zstd heap has no room for ${bytes} bytes more`);
  }

  #requireOpen(): void {
    if (!this.#open) throw new CodedError('CODEC_CLOSED', 'the compressor is closed');
  }
}

function compressFailed(bytes: number, why: string, cause?: unknown): CodedError {
  return new CodedError('CODEC_COMPRESS_FAILED', `zstd did not compress ${bytes} bytes: ${why}`, { cause });
}

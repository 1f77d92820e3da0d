// zstd compiled for this machine by zstd-napi: an optional dependency that needs a compiler or a prebuilt binary, so it
// may be absent. It owns the library's contexts and refuses to decide whether to be used, which is
// choose-compressor.ts. The only importer of zstd-napi.
import { createRequire } from 'node:module';
import type * as Binding from 'zstd-napi/binding.js';
import type { ByteWriter } from '../byte-writer.ts';
import { UsageError } from '../errors.ts';
import { closed, compressFailed, corruptFrame, refusedDictionary } from './codec-errors.ts';
import { type Compressor, compressBound, fastLevel } from './compressor.ts';
import type { Dictionary } from './dictionary.ts';
import { zstdParameters } from './zstd-parameters.ts';

/**
 * A compressor on the native build, the dictionary digested once. Throws CODEC_NATIVE_MISSING when the library is not
 * installed or does not load here, CODEC_DICTIONARY_INVALID when it refuses the dictionary.
 */
export function openNativeCompressor(dictionary: Dictionary, level: number): Compressor {
  return new NativeCompressor(loadBinding(), dictionary, level);
}

function loadBinding(): typeof Binding {
  try {
    return createRequire(import.meta.url)('zstd-napi/binding.js') as typeof Binding;
  } catch (cause) {
    const [reason] = (cause as Error).message.split('\n');
    throw new UsageError(
      'CODEC_NATIVE_MISSING',
      `the native zstd does not load (${reason}): run "npm install zstd-napi" beside slipstream (it needs a C++ compiler where no prebuilt binary fits), or use "--compressor auto"`,
      { cause },
    );
  }
}

class NativeCompressor implements Compressor {
  readonly name = 'native';
  readonly dictionaryId: number;
  readonly level: number;
  readonly #binding: typeof Binding;
  #normal: Binding.CCtx | undefined;
  #fast: Binding.CCtx | undefined;
  #decompression: Binding.DCtx | undefined;

  constructor(binding: typeof Binding, dictionary: Dictionary, level: number) {
    this.dictionaryId = dictionary.id;
    this.level = level;
    this.#binding = binding;
    const decompression = new binding.DCtx();
    try {
      this.#normal = openContext(binding, dictionary, level);
      this.#fast =
        fastLevel(level) === level ? this.#normal : openContext(binding, dictionary, fastLevel(level));
      decompression.loadDictionary(dictionary.bytes);
    } catch (cause) {
      throw refusedDictionary(dictionary, cause);
    }
    this.#decompression = decompression;
  }

  compress(source: Uint8Array, start: number, end: number, out: ByteWriter, isFast = false): void {
    const compression = isFast ? this.#fast : this.#normal;
    if (compression === undefined) throw closed();
    const bytes = end - start;
    out.reserve(compressBound(bytes));
    const content = bytes === source.length ? source : source.subarray(start, end);
    try {
      // The library writes to a view's start, so two views per event are what a copy-free call costs.
      out.length += compression.compress2(out.buffer.subarray(out.length), content);
    } catch (cause) {
      throw compressFailed(bytes, (cause as Error).message, cause);
    }
  }

  decompress(frame: Uint8Array, maxBytes: number): Uint8Array {
    const decompression = this.#decompression;
    if (decompression === undefined) throw closed();
    try {
      const declared = this.#binding.getFrameContentSize(frame) ?? maxBytes;
      if (declared > maxBytes) throw new Error(`it declares ${declared} bytes`);
      const content = Buffer.allocUnsafeSlow(declared);
      return content.subarray(0, decompression.decompress(content, frame));
    } catch (cause) {
      throw corruptFrame(frame, this.dictionaryId, maxBytes, cause);
    }
  }

  withDictionary(dictionary: Dictionary): Compressor {
    if (this.#decompression === undefined) throw closed();
    return new NativeCompressor(this.#binding, dictionary, this.level);
  }

  /** The library frees its contexts when they are collected. */
  close(): void {
    this.#normal = undefined;
    this.#fast = undefined;
    this.#decompression = undefined;
  }
}

/** Digests the dictionary, which the library puts off to the first frame. Throws what the library throws. */
function openContext(binding: typeof Binding, dictionary: Dictionary, level: number): Binding.CCtx {
  const context = new binding.CCtx();
  for (const [parameter, value] of Object.entries(zstdParameters(level)))
    context.setParameter(Number(parameter), value);
  context.loadDictionary(dictionary.bytes);
  context.compress2(Buffer.allocUnsafeSlow(binding.compressBound(1)), Buffer.alloc(1));
  return context;
}

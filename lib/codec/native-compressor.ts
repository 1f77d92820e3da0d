// zstd compiled for this machine, 6 times faster than WebAssembly: an optional dependency that needs a compiler or a
// prebuilt binary, so it may be absent. It owns the library's contexts and refuses to decide whether to be used, which
// is choose-compressor.ts. The only importer of zstd-napi.
import { createRequire } from 'node:module';
import type * as Binding from 'zstd-napi/binding.js';
import type { ByteWriter } from '../decode/byte-writer.ts';
import { CodedError } from '../event/coded-error.ts';
import { type Compressor, windowLogMax } from './compressor.ts';
import type { Dictionary } from './dictionary.ts';

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
    throw new CodedError(
      'CODEC_NATIVE_MISSING',
      `the native zstd does not load (${reason}): run "npm install zstd-napi" beside slipstream (it needs a C++ compiler where no prebuilt binary fits), or use "--compressor wasm"`,
      { cause },
    );
  }
}

class NativeCompressor implements Compressor {
  readonly name = 'native';
  readonly dictionaryId: number;
  readonly level: number;
  readonly #binding: typeof Binding;
  #compression: Binding.CCtx | undefined;
  #decompression: Binding.DCtx | undefined;

  constructor(binding: typeof Binding, dictionary: Dictionary, level: number) {
    this.dictionaryId = dictionary.id;
    this.level = level;
    this.#binding = binding;
    const compression = new binding.CCtx();
    compression.setParameter(binding.CParameter.compressionLevel, level);
    compression.setParameter(binding.CParameter.windowLog, windowLogMax);
    compression.setParameter(binding.CParameter.checksumFlag, 1);
    const decompression = new binding.DCtx();
    try {
      compression.loadDictionary(dictionary.bytes);
      compression.compress2(Buffer.allocUnsafeSlow(binding.compressBound(1)), Buffer.alloc(1));
      decompression.loadDictionary(dictionary.bytes);
    } catch (cause) {
      throw new CodedError(
        'CODEC_DICTIONARY_INVALID',
        `zstd refuses the dictionary ${dictionary.id} (sha256 ${dictionary.sha256}): its tables are damaged. Give an intact file.`,
        { cause },
      );
    }
    this.#compression = compression;
    this.#decompression = decompression;
  }

  compress(source: Uint8Array, start: number, end: number, out: ByteWriter): void {
    const compression = this.#compression;
    if (compression === undefined) throw closed();
    const bytes = end - start;
    out.reserve(compressBound(bytes));
    const content = bytes === source.length ? source : source.subarray(start, end);
    try {
      // The library writes to a view's start, so two views per event are what a copy-free call costs.
      out.length += compression.compress2(out.buffer.subarray(out.length), content);
    } catch (cause) {
      throw new CodedError(
        'CODEC_COMPRESS_FAILED',
        `zstd did not compress ${bytes} bytes: ${(cause as Error).message}`,
        { cause },
      );
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
      throw new CodedError(
        'CODEC_CORRUPT_FRAME',
        `a frame of ${frame.length} bytes is not zstd with dictionary ${this.dictionaryId}, or holds more than ${maxBytes} bytes`,
        { cause },
      );
    }
  }

  /** The library frees its contexts when they are collected. */
  close(): void {
    this.#compression = undefined;
    this.#decompression = undefined;
  }
}

/** Most bytes that a frame of `bytes` can take, by zstd's own formula, without a call into the library. */
function compressBound(bytes: number): number {
  return bytes + (bytes >>> 8) + 1024;
}

function closed(): CodedError {
  return new CodedError('CODEC_CLOSED', 'the compressor is closed');
}

// The codec seam: JSON bytes in, one zstd frame out. It owns what both implementations promise, the limits they share and
// the errors they throw; it knows no library. node-compressor.ts and wasm-compressor.ts implement it; ingest, the fan-out
// and tools call it.
import type { ByteWriter } from '../byte-writer.ts';
import { CodedError, UsageError } from '../errors.ts';
import type { Dictionary } from './dictionary.ts';

/**
 * Compression levels that can be asked for; what each does is zstd-parameters.ts. Share of the JSON and µs an event, on
 * 52 real events with the official dictionary (bench/figure-ratio.ts), for Node's own zstd and for WebAssembly:
 *
 *     level       1        2        3        4        5        6
 *     node        0.463    0.449    0.448    0.443    0.439    0.435
 *     µs          2.0      2.5      5.1      8.3      9.8      40
 *     wasm        0.459    0.454    0.456    0.454    0.445    0.443
 *     µs          10       11       14       18       24       33
 *
 * At the network's rate an event finds the processor's caches full of other things, and level 5, whose tables take 1.3 MiB, was a
 * seventh of all that 500 events a second cost (9 of 63 ms); 2 is a third of that, for 2 % more bytes to compressed subscribers. Above
 * 5, 6 costs four times as much for a hundredth. When events come in bulk a higher level is not kept up with: blocks of many are
 * compressed at level `fast` at most.
 */
export const compressionLevels = { min: 1, max: 6, default: 2, fast: 2 } as const;

/** Bits of the largest window of a zstd frame: 128 KiB, what a v1 client may have sized its decoder for. */
export const windowLogMax = 17;

/** Bytes of the largest window of a zstd frame. */
export const windowBytesMax = 2 ** windowLogMax;

/**
 * Turns one event's JSON into one complete zstd frame, and back. Not re-entrant, synchronous, bound to one dictionary
 * and one level for its life. Every zstd frame has the dictionary id, if there is a dictionary, and the content size, no checksum (four bytes of
 * 240; the log and the transports have their own), and a window of at most `windowBytesMax`; which bytes the blocks hold
 * depends on the implementation.
 */
export interface Compressor {
  readonly name: 'node' | 'wasm';
  /** 0 without a dictionary. */
  readonly dictionaryId: number;
  readonly level: number;
  /**
   * Appends one independent zstd frame of `source[start, end)` to `out`. Neither is kept. With `isFast`, at level
   * `compressionLevels.fast` at most.
   * Throws CODEC_COMPRESS_FAILED (our own fault, never the input's) and CODEC_CLOSED.
   */
  compress(source: Uint8Array, start: number, end: number, out: ByteWriter, isFast?: boolean): void;
  /**
   * The content of a zstd frame, in memory that belongs to the caller. For tools and tests: it reads the whole dictionary
   * on each call. Throws CODEC_CORRUPT_FRAME when the frame is not one made with this dictionary, does not decode, or
   * holds more than `maxBytes`; CODEC_CLOSED.
   */
  decompress(frame: Uint8Array, maxBytes: number): Uint8Array;
  /**
   * A compressor of the same implementation and level for another dictionary, or for none, with a life of its own. Without
   * a dictionary its level is `compressionLevels.fast` at most: 0.68 of the JSON at each level, and 5 takes twice as long as 2.
   * Throws CODEC_DICTIONARY_INVALID and CODEC_CLOSED.
   * @param level another one, for what is compressed again for each replay.
   */
  withDictionary(dictionary: Dictionary | undefined, level?: number): Compressor;
  /** Frees the library's memory. Idempotent; every later call throws CODEC_CLOSED. */
  close(): void;
}

/** The level that a compressor of `level` works at when `isFast`. */
export function fastLevel(level: number): number {
  return Math.min(level, compressionLevels.fast);
}

/** Most bytes that a zstd frame of `bytes` can take, by zstd's own formula, without a call into a library. */
export function compressBound(bytes: number): number {
  return bytes + (bytes >>> 8) + 1024;
}

/** Any call after `close`. */
export function closed(): CodedError {
  return new CodedError('CODEC_CLOSED', 'the compressor is closed');
}

/** The library did not do what it always can. */
export function compressFailed(bytes: number, why: string, cause?: unknown): CodedError {
  return new CodedError('CODEC_COMPRESS_FAILED', `zstd did not compress ${bytes} bytes: ${why}`, { cause });
}

/** A zstd frame that is not one of this dictionary, does not decode, or holds too much. */
export function corruptFrame(
  frame: Uint8Array,
  dictionaryId: number,
  maxBytes: number,
  cause: unknown,
): CodedError {
  return new CodedError(
    'CODEC_CORRUPT_FRAME',
    `${frame.length} bytes are not a zstd frame of dictionary ${dictionaryId}, or hold more than ${maxBytes} bytes`,
    { cause },
  );
}

/** A dictionary whose layout is right and whose tables are not. */
export function refusedDictionary(dictionary: Dictionary, cause?: unknown): CodedError {
  return new UsageError(
    'CODEC_DICTIONARY_INVALID',
    `zstd refuses the dictionary ${dictionary.id} (sha256 ${dictionary.sha256}): its tables are damaged. Give an intact file.`,
    { cause },
  );
}

// The codec seam: JSON bytes in, one zstd frame out. It owns what every implementation promises and the limits they
// share; it knows no library. wasm-compressor.ts and native-compressor.ts implement it, ingest and tools call it.
import type { ByteWriter } from '../decode/byte-writer.ts';

/** Compression levels that can be asked for. Level 3 is where the ratio stops paying for the time. */
export const compressionLevels = { min: 1, max: 9, default: 3 } as const;

/** Bits of the largest window of a frame: 128 KiB, what a v1 client may have sized its decoder for. */
export const windowLogMax = 17;

/** Bytes of the largest window of a frame. */
export const windowBytesMax = 2 ** windowLogMax;

/**
 * Turns one event's JSON into one complete zstd frame, and back. Not re-entrant, synchronous, bound to one dictionary
 * and one level for its life. Every frame has the dictionary id, the content size and the content checksum, and a
 * window of at most `windowBytesMax`; which bytes the blocks hold depends on the implementation.
 */
export interface Compressor {
  readonly name: 'wasm' | 'native';
  readonly dictionaryId: number;
  readonly level: number;
  /**
   * Appends one independent frame of `source[start, end)` to `out`. Neither is kept.
   * Throws CODEC_COMPRESS_FAILED (our own fault, never the input's) and CODEC_CLOSED.
   */
  compress(source: Uint8Array, start: number, end: number, out: ByteWriter): void;
  /**
   * The content of a frame, in memory that belongs to the caller. For tools and tests: it reads the whole dictionary
   * on each call. Throws CODEC_CORRUPT_FRAME when the frame is not one made with this dictionary, is damaged, or holds
   * more than `maxBytes`; CODEC_CLOSED.
   */
  decompress(frame: Uint8Array, maxBytes: number): Uint8Array;
  /** Frees the library's memory. Idempotent; every later call throws CODEC_CLOSED. */
  close(): void;
}

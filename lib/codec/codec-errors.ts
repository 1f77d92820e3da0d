// The errors that every compressor throws, in one wording. They own the texts; when to throw is the compressors'.
import { CodedError, UsageError } from '../errors.ts';
import type { Dictionary } from './dictionary.ts';

/** Any call after `close`. */
export function closed(): CodedError {
  return new CodedError('CODEC_CLOSED', 'the compressor is closed');
}

/** The library did not do what it always can. */
export function compressFailed(bytes: number, why: string, cause?: unknown): CodedError {
  return new CodedError('CODEC_COMPRESS_FAILED', `zstd did not compress ${bytes} bytes: ${why}`, { cause });
}

/** A frame that is not one of this dictionary, does not decode, or holds too much. */
export function corruptFrame(
  frame: Uint8Array,
  dictionaryId: number,
  maxBytes: number,
  cause: unknown,
): CodedError {
  return new CodedError(
    'CODEC_CORRUPT_FRAME',
    `a frame of ${frame.length} bytes is not zstd with dictionary ${dictionaryId}, or holds more than ${maxBytes} bytes`,
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

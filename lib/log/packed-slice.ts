// JSON of stored blocks that is unpacked only once somebody looks at it: a reader that makes another encoding of it, and has it already
// for most blocks, asks the log for slices that are packed still. What is unpacked here lives until the next one is: fresh memory for
// each block costs more than unpacking it, because the system hands out pages one by one (1.6 µs each where it was measured).

import { damaged } from '../level/database-errors.ts';
import type { BlockIndex, BlockSlice } from './block.ts';
import { decompressJson, unpackSpareBytes } from './stored-json.ts';

/** Room for a usual block; what a larger one took is given back with the next. */
const scratchBytes = 512 * 1024;

let scratch: Uint8Array | undefined;

/**
 * The JSON of a block of the store. @param take gives memory for so many bytes, and a little more than that is needed.
 * @throws CodedError `LOG_CORRUPT`.
 */
export function unpackJson(
  stored: Uint8Array,
  { count, jsonEnd, lastTimeUs }: BlockIndex,
  take?: (bytes: number) => Uint8Array,
): Uint8Array {
  const bytes = count === 0 ? 0 : jsonEnd[count - 1];
  try {
    return decompressJson(stored, bytes, take?.(bytes + unpackSpareBytes));
  } catch (cause) {
    throw damaged(`block ${lastTimeUs} does not decompress`, cause);
  }
}

/** The JSON of a slice that was read as `packed`: valid until the next call in this thread. @throws CodedError `LOG_CORRUPT`. */
export function jsonOfPacked({ index, messages, isPacked }: BlockSlice): Uint8Array {
  if (!isPacked) return messages;
  return unpackJson(messages, index, takeScratch);
}

function takeScratch(): Uint8Array {
  scratch ??= new Uint8Array(scratchBytes);
  return scratch;
}

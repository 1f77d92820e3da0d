// A block as the journal has it: packed (block-format.ts), without its zstd messages, and compressed as a whole. It is
// read at the next start at most, which makes the zstd messages again: so fewer bytes are worth more than that time. Before
// format 6 a value was the packed block as it is, and it still is where there is no compressor.

import { zstdDecompressSync } from 'node:zlib';
import { ByteWriter } from '../byte-writer.ts';
import { damaged } from '../level/database-errors.ts';
import type { Block } from './block.ts';
import type { EventCompressor } from './block-builder.ts';
import { type BlockLink, packBlock, packBlockInto } from './block-format.ts';

/** Every zstd frame begins so; a packed block with the length of its head, which is never that much. */
const zstdMagic = 0xfd2fb528;
/** A block's events, two or three times over. */
const unpackedBytesMax = 64 * 1024 * 1024;
const scratchBytes = 64 * 1024;
const noBytes = new Uint8Array(0);

/** Of a block whose zstd messages are not there: no dictionary has it. */
export const noDictionaryId = 0;

/** See the file comment. */
export class JournalValues {
  readonly #compressor: EventCompressor | undefined;
  readonly #packed = new ByteWriter(scratchBytes);
  readonly #scratch = new ByteWriter(scratchBytes);

  /** @param compressor one without a dictionary; not owned. */
  constructor(compressor: EventCompressor | undefined) {
    this.#compressor = compressor;
  }

  /** The value is valid until the next one is written. */
  write(block: Block, link: BlockLink): Uint8Array {
    if (this.#compressor === undefined) return packBlock(block, block.json, link);
    const index = { ...block.index, zstdEnd: new Uint32Array(block.index.count) };
    const bare = { ...block, index, zstd: noBytes, dictionaryId: noDictionaryId };
    const packed = this.#packed;
    packed.shrink(scratchBytes);
    packBlockInto(packed, bare, block.json, link);
    this.#scratch.shrink(scratchBytes);
    this.#compressor.compress(packed.buffer, 0, packed.length, this.#scratch, true);
    return this.#scratch.buffer.subarray(0, this.#scratch.length);
  }
}

/** The packed block of a value. @throws CodedError `LOG_CORRUPT` when it does not decompress. */
export function packedOf(value: Uint8Array): Uint8Array {
  if (value.length < 4 || new DataView(value.buffer, value.byteOffset).getUint32(0, true) !== zstdMagic)
    return value;
  try {
    return zstdDecompressSync(value, { maxOutputLength: unpackedBytesMax });
  } catch (error) {
    throw damaged(`a value of the journal of ${value.length} bytes is not zstd: ${(error as Error).message}`);
  }
}

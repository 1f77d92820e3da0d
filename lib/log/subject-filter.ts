// Lets a reader who is after subjects skip blocks: for each block of a segment a Bloom filter of what its events point
// at. Four bytes an event, in a value of its own, so that no other reader reads it. Pure; block-store.ts stores it.

import { crc32 } from 'node:zlib';
import { noPath, subjectInts } from '../event/subject.ts';
import { damaged } from '../level/database-errors.ts';
import type { SubjectColumns } from './block.ts';
import { addToBloom, mayBeInBloom } from './bloom.ts';
import { segmentBlocks } from './segment-index.ts';

/** Bytes of a block's filter: some ten bits for the account and for the record of each of a usual event's 1.4 subjects. */
const filterBytes = 1024;
/** Subjects above which testing costs more than the blocks that it would skip. */
const testedSubjectsMax = 512;
const fixedBytes = 8;

/** Filled by {@link add}, asked by {@link mayMatch}. */
export class SubjectFilter {
  #count = 0;
  #bits: Uint8Array = new Uint8Array(0);

  /** The next block; undefined when its events point at nothing. */
  add(subjects: SubjectColumns | undefined): void {
    const start = this.#count++ * filterBytes;
    if (subjects === undefined || subjects.subjectHashes.length === 0) return;
    this.#makeBits();
    const { subjectHashes } = subjects;
    for (let at = 0; at < subjectHashes.length; at += subjectInts) {
      this.#set(start, subjectHashes[at], subjectHashes[at + 1], noPath);
      if (subjectHashes[at + 2] !== noPath)
        this.#set(start, subjectHashes[at], subjectHashes[at + 1], subjectHashes[at + 2]);
    }
  }

  /** The next block, of which nothing is known: it may have everything, so that a replay reads it and meets the damage. */
  addUnknown(): void {
    this.#makeBits();
    const start = this.#count++ * filterBytes;
    this.#bits.fill(0xff, start, start + filterBytes);
  }

  /**
   * Whether anything in a block may point at one of `subjectHashes`, `subjectInts` entries each: at that account or any record of
   * it, or at that record.
   */
  mayMatch(block: number, subjectHashes: Uint32Array): boolean {
    if (this.#bits.length === 0) return false;
    if (subjectHashes.length > testedSubjectsMax * subjectInts) return true;
    const start = block * filterBytes;
    for (let at = 0; at < subjectHashes.length; at += subjectInts) {
      if (this.#has(start, subjectHashes[at], subjectHashes[at + 1], subjectHashes[at + 2])) return true;
    }
    return false;
  }

  /** The stored form; {@link SubjectFilter.read} is its inverse. */
  write(): Buffer {
    const bits = this.#bits.subarray(0, this.#count * filterBytes);
    const bytes = Buffer.alloc(fixedBytes + bits.length);
    bytes.writeUInt32LE(this.#count, 4);
    bytes.set(bits, fixedBytes);
    bytes.writeUInt32LE(crc32(bytes.subarray(4)), 0);
    return bytes;
  }

  /** @throws CodedError `LOG_CORRUPT`. */
  static read(bytes: Uint8Array): SubjectFilter {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    if (bytes.length < fixedBytes || crc32(bytes.subarray(4)) !== view.getUint32(0, true)) {
      throw damaged(`a subject filter of ${bytes.length} bytes has a wrong checksum`);
    }
    const filter = new SubjectFilter();
    filter.#count = view.getUint32(4, true);
    filter.#bits = bytes.subarray(fixedBytes);
    return filter;
  }

  /** The filter of a segment without any subject takes no memory. */
  #makeBits(): void {
    if (this.#bits.length === 0) this.#bits = new Uint8Array(segmentBlocks * filterBytes);
  }

  #set(start: number, low: number, high: number, path: number): void {
    addToBloom(this.#bits, start, filterBytes, low ^ path, highOf(high, path));
  }

  #has(start: number, low: number, high: number, path: number): boolean {
    return mayBeInBloom(this.#bits, start, filterBytes, low ^ path, highOf(high, path));
  }
}

/** High half of what stands for a subject, made of that of its DID and its path; the low half is `low ^ path`. */
function highOf(high: number, path: number): number {
  return high ^ (path >>> 13) ^ (path << 19);
}

// The index that lets a sparse replay skip blocks. Stored blocks come in segments of `segmentBlocks`, and of each block of
// its segment the index says which collections it has, by a small Bloom filter which DIDs, and when its events were created.
// Two bytes an event. Pure; block-store.ts stores one behind the last block of each segment.

import { crc32 } from 'node:zlib';
import { firstAfter } from '../binary-search.ts';
import { damaged } from '../level/database-errors.ts';
import { type BlockIndex, noCollection } from './block.ts';
import { addToBloom, mayBeInBloom } from './bloom.ts';

/** Blocks of a segment. */
export const segmentBlocks = 256;
/** Bytes of a block's DID filter: 16 bits or more for each of a usual block's 256 DIDs, one false hit in a thousand. */
const filterBytes = 512;
/** DIDs above which testing costs more than the blocks that it would skip. */
const testedDidsMax = 512;
const bitmapBytes = segmentBlocks / 8;
const fixedBytes = 24;
/** Version of the stored form. In version 0, of log format 1, the times at which events were created are missing. */
const segmentVersion = 1;

/** What a reader is after, as far as it helps to skip blocks. An absent condition holds for every block. */
export interface ReadFilter {
  readonly wantsCollection?: (collection: string) => boolean;
  /** DID hashes, two entries each: low, high. */
  readonly didHashes?: Uint32Array;
  /** Wanted subjects, `subjectInts` entries each (lib/event/subject.ts); what has none of them is not wanted. */
  readonly subjectHashes?: Uint32Array;
}

/** A search for events by when they were created, give or take `slackUs`, and by their DID's hash. */
export interface CreatedSearch {
  readonly createdUs: number;
  readonly slackUs: number;
  /** Low, high. */
  readonly didHash: Uint32Array;
  /** Blocks that are read for it, the nearest in time. */
  readonly blocksMax: number;
  /** Segment indexes that are looked at for it. */
  readonly segmentsMax: number;
}

/** A block that may have what a search is for. */
export interface CreatedBlock {
  readonly lastTimeUs: number;
  /** Between when its events were created and what the search says; 0 when that lies within. */
  readonly offUs: number;
}

/** What of a block a reader may want. */
export const wants = {
  nothing: 0,
  /** Its events without a collection at most: they pass every condition on collections. */
  withoutCollection: 1,
  /** Any of its events. */
  block: 2,
} as const;

/** Describes the blocks of a segment. Filled by {@link add}, asked by {@link mayMatch}. */
export class SegmentIndex {
  /** `lastTimeUs` of the segment before this one; 0 when there is none. */
  readonly previousUs: number;
  readonly #lastTimesUs = new Float64Array(segmentBlocks);
  /** As `SubjectColumns.createdFromUs` and `createdThroughUs`; 0 for blocks whose events point at nothing. */
  readonly #createdFromUs = new Float64Array(segmentBlocks);
  readonly #createdThroughUs = new Float64Array(segmentBlocks);
  readonly #didFilters = new Uint8Array(segmentBlocks * filterBytes);
  /** Which blocks have events of a collection; the empty name stands for events without one. */
  readonly #collections = new Map<string, Uint8Array>();
  #count = 0;

  constructor(previousUs: number) {
    this.previousUs = previousUs;
  }

  get isFull(): boolean {
    return this.#count === segmentBlocks;
  }

  /** Blocks described. */
  get count(): number {
    return this.#count;
  }

  get lastTimeUs(): number {
    return this.#count === 0 ? 0 : this.#lastTimesUs[this.#count - 1];
  }

  lastTimeOf(block: number): number {
    return this.#lastTimesUs[block];
  }

  /** Index of the block with the first event after `timeUs`; `count` when there is none. */
  blockAfter(timeUs: number): number {
    return firstAfter(this.#lastTimesUs, this.#count, timeUs);
  }

  /** Describes the next block. */
  add(index: BlockIndex): void {
    const at = this.#count++;
    this.#lastTimesUs[at] = index.lastTimeUs;
    this.#createdFromUs[at] = index.subjects?.createdFromUs ?? 0;
    this.#createdThroughUs[at] = index.subjects?.createdThroughUs ?? 0;
    for (const collection of index.collections) this.#mark(collection, at);
    if (index.collection.includes(noCollection)) this.#mark('', at);
    const start = at * filterBytes;
    const { didHash } = index;
    for (let did = 0; did < index.count * 2; did += 2)
      addToBloom(this.#didFilters, start, filterBytes, didHash[did], didHash[did + 1]);
  }

  /** One of {@link wants} for each block: what may be in it that `filter` lets through. */
  mayMatch(filter: ReadFilter): Uint8Array {
    const { wantsCollection, didHashes } = filter;
    const found = new Uint8Array(this.#count);
    if (wantsCollection === undefined) found.fill(wants.block);
    else {
      for (const [collection, bitmap] of this.#collections) {
        if (collection !== '' && !wantsCollection(collection)) continue;
        const want = collection === '' ? wants.withoutCollection : wants.block;
        for (let block = 0; block < this.#count; block++) {
          if (found[block] < want && ((bitmap[block >> 3] >> (block & 7)) & 1) === 1) found[block] = want;
        }
      }
    }
    if (didHashes !== undefined && didHashes.length <= 2 * testedDidsMax) {
      for (let block = 0; block < this.#count; block++) {
        if (found[block] !== wants.nothing && !this.#mayHaveAny(block, didHashes))
          found[block] = wants.nothing;
      }
    }
    return found;
  }

  /** When the events of its blocks were created, as far as they point at something: from, through; 0 for none. */
  get createdRange(): readonly [number, number] {
    let fromUs = Number.POSITIVE_INFINITY;
    let throughUs = 0;
    for (let block = 0; block < this.#count; block++) {
      if (this.#createdThroughUs[block] === 0) continue;
      fromUs = Math.min(fromUs, this.#createdFromUs[block]);
      throughUs = Math.max(throughUs, this.#createdThroughUs[block]);
    }
    return throughUs === 0 ? [0, 0] : [fromUs, throughUs];
  }

  /** Blocks that may have what a search is for, as far as can be seen here. */
  blocksCreatedAt({ createdUs, slackUs, didHash }: CreatedSearch): CreatedBlock[] {
    const found: CreatedBlock[] = [];
    for (let block = 0; block < this.#count; block++) {
      if (this.#createdThroughUs[block] === 0) continue;
      const offUs = Math.max(
        this.#createdFromUs[block] - createdUs,
        createdUs - this.#createdThroughUs[block],
        0,
      );
      if (offUs <= slackUs && this.#mayHaveAny(block, didHash))
        found.push({ lastTimeUs: this.#lastTimesUs[block], offUs });
    }
    return found;
  }

  /** The stored form; {@link SegmentIndex.read} is its inverse. */
  write(): Buffer {
    const count = this.#count;
    const names = Buffer.from(JSON.stringify([...this.#collections.keys()]));
    const bytes = Buffer.concat([
      Buffer.alloc(fixedBytes),
      bytesOf(this.#lastTimesUs.subarray(0, count)),
      bytesOf(this.#createdFromUs.subarray(0, count)),
      bytesOf(this.#createdThroughUs.subarray(0, count)),
      this.#didFilters.subarray(0, count * filterBytes),
      ...this.#collections.values(),
      names,
    ]);
    bytes.writeUInt32LE(count, 4);
    bytes.writeUInt32LE(this.#collections.size, 8);
    bytes.writeUInt32LE(segmentVersion, 12);
    bytes.writeDoubleLE(this.previousUs, 16);
    bytes.writeUInt32LE(crc32(bytes.subarray(4)), 0);
    return bytes;
  }

  /** @throws CodedError `LOG_CORRUPT`. */
  static read(bytes: Uint8Array): SegmentIndex {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    if (bytes.length < fixedBytes || crc32(bytes.subarray(4)) !== view.getUint32(0, true)) {
      throw damaged(`a segment index of ${bytes.length} bytes has a wrong checksum`);
    }
    const count = view.getUint32(4, true);
    const segment = new SegmentIndex(view.getFloat64(16, true));
    segment.#count = count;
    let at = fixedBytes;
    const take = (length: number): Uint8Array => {
      at += length;
      return bytes.subarray(at - length, at);
    };
    bytesOf(segment.#lastTimesUs).set(take(count * 8));
    if (view.getUint32(12, true) >= segmentVersion) {
      bytesOf(segment.#createdFromUs).set(take(count * 8));
      bytesOf(segment.#createdThroughUs).set(take(count * 8));
    }
    segment.#didFilters.set(take(count * filterBytes));
    const bitmaps = Array.from({ length: view.getUint32(8, true) }, () => Uint8Array.from(take(bitmapBytes)));
    const names: string[] = JSON.parse(Buffer.from(bytes.subarray(at)).toString());
    for (const [index, name] of names.entries()) segment.#collections.set(name, bitmaps[index]);
    return segment;
  }

  #mark(collection: string, block: number): void {
    let bitmap = this.#collections.get(collection);
    if (bitmap === undefined) {
      bitmap = new Uint8Array(bitmapBytes);
      this.#collections.set(collection, bitmap);
    }
    bitmap[block >> 3] |= 1 << (block & 7);
  }

  #mayHaveAny(block: number, didHashes: Uint32Array): boolean {
    const start = block * filterBytes;
    for (let did = 0; did < didHashes.length; did += 2) {
      if (mayBeInBloom(this.#didFilters, start, filterBytes, didHashes[did], didHashes[did + 1])) return true;
    }
    return false;
  }
}

function bytesOf(column: Float64Array): Uint8Array {
  return new Uint8Array(column.buffer, column.byteOffset, column.byteLength);
}

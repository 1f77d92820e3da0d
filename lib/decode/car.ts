// Reads a CAR version 1 archive in place: which blocks are in it, that each of them hashes to its CID, and where the
// block of a CID is. It builds no objects and copies nothing. It does not walk the tree that the blocks are part of:
// that an op is in the repository's tree is the relay's word. Called by lib/event with the `blocks` of a commit.

import { hash, randomInt } from 'node:crypto';
import { grow } from '../grow.ts';
import { matchesAscii } from './cbor-cursor.ts';
import { hashStart, sha256Bytes, sha256Code } from './cid.ts';
import type { DropReason } from './drop-reason.ts';
import { RecordTape } from './record-tape.ts';
import { kindMask, nodeFields, nodeKinds, noNode } from './tape-nodes.ts';

/** Longest archive, in bytes: the protocol's limit on `blocks`. It bounds the blocks too, of at least 35 bytes each. */
export const archiveBytesMax = 2_097_152;

/**
 * Longest header, in bytes: a commit's has one root, and is 59. Its items cost more than bytes of blocks do, and records
 * have a bound of their own.
 */
export const headerBytesMax = 65_536;

const entryInts = 4;
const usualBlocks = 64;
const varintFactorMax = 2 ** 63;
const headerVersion = 1;
const { kind, keyStart, keyEnd, first, second, next } = nodeFields;

/** One archive at a time. Keeps its bytes, and the spans it gives point into them, until the next `read`. */
export class CarIndex {
  /** The block that the last successful `find` found. */
  blockStart = 0;
  blockEnd = 0;
  #bytes: Uint8Array = new Uint8Array(0);
  #at = 0;
  #rootStart = 0;
  #rootEnd = 0;
  #count = 0;
  /** Per block: start and end of its CID, start and end of its contents. */
  #entries = new Int32Array(usualBlocks * entryInts);
  /** Open addressing by CID: index of a block plus one, or 0. Filled by the first `find`. */
  #slots = new Int32Array(usualBlocks * 2);
  #mask = 0;
  /** Secret, so that nobody can make blocks that fall into one slot. */
  readonly #factor = randomInt(2 ** 31) | 1;
  readonly #header = new RecordTape();

  /** Blocks that were read. */
  get count(): number {
    return this.#count;
  }

  /** Reads and verifies `bytes[start, end)`. */
  read(bytes: Uint8Array, start: number, end: number): DropReason | undefined {
    this.#bytes = bytes;
    this.#at = start;
    this.#count = 0;
    this.#mask = 0;
    const length = this.#varint(end);
    if (length <= 0 || length > Math.min(headerBytesMax, end - this.#at)) return 'bad_car';
    if (!this.#readHeader(this.#at, this.#at + length)) return 'bad_car';
    this.#at += length;
    while (this.#at < end) {
      const sectionBytes = this.#varint(end);
      if (sectionBytes < 0) return 'bad_car';
      // As v1's reader has it, an empty section ends the archive, and so does a length with nothing after it.
      if (sectionBytes === 0 || this.#at === end) break;
      if (sectionBytes > end - this.#at) return 'bad_car';
      const reason = this.#readSection(this.#at, this.#at + sectionBytes);
      if (reason !== undefined) return reason;
      this.#at += sectionBytes;
    }
    return undefined;
  }

  /** Finds the block of the first root. */
  findRoot(): boolean {
    return this.find(this.#bytes, this.#rootStart, this.#rootEnd);
  }

  /** Whether the first root is `source[start, end)`. */
  isRoot(source: Uint8Array, start: number, end: number): boolean {
    const bytes = this.#bytes;
    const from = this.#rootStart;
    if (this.#rootEnd - from !== end - start) return false;
    for (let at = start; at < end; at++) if (bytes[from + at - start] !== source[at]) return false;
    return true;
  }

  /** Finds the block whose CID is `source[start, end)`; it is then `[blockStart, blockEnd)` of the archive's bytes. */
  find(source: Uint8Array, start: number, end: number): boolean {
    if (end - start < 2 + sha256Bytes || this.#count === 0) return false;
    if (this.#mask === 0) this.#fillSlots();
    for (
      let slot = this.#slotOf(source, start, end);
      this.#slots[slot] !== 0;
      slot = (slot + 1) & this.#mask
    ) {
      const entry = (this.#slots[slot] - 1) * entryInts;
      if (this.#hasCid(entry, source, start, end)) {
        this.blockStart = this.#entries[entry + 2];
        this.blockEnd = this.#entries[entry + 3];
        return true;
      }
    }
    return false;
  }

  /** Reads a varint; -1 when it is cut off or longer than 64 bits. */
  #varint(end: number): number {
    let value = 0;
    for (let factor = 1; this.#at < end && factor <= varintFactorMax; factor *= 128) {
      const byte = this.#bytes[this.#at++];
      value += (byte & 0x7f) * factor;
      if (byte < 0x80) return value;
    }
    return -1;
  }

  /** Reads the header: a map of `roots`, at least one, and `version`, 1. */
  #readHeader(start: number, end: number): boolean {
    const tape = this.#header;
    if (!tape.read(this.#bytes, start, end)) return false;
    const { nodes, source } = tape;
    let versionIsKnown = false;
    let root: number = noNode;
    if ((nodes[kind] & kindMask) !== nodeKinds.map) return false;
    for (let node = nodes[first]; node !== noNode; node = nodes[node + next]) {
      const keyAt = nodes[node + keyStart];
      const keyBytes = nodes[node + keyEnd] - keyAt;
      const is = nodes[node + kind] & kindMask;
      if (keyBytes === 5 && matchesAscii(source, keyAt, 'roots') && is === nodeKinds.array) {
        root = nodes[node + first];
      } else if (keyBytes === 7 && matchesAscii(source, keyAt, 'version') && is === nodeKinds.integer) {
        versionIsKnown = nodes[node + first] === 0 && nodes[node + second] === headerVersion;
      } else {
        return false;
      }
    }
    if (root === noNode || (nodes[root + kind] & kindMask) !== nodeKinds.link || source !== this.#bytes)
      return false;
    this.#rootStart = nodes[root + first];
    this.#rootEnd = nodes[root + second];
    return versionIsKnown;
  }

  #readSection(start: number, end: number): DropReason | undefined {
    const bytes = this.#bytes;
    const hashAt = hashStart(bytes, start, end);
    if (hashAt < 0) return 'bad_car';
    const digest = hashAt + 2;
    const content = digest + sha256Bytes;
    if (content > end) return 'bad_car';
    if (bytes[hashAt] !== sha256Code || bytes[hashAt + 1] !== sha256Bytes) return 'bad_block_hash';
    const actual = hash('sha256', bytes.subarray(content, end), 'latin1');
    if (!matchesAscii(bytes, digest, actual)) return 'bad_block_hash';
    const entry = this.#count * entryInts;
    if (entry === this.#entries.length) this.#entries = grow(this.#entries);
    const entries = this.#entries;
    entries[entry] = start;
    entries[entry + 1] = content;
    entries[entry + 2] = content;
    entries[entry + 3] = end;
    this.#count++;
    return undefined;
  }

  #fillSlots(): void {
    let size = 16;
    while (size < this.#count * 2) size *= 2;
    if (this.#slots.length < size) this.#slots = new Int32Array(size);
    else this.#slots.fill(0, 0, size);
    this.#mask = size - 1;
    for (let block = 0; block < this.#count; block++) {
      const start = this.#entries[block * entryInts];
      const end = this.#entries[block * entryInts + 1];
      let slot = this.#slotOf(this.#bytes, start, end);
      while (
        this.#slots[slot] !== 0 &&
        !this.#hasCid((this.#slots[slot] - 1) * entryInts, this.#bytes, start, end)
      )
        slot = (slot + 1) & this.#mask;
      // One that comes again would lengthen the way to all others: 59,000 of them took three seconds.
      if (this.#slots[slot] === 0) this.#slots[slot] = block + 1;
    }
  }

  /**
   * The first slot of a CID: of what is before its digest, since the same bytes can go by many codecs, and of the digest's last bytes,
   * multiplied by a secret.
   */
  #slotOf(source: Uint8Array, start: number, end: number): number {
    let mixed = 0;
    for (let at = start; at < end - sha256Bytes; at++) mixed = this.#mix(mixed ^ source[at]);
    const low = source[end - 1] | (source[end - 2] << 8) | (source[end - 3] << 16) | (source[end - 4] << 24);
    const high = source[end - 5] | (source[end - 6] << 8) | (source[end - 7] << 16) | (source[end - 8] << 24);
    return this.#mix(this.#mix(mixed ^ low) ^ high) & this.#mask;
  }

  #mix(value: number): number {
    const mixed = Math.imul(value, this.#factor);
    return mixed ^ (mixed >>> 15);
  }

  #hasCid(entry: number, source: Uint8Array, start: number, end: number): boolean {
    const bytes = this.#bytes;
    const from = this.#entries[entry];
    const count = end - start;
    if (this.#entries[entry + 1] - from !== count) return false;
    for (let index = count - 1; index >= 0; index--) {
      if (bytes[from + index] !== source[start + index]) return false;
    }
    return true;
  }
}

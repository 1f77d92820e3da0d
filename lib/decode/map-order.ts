// The order of a map's entries in JSON: by the bytes of the encoded key with its closing quote (wire-v1 11.2), which
// is neither CBOR's order nor JavaScript's. Works on nodes of a record tape and finds repeated keys on the way.
// Called by record-tape.ts when a map ends.

import { ByteWriter } from '../byte-writer.ts';
import { grow } from '../grow.ts';
import { writeText } from './json-text.ts';
import { nodeFields, noNode, type TapeNodes } from './tape-nodes.ts';

/** Up to so many entries insertion sort wins: records have 2 to 8, sorted by length. */
const insertionEntriesMax = 12;
const quote = 0x22;
const { keyStart, keyEnd, next, keyPrefix, encodedEnd } = nodeFields;

/**
 * The first four bytes of a plain key and its quote as a number that sorts like them. Most pairs of keys are told
 * apart by it.
 */
export function prefixOf(bytes: Uint8Array, start: number, end: number): number {
  let prefix = 0;
  for (let at = start; at < start + 4; at++) {
    prefix = (prefix << 8) | (at < end ? bytes[at] : at === end ? quote : 0);
  }
  return prefix ^ 0x8000_0000;
}

/** Whether the second key comes after the first in DAG-CBOR's order, in which shorter ones come first. Both are spans of `bytes`. */
export function comesAfter(bytes: Uint8Array, from: number, to: number, start: number, end: number): boolean {
  const more = end - start - (to - from);
  if (more !== 0) return more > 0;
  let at = start;
  while (at < end && bytes[at] === bytes[from + at - start]) at++;
  return at < end && bytes[at] > bytes[from + at - start];
}

function compareBytes(
  left: Uint8Array,
  from: number,
  to: number,
  right: Uint8Array,
  start: number,
  end: number,
) {
  const count = Math.min(to - from, end - start);
  for (let index = 0; index < count; index++) {
    const difference = left[from + index] - right[start + index];
    if (difference !== 0) return difference;
  }
  return to - from - (end - start);
}

/** Sorts the entries of one map after the other; keeps its scratch memory. */
export class MapOrder {
  #entries = new Int32Array(64);
  #other = new Int32Array(64);
  readonly #encoded = new ByteWriter(1024);
  #nodes: TapeNodes = new Int32Array(0);
  #bytes: Uint8Array = new Uint8Array(0);
  #plain = true;
  #repeated = false;

  /** Takes the siblings from `node` on as the entries to sort; returns how many there are. */
  collect(nodes: TapeNodes, node: number): number {
    let count = 0;
    for (let entry = node; entry !== noNode; entry = nodes[entry + next]) {
      if (count === this.#entries.length) this.#entries = grow(this.#entries);
      this.#entries[count++] = entry;
    }
    return count;
  }

  /**
   * Sorts the `count` entries that were collected. Keys are spans of `bytes`; `plain` says that none of them is escaped or
   * outside of ASCII, and that their prefixes are set. False when a key is repeated.
   */
  sort(count: number, nodes: TapeNodes, bytes: Uint8Array, plain: boolean): boolean {
    this.#nodes = nodes;
    this.#bytes = bytes;
    this.#plain = plain;
    this.#repeated = false;
    if (!plain) this.#encode(count);
    if (count <= insertionEntriesMax) this.#sortShort(count);
    else this.#sortLong(count);
    return !this.#repeated;
  }

  /** Makes the sorted entries siblings in their new order; returns the first. */
  relink(count: number): number {
    const nodes = this.#nodes;
    for (let index = 1; index < count; index++) nodes[this.#entries[index - 1] + next] = this.#entries[index];
    nodes[this.#entries[count - 1] + next] = noNode;
    return this.#entries[0];
  }

  /** Gives back what a huge map made it grow to. */
  shrink(): void {
    if (this.#entries.length > 4096) {
      this.#entries = new Int32Array(64);
      this.#other = new Int32Array(64);
    }
    this.#encoded.shrink();
  }

  #encode(count: number): void {
    this.#encoded.length = 0;
    for (let index = 0; index < count; index++) {
      const node = this.#entries[index];
      this.#nodes[node + keyPrefix] = this.#encoded.length;
      writeText(this.#encoded, this.#bytes, this.#nodes[node + keyStart], this.#nodes[node + keyEnd]);
      this.#nodes[node + encodedEnd] = this.#encoded.length;
    }
  }

  /** Negative when `left` comes first. Keys that are equal once encoded are told apart by their raw bytes. */
  #compare(left: number, right: number): number {
    const nodes = this.#nodes;
    const leftPrefix = nodes[left + keyPrefix];
    const rightPrefix = nodes[right + keyPrefix];
    if (this.#plain) {
      if (leftPrefix !== rightPrefix) return leftPrefix < rightPrefix ? -1 : 1;
      return this.#comparePlain(left, right);
    }
    const text = this.#encoded.buffer;
    const order =
      compareBytes(
        text,
        leftPrefix,
        nodes[left + encodedEnd],
        text,
        rightPrefix,
        nodes[right + encodedEnd],
      ) ||
      compareBytes(
        this.#bytes,
        nodes[left + keyStart],
        nodes[left + keyEnd],
        this.#bytes,
        nodes[right + keyStart],
        nodes[right + keyEnd],
      );
    if (order === 0) this.#repeated = true;
    return order;
  }

  #comparePlain(left: number, right: number): number {
    const nodes = this.#nodes;
    const bytes = this.#bytes;
    const leftStart = nodes[left + keyStart];
    const rightStart = nodes[right + keyStart];
    const leftBytes = nodes[left + keyEnd] - leftStart;
    const rightBytes = nodes[right + keyEnd] - rightStart;
    const shorter = Math.min(leftBytes, rightBytes);
    for (let index = 4; index < shorter; index++) {
      const difference = bytes[leftStart + index] - bytes[rightStart + index];
      if (difference !== 0) return difference;
    }
    if (leftBytes === rightBytes) {
      this.#repeated = true;
      return 0;
    }
    return leftBytes < rightBytes ? quote - bytes[rightStart + shorter] : bytes[leftStart + shorter] - quote;
  }

  #sortShort(count: number): void {
    const entries = this.#entries;
    for (let index = 1; index < count; index++) {
      const node = entries[index];
      let at = index;
      while (at > 0 && this.#compare(entries[at - 1], node) > 0) {
        entries[at] = entries[at - 1];
        at--;
      }
      entries[at] = node;
    }
  }

  /** Bottom-up merge sort: no input makes it quadratic. */
  #sortLong(count: number): void {
    if (this.#other.length < this.#entries.length) this.#other = new Int32Array(this.#entries.length);
    for (let width = 1; width < count; width *= 2) {
      const from = this.#entries;
      const to = this.#other;
      for (let start = 0; start < count; start += width * 2) {
        let left = start;
        const middle = Math.min(start + width, count);
        let right = middle;
        const end = Math.min(start + width * 2, count);
        for (let at = start; at < end; at++) {
          const takeLeft = left < middle && (right >= end || this.#compare(from[left], from[right]) <= 0);
          to[at] = takeLeft ? from[left++] : from[right++];
        }
      }
      this.#entries = to;
      this.#other = from;
    }
  }
}

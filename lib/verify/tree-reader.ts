// Goes from node to node of the tree that came with a commit: reads each when it is visited, and ends a walk that is too deep, too
// wide or too long. It owns the keys, and their order; what a walk is for is partial-tree.ts.

import type { CarIndex } from '../decode/car.ts';
import { CborCursor } from '../decode/cbor-cursor.ts';
import { compareBytes, linkBytes } from './tree-link.ts';
import { KeyArena, readNode, type TreeEntry, type TreeNode } from './tree-node.ts';
import { badTree, missingBlocks, tooDeep, tooLarge, tooWide } from './tree-stop.ts';

/** Levels that are gone down. A key at level 25 would take its maker 2^50 hashes; real trees have 13. */
export const depthMax = 64;
/** Entries of a node. Four are usual, and 26 the most of 1,265 real ones: whoever chooses keys can have any number. */
export const entriesMax = 1024;
/** Entries that are read, and nodes that are visited, for one commit: the largest honest ones take some thousands. */
export const stepsMax = 65_536;
/** Bytes of the keys that are read for one commit. They share beginnings in their nodes: 60 KB of those can be a megabyte here. */
export const keysBytesMax = 8 * 1024 * 1024;

/** Of one tree after the other. */
export class TreeReader {
  /** The frame's. */
  bytes: Uint8Array = new Uint8Array(0);
  readonly keys = new KeyArena();
  /** Whether the entry that {@link placeOf} said has that very key. */
  isFound = false;
  #car: CarIndex | undefined;
  #steps = 0;
  readonly #cursor = new CborCursor();

  /** @param car that has read an archive in `bytes`. */
  open(car: CarIndex, bytes: Uint8Array): void {
    this.#car = car;
    this.bytes = bytes;
    this.#steps = 0;
    this.keys.clear();
  }

  /** Whether a node's block is there, or needs not be. */
  has(node: TreeNode): boolean {
    return node.isRead || (this.#car as CarIndex).find(this.bytes, node.linkAt, node.linkAt + linkBytes);
  }

  /** Comes to a node, and reads it if that is the first time: then it says so. @throws TreeStopError */
  visit(node: TreeNode, depth: number): boolean {
    if (depth > depthMax) throw tooDeep;
    this.#spend(1);
    if (node.isRead) return false;
    if (!this.has(node)) throw missingBlocks;
    const { blockStart, blockEnd } = this.#car as CarIndex;
    this.#cursor.open(this.bytes, blockStart, blockEnd);
    const beyond = readNode(node, this.#cursor, this.keys, entriesMax);
    if (beyond !== 0) throw beyond < 0 ? badTree : tooWide;
    node.blockStart = blockStart;
    node.blockEnd = blockEnd;
    this.#spend(node.entries.length);
    if (this.keys.length > keysBytesMax) throw tooLarge;
    return true;
  }

  /** Keys of a node lie between those around it. @throws TreeStopError */
  checkBounds({ entries }: TreeNode, below: TreeEntry | undefined, above: TreeEntry | undefined): void {
    if (entries.length === 0) return;
    const { bytes } = this.keys;
    const last = entries[entries.length - 1];
    if (
      (below !== undefined && this.compare(entries[0], bytes, below.keyStart, below.keyEnd) <= 0) ||
      (above !== undefined && this.compare(last, bytes, above.keyStart, above.keyEnd) >= 0)
    ) {
      throw badTree;
    }
  }

  /** The order of an entry's key and `source[start, end)`: negative when the entry's is first. */
  compare({ keyStart, keyEnd }: TreeEntry, source: Uint8Array, start: number, end: number): number {
    return compareBytes(this.keys.bytes, keyStart, keyEnd, source, start, end);
  }

  /** Index of the first entry whose key is not smaller than `source[start, end)`. */
  placeOf({ entries }: TreeNode, source: Uint8Array, start: number, end: number): number {
    let low = 0;
    let high = entries.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      const order = this.compare(entries[middle], source, start, end);
      if (order === 0) {
        this.isFound = true;
        return middle;
      }
      if (order < 0) low = middle + 1;
      else high = middle;
    }
    this.isFound = false;
    return low;
  }

  #spend(steps: number): void {
    this.#steps += steps;
    if (this.#steps > stepsMax) throw tooLarge;
  }
}

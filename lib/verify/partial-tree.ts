// The part of a repository's tree that came with a commit: finds what is at a path, and undoes the commit's ops, which gives the
// root of the tree before it. Nodes are read when they are needed; every walk has a bound. What follows from it for the commit is
// commit-check.ts.

import { ByteWriter } from '../byte-writer.ts';
import type { CarIndex } from '../decode/car.ts';
import { CborCursor } from '../decode/cbor-cursor.ts';
import { keyHeight } from './key-height.ts';
import { compareBytes, linkBytes } from './tree-link.ts';
import { digestOf, emptyTreeDigest, KeyArena, readNode, type TreeEntry, TreeNode } from './tree-node.ts';
import { badTree, missingBlocks, tooDeep, tooLarge, tooWide } from './tree-stop.ts';

/** Levels that are gone down. A key at level 25 would take its maker 2^50 hashes; real trees have 13. */
export const depthMax = 64;
/** Entries of a node. Four are usual, and 26 the most of 1,265 real ones: whoever chooses keys can have any number. */
export const entriesMax = 1024;
/** Entries that are read, and nodes that are passed, for one commit: the largest honest ones take some thousands. */
export const stepsMax = 65_536;

/** What undoes an op: `prev` put back at its path, or nothing left there. */
export interface Undoing {
  /** The path, in the frame's bytes. */
  readonly pathStart: number;
  readonly pathEnd: number;
  /** CID of what was at the path before, in the frame's bytes; start -1 when there was nothing. */
  readonly prevStart: number;
  readonly prevEnd: number;
  /** Whether the path is in the tree now. */
  readonly isThere: boolean;
}

/** An undoing with its place in the arena of keys, and the level of a key that has to be put in. */
interface Edit extends Undoing {
  readonly keyStart: number;
  readonly keyEnd: number;
  readonly height: number;
}

const noRoom = new Uint8Array(0);

/** The tree of one commit after the other. All spans are of the bytes it was opened with. */
export class PartialTree {
  /** CID of the value that `find` found. */
  valueStart = 0;
  valueEnd = 0;
  #bytes: Uint8Array = noRoom;
  #car: CarIndex | undefined;
  #root: TreeNode | undefined;
  #steps = 0;
  #edits: readonly Edit[] = [];
  readonly #keys = new KeyArena();
  readonly #cursor = new CborCursor();
  readonly #out = new ByteWriter();

  /** @param rootAt where in `bytes`, which `car` has read, the CID of the root is. */
  open(car: CarIndex, bytes: Uint8Array, rootAt: number): void {
    this.#bytes = bytes;
    this.#car = car;
    this.#root = new TreeNode(rootAt);
    this.#steps = 0;
    this.#keys.length = 0;
  }

  /** Whether the path is in the tree; its value is then at `valueStart`. @throws TreeStopError */
  find(pathStart: number, pathEnd: number): boolean {
    let below: TreeEntry | undefined;
    let above: TreeEntry | undefined;
    let node = this.#root;
    for (let depth = 0; node !== undefined; depth++) {
      if (!node.isRead) {
        this.#read(node, depth);
        this.#checkBounds(node, below, above);
      }
      this.#spend(1);
      const { entries } = node;
      const index = this.#placeOf(node, this.#bytes, pathStart, pathEnd);
      const entry = entries[index];
      if (entry !== undefined && this.#compare(entry, this.#bytes, pathStart, pathEnd) === 0) {
        this.valueStart = entry.valueStart;
        this.valueEnd = entry.valueEnd;
        return true;
      }
      above = entry ?? above;
      below = entries[index - 1] ?? below;
      node = node.childAt(index);
    }
    return false;
  }

  /**
   * The digest of the root before the ops. It changes the tree: `find` is not to be called after it.
   * @param undoings by path, in order, each path once. @throws TreeStopError
   */
  undo(undoings: readonly Undoing[]): Uint8Array {
    let top = -1;
    this.#edits = undoings.map((undoing): Edit => {
      const keyStart = this.#keys.length;
      this.#keys.append(0, 0, this.#bytes, undoing.pathStart, undoing.pathEnd);
      const keyEnd = this.#keys.length;
      const height = undoing.isThere ? -1 : keyHeight(this.#keys.bytes.subarray(keyStart, keyEnd));
      top = Math.max(top, height);
      return { ...undoing, keyStart, keyEnd, height };
    });
    let root = this.#root;
    let level = 0;
    if (top >= 0) {
      // The level matters only to put keys in.
      level = this.#levelOf(root as TreeNode);
      if (level < 0) root = undefined;
      for (level = Math.max(level, 0); level < top; level++) {
        const raised = new TreeNode(-1);
        raised.left = root;
        root = raised;
      }
    }
    root = this.#trim(this.#change(root, level, 0, this.#edits.length, 0));
    return root === undefined ? emptyTreeDigest : digestOf(root, this.#bytes, this.#keys, this.#out);
  }

  /** The level of the root, by its first key; -1 when there is none in the whole tree. */
  #levelOf(root: TreeNode): number {
    if (!root.isRead) this.#read(root, 0);
    const [entry] = root.entries;
    if (entry !== undefined) return keyHeight(this.#keys.bytes.subarray(entry.keyStart, entry.keyEnd));
    if (root.left !== undefined) throw badTree;
    return -1;
  }

  /** A root without a key makes way for its child. One whose block is missing is the root: nothing else leads to it. */
  #trim(root: TreeNode | undefined): TreeNode | undefined {
    let top = root;
    for (let depth = 0; top !== undefined; depth++) {
      if (!top.isRead) {
        if (!(this.#car as CarIndex).find(this.#bytes, top.linkAt, top.linkAt + linkBytes)) return top;
        this.#read(top, depth);
      }
      if (top.entries.length > 0) return top;
      top = top.left;
    }
    return undefined;
  }

  /** Carries out the edits `[from, to)`, all of which belong at or below that node. Returns what is left of it. */
  #change(
    node: TreeNode | undefined,
    level: number,
    from: number,
    to: number,
    depth: number,
  ): TreeNode | undefined {
    if (from === to) return node;
    const changed = node ?? new TreeNode(-1);
    if (!changed.isRead) this.#read(changed, depth);
    if (depth > depthMax) throw tooDeep;
    this.#spend(1);
    const place = this.#placeOfEdit(changed, this.#edits[from]);
    // The usual case, a child that is changed, needs nothing new.
    if (
      place === this.#placeOfEdit(changed, this.#edits[to - 1]) &&
      !this.#isHere(changed, place, level, from, to)
    ) {
      changed.setChildAt(place, this.#change(changed.childAt(place), level - 1, from, to, depth + 1));
    } else {
      this.#changeEntries(changed, level, from, to, depth);
    }
    return emptied(changed);
  }

  /** Whether one of the edits, all of which belong in front of entry `place`, is at this very node. */
  #isHere(node: TreeNode, place: number, level: number, from: number, to: number): boolean {
    const entry = node.entries[place];
    for (let index = from; index < to; index++) {
      const edit = this.#edits[index];
      if (edit.height >= level && !edit.isThere) return true;
      if (entry !== undefined && edit.isThere && this.#compareKeys(entry, edit) === 0) return true;
    }
    return false;
  }

  /** Builds the entries of a node anew, with the edits that are at this node and those below. */
  #changeEntries(node: TreeNode, level: number, from: number, to: number, depth: number): void {
    const { entries } = node;
    const kept: TreeEntry[] = [];
    /** What is behind the last of `kept`. */
    let tail: TreeNode | undefined;
    let isJoined = false;
    const addChild = (child: TreeNode | undefined): void => {
      tail = isJoined ? this.#merge(tail, child, depth + 1) : child;
      isJoined = false;
    };
    const addEntry = (entry: TreeEntry): void => {
      const last = kept[kept.length - 1];
      if (last === undefined) node.left = tail;
      else last.right = tail;
      kept.push(entry);
    };
    let next = from;
    for (let index = 0; index <= entries.length; index++) {
      let child = node.childAt(index);
      const entry = entries[index];
      let start = next;
      while (next < to && (entry === undefined || this.#compareKeys(entry, this.#edits[next]) > 0)) {
        const edit = this.#edits[next++];
        if (edit.isThere || edit.height < level) continue;
        const [before, after] = this.#split(child, edit, depth + 1);
        addChild(this.#change(before, level - 1, start, next - 1, depth + 1));
        const { keyStart, keyEnd, prevStart, prevEnd } = edit;
        addEntry({ keyStart, keyEnd, valueStart: prevStart, valueEnd: prevEnd, right: undefined });
        child = after;
        start = next;
      }
      addChild(this.#change(child, level - 1, start, next, depth + 1));
      if (entry === undefined) continue;
      const edit = this.#edits[next];
      const isHere = next < to && this.#compareKeys(entry, edit) === 0;
      if (isHere) next++;
      if (isHere && edit.prevStart < 0) {
        isJoined = true;
        continue;
      }
      if (isHere) {
        entry.valueStart = edit.prevStart;
        entry.valueEnd = edit.prevEnd;
      }
      addEntry(entry);
    }
    const last = kept[kept.length - 1];
    if (last === undefined) node.left = tail;
    else last.right = tail;
    node.entries = kept;
    node.isChanged = node.isRebuilt = true;
  }

  /** The two sides of a key that is not in the node. A side that has nothing is undefined. */
  #split(
    node: TreeNode | undefined,
    edit: Edit,
    depth: number,
  ): readonly [before: TreeNode | undefined, after: TreeNode | undefined] {
    if (node === undefined) return [undefined, undefined];
    if (depth > depthMax) throw tooDeep;
    this.#spend(1);
    if (!node.isRead) this.#read(node, depth);
    const { entries } = node;
    const place = this.#placeOfEdit(node, edit);
    const child = node.childAt(place);
    const [before, after] = this.#split(child, edit, depth + 1);
    if (place === 0 && before === undefined && after === child) return [undefined, node];
    if (place === entries.length && after === undefined && before === child) return [node, undefined];
    const low = new TreeNode(-1);
    const high = new TreeNode(-1);
    low.entries = entries.slice(0, place);
    low.left = node.left;
    if (place === 0) low.left = before;
    else low.entries[place - 1].right = before;
    high.entries = entries.slice(place);
    high.left = after;
    return [emptied(low), emptied(high)];
  }

  /** One node of two at the same level, of which all keys of `low` come first. */
  #merge(low: TreeNode | undefined, high: TreeNode | undefined, depth: number): TreeNode | undefined {
    if (low === undefined) return high;
    if (high === undefined) return low;
    if (depth > depthMax) throw tooDeep;
    this.#spend(1);
    if (!low.isRead) this.#read(low, depth);
    if (!high.isRead) this.#read(high, depth);
    const middle = this.#merge(low.childAt(low.entries.length), high.left, depth + 1);
    const merged = new TreeNode(-1);
    merged.left = low.left;
    merged.entries = [...low.entries, ...high.entries];
    if (low.entries.length === 0) merged.left = middle;
    else merged.entries[low.entries.length - 1].right = middle;
    return emptied(merged);
  }

  #read(node: TreeNode, depth: number): void {
    if (depth > depthMax) throw tooDeep;
    const car = this.#car as CarIndex;
    if (!car.find(this.#bytes, node.linkAt, node.linkAt + linkBytes)) throw missingBlocks;
    const { blockStart, blockEnd } = car;
    this.#cursor.open(this.#bytes, blockStart, blockEnd);
    const beyond = readNode(node, this.#cursor, this.#keys, entriesMax);
    if (beyond !== 0) throw beyond < 0 ? badTree : tooWide;
    node.blockStart = blockStart;
    node.blockEnd = blockEnd;
    this.#spend(node.entries.length);
  }

  /** Keys of a node lie between those around it. */
  #checkBounds(node: TreeNode, below: TreeEntry | undefined, above: TreeEntry | undefined): void {
    const { entries } = node;
    const [first] = entries;
    if (first === undefined) return;
    const { bytes } = this.#keys;
    if (below !== undefined && this.#compare(first, bytes, below.keyStart, below.keyEnd) <= 0) throw badTree;
    const last = entries[entries.length - 1];
    if (above !== undefined && this.#compare(last, bytes, above.keyStart, above.keyEnd) >= 0) throw badTree;
  }

  #spend(steps: number): void {
    this.#steps += steps;
    if (this.#steps > stepsMax) throw tooLarge;
  }

  #compare({ keyStart, keyEnd }: TreeEntry, source: Uint8Array, start: number, end: number): number {
    return compareBytes(this.#keys.bytes, keyStart, keyEnd, source, start, end);
  }

  #compareKeys(entry: TreeEntry, edit: Edit): number {
    return this.#compare(entry, this.#keys.bytes, edit.keyStart, edit.keyEnd);
  }

  #placeOfEdit(node: TreeNode, { keyStart, keyEnd }: Edit): number {
    return this.#placeOf(node, this.#keys.bytes, keyStart, keyEnd);
  }

  /** Index of the first entry whose key is not smaller. */
  #placeOf({ entries }: TreeNode, source: Uint8Array, start: number, end: number): number {
    let low = 0;
    let high = entries.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#compare(entries[middle], source, start, end) < 0) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

/** The node, or nothing if it has neither entries nor a child. */
function emptied(node: TreeNode): TreeNode | undefined {
  return node.entries.length === 0 && node.left === undefined ? undefined : node;
}

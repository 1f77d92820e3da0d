// The part of a repository's tree that came with a commit: finds what is at a path, and undoes the commit's ops, which gives the
// root of the tree before it. Nodes are read when they are needed; every walk has a bound. What follows from it for the commit is
// commit-check.ts.

import type { CarIndex } from '../decode/car.ts';
import { matchesAscii } from '../decode/cbor-cursor.ts';
import { keyHeight } from './key-height.ts';
import { emptyTreeDigest, keylessDigest, NodeDigests } from './tree-digest.ts';
import { digestBytes, isSame } from './tree-link.ts';
import { type TreeEntry, TreeNode } from './tree-node.ts';
import { TreeReader } from './tree-reader.ts';
import { missingBlocks } from './tree-stop.ts';

/** Roots without a key on top of one another that are thought of: the height of the key that left them there. */
const keylessMax = 16;

const emptyTreeText = emptyTreeDigest.toString('latin1');

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

/** The tree of one commit after the other. All spans are of the bytes it was opened with. */
export class PartialTree {
  /** CID of the value that `find` found. */
  valueStart = 0;
  valueEnd = 0;
  #root: TreeNode | undefined;
  #edits: readonly Edit[] = [];
  readonly #reader = new TreeReader();
  readonly #digests = new NodeDigests(this.#reader.keys);

  /** @param rootAt where in `bytes`, which `car` has read, the CID of the root is. */
  open(car: CarIndex, bytes: Uint8Array, rootAt: number): void {
    this.#reader.open(car, bytes);
    this.#root = new TreeNode(rootAt);
  }

  /** Whether the path is in the tree; its value is then at `valueStart`. @throws TreeStopError */
  find(pathStart: number, pathEnd: number): boolean {
    let below: TreeEntry | undefined;
    let above: TreeEntry | undefined;
    let node = this.#root;
    for (let depth = 0; node !== undefined; depth++) {
      if (this.#reader.visit(node, depth)) this.#reader.checkBounds(node, below, above);
      const { entries } = node;
      const index = this.#reader.placeOf(node, this.#reader.bytes, pathStart, pathEnd);
      const entry = entries[index];
      if (this.#reader.isFound) {
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
   * Whether the tree before the ops had that root. It changes the tree: `find` is not to be called after it.
   * @param undoings by path, in order, each path once. @param digest of the root; only read. @throws TreeStopError
   */
  undoesTo(undoings: readonly Undoing[], digest: Uint8Array): boolean {
    let top = -1;
    this.#edits = undoings.map((undoing): Edit => {
      const keyStart = this.#reader.keys.length;
      this.#reader.keys.append(0, 0, this.#reader.bytes, undoing.pathStart, undoing.pathEnd);
      const keyEnd = this.#reader.keys.length;
      const height = undoing.isThere ? -1 : keyHeight(this.#reader.keys.bytes.subarray(keyStart, keyEnd));
      top = Math.max(top, height);
      return { ...undoing, keyStart, keyEnd, height };
    });
    let root = this.#root;
    let level = 0;
    if (top >= 0) {
      // The level matters only to put keys in.
      level = this.#levelOf(root as TreeNode);
      // Above a tree without a key nothing is raised: it is put in from the top.
      if (level < 0) root = undefined;
      if (root === undefined) level = top;
      for (; level < top; level++) {
        const raised = new TreeNode(-1);
        raised.left = root;
        root = raised;
      }
    }
    return this.#isRoot(this.#change(root, level, 0, this.#edits.length, 0), digest);
  }

  /** The level of the root, by the first key at the left edge; -1 when there is none in the whole tree. */
  #levelOf(root: TreeNode): number {
    let node: TreeNode | undefined = root;
    for (let depth = 0; node !== undefined; depth++) {
      this.#reader.visit(node, depth);
      const [entry] = node.entries;
      if (entry !== undefined) {
        return keyHeight(this.#reader.keys.bytes.subarray(entry.keyStart, entry.keyEnd)) + depth;
      }
      node = node.left;
    }
    return -1;
  }

  /**
   * Whether that digest is the root of a tree with those keys. A root without a key should make way for its child, and is no
   * other tree for it: `@atproto/repo` leaves some when a commit deletes all that there is, and creates something.
   * @throws TreeStopError
   */
  #isRoot(root: TreeNode | undefined, digest: Uint8Array): boolean {
    let node = root;
    let found = emptyTreeText;
    let isMissing = false;
    for (let depth = 0; node !== undefined; depth++) {
      found = this.#digests.of(node, this.#reader.bytes);
      if (matchesAscii(digest, 0, found)) return true;
      if (!node.isRead) {
        // It may have no key, and what is below it be the root.
        isMissing = !this.#reader.has(node);
        if (isMissing) break;
        this.#reader.visit(node, depth);
      }
      if (node.entries.length > 0) break;
      node = node.left;
    }
    if (node === undefined) return isSame(emptyTreeDigest, 0, digestBytes, digest, 0, digestBytes);
    for (let more = 0; more < keylessMax; more++) {
      found = keylessDigest(found);
      if (matchesAscii(digest, 0, found)) return true;
    }
    if (isMissing) throw missingBlocks;
    return false;
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
    this.#reader.visit(changed, depth);
    const first = this.#edits[from];
    const place = this.#placeOf(changed, first);
    const isBelow =
      to - from === 1
        ? !(first.isThere ? this.#reader.isFound : first.height >= level)
        : place === this.#placeOf(changed, this.#edits[to - 1]) &&
          !this.#isHere(changed, place, level, from, to);
    // The usual case, a child that is changed, needs nothing new.
    if (isBelow) {
      changed.setChildAt(place, this.#change(changed.childAt(place), level - 1, from, to, depth + 1));
    } else {
      this.#changeEntries(changed, place, level, from, to, depth);
    }
    return emptied(changed);
  }

  /** Whether one of the edits, all of which belong in front of entry `place`, is at this very node. */
  #isHere(node: TreeNode, place: number, level: number, from: number, to: number): boolean {
    const entry = node.entries[place];
    for (let index = from; index < to; index++) {
      const edit = this.#edits[index];
      if (edit.height >= level && !edit.isThere) return true;
      if (entry !== undefined && edit.isThere && this.#compare(entry, edit) === 0) return true;
    }
    return false;
  }

  /**
   * Builds the entries of a node anew, with the edits that are at this node and those below.
   * @param place the first entry that is not in front of all of them.
   */
  #changeEntries(
    node: TreeNode,
    place: number,
    level: number,
    from: number,
    to: number,
    depth: number,
  ): void {
    const { entries } = node;
    const kept = entries.slice(0, place);
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
    for (let index = place; index <= entries.length; index++) {
      let child = node.childAt(index);
      const entry = entries[index];
      let start = next;
      let order = this.#orderOf(entry, next, to);
      while (order > 0) {
        const edit = this.#edits[next++];
        order = this.#orderOf(entry, next, to);
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
      const isHere = order === 0;
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
    this.#reader.visit(node, depth);
    const { entries } = node;
    const place = this.#placeOf(node, edit);
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
    this.#reader.visit(low, depth);
    this.#reader.visit(high, depth);
    const middle = this.#merge(low.childAt(low.entries.length), high.left, depth + 1);
    const merged = new TreeNode(-1);
    merged.left = low.left;
    merged.entries = [...low.entries, ...high.entries];
    if (low.entries.length === 0) merged.left = middle;
    else merged.entries[low.entries.length - 1].right = middle;
    return emptied(merged);
  }

  /** The order of an entry, or the end, and an edit; negative when there are no more edits. */
  #orderOf(entry: TreeEntry | undefined, next: number, to: number): number {
    if (next === to) return -1;
    return entry === undefined ? 1 : this.#compare(entry, this.#edits[next]);
  }

  #compare(entry: TreeEntry, { keyStart, keyEnd }: Edit): number {
    return this.#reader.compare(entry, this.#reader.keys.bytes, keyStart, keyEnd);
  }

  #placeOf(node: TreeNode, { keyStart, keyEnd }: Edit): number {
    return this.#reader.placeOf(node, this.#reader.keys.bytes, keyStart, keyEnd);
  }
}

/** The node, or nothing if it has neither entries nor a child. */
function emptied(node: TreeNode): TreeNode | undefined {
  return node.entries.length === 0 && node.left === undefined ? undefined : node;
}

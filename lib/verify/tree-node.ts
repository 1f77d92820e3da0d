// Nodes of a repository's tree (a Merkle search tree, atproto.com/specs/repository) as they are read from blocks, and changed.
// Their keys are in one arena, values and links are spans of the frame's bytes. Which nodes there are, and what is
// done to them, is partial-tree.ts; tree-digest.ts writes them again.

import { type CborCursor, majors } from '../decode/cbor-cursor.ts';
import { grow } from '../grow.ts';
import { compareBytes, isTreeLink, linkBytes, linkHeadBytes } from './tree-link.ts';

/** Longest key: a collection of 317 bytes, a slash, a record key of 512 (atproto.com/specs/record-key), and room. */
const keyBytesMax = 1024;
/** A key, its value, and the node with the keys after it. */
export interface TreeEntry {
  /** In the arena of keys. */
  readonly keyStart: number;
  readonly keyEnd: number;
  /** The value's CID, in the frame's bytes. */
  valueStart: number;
  valueEnd: number;
  right: TreeNode | undefined;
}

/** Of a node that has not been read: most are not, and need no list of their own. */
const noEntries: readonly TreeEntry[] = [];

/** A node: one that a link names, which is read when it is needed, or one that was made here. */
export class TreeNode {
  /** Where the CID that names it lies in the frame's bytes; -1 for one that was made. */
  readonly linkAt: number;
  /** Its block, in the frame's bytes, once it has been read; until then start is -1. */
  blockStart = -1;
  blockEnd = -1;
  left: TreeNode | undefined;
  entries: readonly TreeEntry[] = noEntries;
  /** Whether anything in it or below it differs from its block, and whether in it more than links. */
  isChanged: boolean;
  isRebuilt: boolean;

  constructor(linkAt: number) {
    this.linkAt = linkAt;
    this.isChanged = this.isRebuilt = linkAt < 0;
  }

  get isRead(): boolean {
    return this.blockStart >= 0 || this.linkAt < 0;
  }

  /** The child in front of entry `index`, or behind the last. */
  childAt(index: number): TreeNode | undefined {
    return index === 0 ? this.left : this.entries[index - 1].right;
  }

  setChildAt(index: number, child: TreeNode | undefined): void {
    const before = this.childAt(index);
    this.isChanged = true;
    // A link is replaced in place as long as there is one before and after.
    if (child === undefined || before === undefined) this.isRebuilt = true;
    if (index === 0) this.left = child;
    else this.entries[index - 1].right = child;
  }
}

/** Of an arena: usual trees take some kilobytes. */
const keptBytes = 64 * 1024;

/** The keys of the nodes of one tree, one after the other. */
export class KeyArena {
  bytes = new Uint8Array(keptBytes);
  length = 0;

  /** Empties it, and gives back what a large tree has taken. */
  clear(): void {
    this.length = 0;
    if (this.bytes.length > keptBytes) this.bytes = new Uint8Array(keptBytes);
  }

  /** Appends a key: `prefix` bytes of what is at `from`, then `source[start, end)`. */
  append(from: number, prefix: number, source: Uint8Array, start: number, end: number): void {
    const needed = this.length + prefix + end - start;
    if (needed > this.bytes.length) this.bytes = grow(this.bytes, needed * 2);
    const { bytes } = this;
    let at = this.length;
    for (let index = from; index < from + prefix; index++) bytes[at++] = bytes[index];
    for (let index = start; index < end; index++) bytes[at++] = source[index];
    this.length = needed;
  }
}

const [letterE, letterK, letterL, letterP, letterT, letterV] = Buffer.from('eklptv');
const mapOfTwo = 0xa2;
const mapOfFour = 0xa4;
const textOfOne = 0x61;

/**
 * Reads the node of a block in its one canonical form, whose keys rise. Of the arena it uses what is behind its end.
 * @param cursor opened at the block.
 * @returns how many entries there are more than `entriesMax`, if so; -1 when it is no node; else 0.
 */
export function readNode(node: TreeNode, cursor: CborCursor, keys: KeyArena, entriesMax: number): number {
  const { bytes } = cursor;
  if (!passByte(cursor, mapOfTwo) || !passName(cursor, letterE) || !cursor.typed(majors.array)) return -1;
  const count = cursor.argument;
  if (count > entriesMax) return count - entriesMax;
  const entries: TreeEntry[] = [];
  let keyStart = keys.length;
  for (let left = count; left > 0; left--) {
    if (!passByte(cursor, mapOfFour) || !passName(cursor, letterK) || !cursor.sized(majors.bytes)) return -1;
    const start = cursor.at;
    const end = start + cursor.argument;
    cursor.at = end;
    if (!passName(cursor, letterP) || !cursor.typed(majors.unsigned)) return -1;
    const prefix = cursor.argument;
    if (prefix > keys.length - keyStart || prefix + end - start > keyBytesMax) return -1;
    // Behind the first key it has to be larger than the one before, whose first `prefix` bytes it shares.
    const before = keys.length;
    if (left < count && compareBytes(bytes, start, end, keys.bytes, keyStart + prefix, before) <= 0)
      return -1;
    keys.append(keyStart, prefix, bytes, start, end);
    keyStart = before;
    if (!passName(cursor, letterT)) return -1;
    const link = takeChild(cursor);
    if (link < 0 || !passName(cursor, letterV)) return -1;
    const valueStart = takeValue(cursor);
    if (valueStart < 0) return -1;
    const right = link === 0 ? undefined : new TreeNode(link);
    entries.push({ keyStart, keyEnd: keys.length, valueStart, valueEnd: cursor.at, right });
  }
  if (!passName(cursor, letterL)) return -1;
  const link = takeChild(cursor);
  if (link < 0 || cursor.at !== cursor.end) return -1;
  node.left = link === 0 ? undefined : new TreeNode(link);
  node.entries = entries;
  return 0;
}

function passByte(cursor: CborCursor, byte: number): boolean {
  if (cursor.at >= cursor.end || cursor.bytes[cursor.at] !== byte) return false;
  cursor.at++;
  return true;
}

/** Passes a field's name, of one letter. */
function passName(cursor: CborCursor, letter: number): boolean {
  const { bytes, at } = cursor;
  if (cursor.end - at < 2 || bytes[at] !== textOfOne || bytes[at + 1] !== letter) return false;
  cursor.at = at + 2;
  return true;
}

/** Takes a link to a node, or null. Returns where its CID is, 0 for null, -1 for anything else. */
function takeChild(cursor: CborCursor): number {
  if (cursor.takeNull()) return 0;
  if (!isTreeLink(cursor.bytes, cursor.at, cursor.end)) return -1;
  cursor.at += linkHeadBytes + linkBytes;
  return cursor.at - linkBytes;
}

/** Takes a link to whatever, up to `cursor.at`. Returns where its CID begins, -1 for anything else. */
function takeValue(cursor: CborCursor): number {
  // Nearly all are of the one form.
  if (isTreeLink(cursor.bytes, cursor.at, cursor.end)) {
    cursor.at += linkHeadBytes + linkBytes;
    return cursor.at - linkBytes;
  }
  return cursor.takeLink() ? cursor.at - cursor.argument + 1 : -1;
}

/** How many bytes two keys of an arena begin with in common. */
export function commonPrefix(
  bytes: Uint8Array,
  aStart: number,
  aEnd: number,
  bStart: number,
  bEnd: number,
): number {
  const count = Math.min(aEnd - aStart, bEnd - bStart);
  let index = 0;
  while (index < count && bytes[aStart + index] === bytes[bStart + index]) index++;
  return index;
}

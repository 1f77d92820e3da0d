// Nodes of a repository's tree (a Merkle search tree, atproto.com/specs/repository) as they are read from blocks, changed, and
// written again. Their keys are in one arena, values and links are spans of the frame's bytes. Which nodes there are, and what is
// done to them, is partial-tree.ts.

import { hash } from 'node:crypto';
import type { ByteWriter } from '../byte-writer.ts';
import { type CborCursor, majors, matchesAscii } from '../decode/cbor-cursor.ts';
import { grow } from '../grow.ts';
import {
  compareBytes,
  digestBytes,
  isTreeLink,
  linkBytes,
  linkHeadBytes,
  writeTreeLink,
} from './tree-link.ts';

/** Longest key: a collection of 317 bytes, a slash, a record key of 512 (atproto.com/specs/record-key), and room. */
const keyBytesMax = 1024;
const nullByte = 0xf6;
/** The digest of the tree without a key, whose one block is `{e: [], l: null}`. */
export const emptyTreeDigest = hash('sha256', Buffer.from('a2616580616cf6', 'hex'), 'buffer');

const keylessHead = Buffer.from('a2616580616c', 'hex');

/** The digest of a node without a key above another, given by its digest. */
export function keylessDigest(child: Uint8Array): Uint8Array {
  const block = Buffer.alloc(keylessHead.length + linkHeadBytes + linkBytes);
  keylessHead.copy(block);
  writeTreeLink(block, keylessHead.length, child);
  return hash('sha256', block, 'buffer');
}

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

/** A node: one that a link names, which is read when it is needed, or one that was made here. */
export class TreeNode {
  /** Where the CID that names it lies in the frame's bytes; -1 for one that was made. */
  readonly linkAt: number;
  /** Its block, in the frame's bytes, once it has been read; until then start is -1. */
  blockStart = -1;
  blockEnd = -1;
  left: TreeNode | undefined;
  entries: TreeEntry[] = [];
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
    this.bytes.copyWithin(this.length, from, from + prefix);
    const at = this.length + prefix;
    for (let index = start; index < end; index++) this.bytes[at + index - start] = source[index];
    this.length = needed;
  }
}

/**
 * Reads the node of a block in its one canonical form, whose keys rise. Of the arena it uses what is behind its end.
 * @param cursor opened at the block.
 * @returns how many entries there are more than `entriesMax`, if so; -1 when it is no node; else 0.
 */
export function readNode(node: TreeNode, cursor: CborCursor, keys: KeyArena, entriesMax: number): number {
  const { bytes } = cursor;
  if (!pass(cursor, '\xa2\x61e') || !cursor.typed(majors.array)) return -1;
  const count = cursor.argument;
  if (count > entriesMax) return count - entriesMax;
  let keyStart = keys.length;
  for (let left = count; left > 0; left--) {
    if (!pass(cursor, '\xa4\x61k') || !cursor.sized(majors.bytes)) return -1;
    const start = cursor.at;
    const end = start + cursor.argument;
    cursor.at = end;
    if (!pass(cursor, '\x61p') || !cursor.typed(majors.unsigned)) return -1;
    const prefix = cursor.argument;
    if (prefix > keys.length - keyStart || prefix + end - start > keyBytesMax) return -1;
    // Behind the first key it has to be larger than the one before, whose first `prefix` bytes it shares.
    const before = keys.length;
    if (left < count && compareBytes(bytes, start, end, keys.bytes, keyStart + prefix, before) <= 0)
      return -1;
    keys.append(keyStart, prefix, bytes, start, end);
    keyStart = before;
    if (!pass(cursor, '\x61t')) return -1;
    const link = takeChild(cursor);
    if (link < 0 || !pass(cursor, '\x61v') || !cursor.takeLink()) return -1;
    node.entries.push({
      keyStart,
      keyEnd: keys.length,
      valueStart: cursor.at - cursor.argument + 1,
      valueEnd: cursor.at,
      right: link === 0 ? undefined : new TreeNode(link),
    });
  }
  if (!pass(cursor, '\x61l')) return -1;
  const link = takeChild(cursor);
  if (link < 0 || cursor.at !== cursor.end) return -1;
  node.left = link === 0 ? undefined : new TreeNode(link);
  return 0;
}

function pass(cursor: CborCursor, text: string): boolean {
  if (text.length > cursor.end - cursor.at || !matchesAscii(cursor.bytes, cursor.at, text)) return false;
  cursor.at += text.length;
  return true;
}

/** Takes a link to a node, or null. Returns where its CID is, 0 for null, -1 for anything else. */
function takeChild(cursor: CborCursor): number {
  if (cursor.takeNull()) return 0;
  if (!isTreeLink(cursor.bytes, cursor.at, cursor.end)) return -1;
  cursor.at += linkHeadBytes + linkBytes;
  return cursor.at - linkBytes;
}

/**
 * The digest of a node's CID as it is now. Writes those that are changed below it first.
 * @param bytes the frame's. @param out scratch.
 */
export function digestOf(node: TreeNode, bytes: Uint8Array, keys: KeyArena, out: ByteWriter): Uint8Array {
  if (!node.isChanged) return bytes.subarray(node.linkAt + linkBytes - digestBytes, node.linkAt + linkBytes);
  const children: (Uint8Array | undefined)[] = [];
  for (let index = 0; index <= node.entries.length; index++) {
    const child = node.childAt(index);
    children.push(child?.isChanged ? digestOf(child, bytes, keys, out) : undefined);
  }
  out.shrink();
  if (node.isRebuilt) rebuild(node, children, bytes, keys, out);
  else patch(node, children, bytes, out);
  return hash('sha256', out.buffer.subarray(0, out.length), 'buffer');
}

/** Writes the block as it was, but for the links that have changed. */
function patch(
  node: TreeNode,
  children: readonly (Uint8Array | undefined)[],
  bytes: Uint8Array,
  out: ByteWriter,
): void {
  const { blockStart } = node;
  out.bytes(bytes, blockStart, node.blockEnd);
  for (const [index, digest] of children.entries()) {
    if (digest === undefined) continue;
    const { linkAt } = node.childAt(index) as TreeNode;
    out.buffer.set(digest, linkAt + linkBytes - digestBytes - blockStart);
  }
}

function rebuild(
  node: TreeNode,
  children: readonly (Uint8Array | undefined)[],
  bytes: Uint8Array,
  keys: KeyArena,
  out: ByteWriter,
): void {
  const writeChild = (index: number): void => {
    const child = node.childAt(index);
    if (child === undefined) out.byte(nullByte);
    else writeLink(out, children[index] ?? digestOf(child, bytes, keys, out));
  };
  out.ascii('\xa2\x61e');
  writeHead(out, majors.array, node.entries.length);
  let beforeStart = 0;
  let beforeEnd = 0;
  for (const [index, { keyStart, keyEnd, valueStart, valueEnd }] of node.entries.entries()) {
    const prefix = index === 0 ? 0 : commonPrefix(keys.bytes, beforeStart, beforeEnd, keyStart, keyEnd);
    out.ascii('\xa4\x61k');
    writeHead(out, majors.bytes, keyEnd - keyStart - prefix);
    out.bytes(keys.bytes, keyStart + prefix, keyEnd);
    out.ascii('\x61p');
    writeHead(out, majors.unsigned, prefix);
    out.ascii('\x61t');
    writeChild(index + 1);
    out.ascii('\x61v\xd8\x2a');
    writeHead(out, majors.bytes, valueEnd - valueStart + 1);
    out.byte(0);
    out.bytes(bytes, valueStart, valueEnd);
    beforeStart = keyStart;
    beforeEnd = keyEnd;
  }
  out.ascii('\x61l');
  writeChild(0);
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

/** Writes a head in its shortest form. @param argument below 65,536: bounds of nodes and keys are lower. */
function writeHead(out: ByteWriter, major: number, argument: number): void {
  if (argument < 24) {
    out.byte((major << 5) | argument);
    return;
  }
  out.byte((major << 5) | (argument < 0x100 ? 24 : 25));
  if (argument >= 0x100) out.byte(argument >> 8);
  out.byte(argument & 0xff);
}

function writeLink(out: ByteWriter, digest: Uint8Array): void {
  out.reserve(linkHeadBytes + linkBytes);
  out.length = writeTreeLink(out.buffer, out.length, digest);
}

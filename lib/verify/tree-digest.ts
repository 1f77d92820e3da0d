// Nodes of a repository's tree written again, as they are after changes, for their digests: a node in which only links have changed is
// its block with other digests. Digests that are made here are latin1 text, because Node makes that faster than bytes. What a node is,
// is tree-node.ts.

import { hash } from 'node:crypto';
import { ByteWriter } from '../byte-writer.ts';
import { majors } from '../decode/cbor-cursor.ts';
import {
  copyTreeLink,
  digestBytes,
  linkBytes,
  linkHeadBytes,
  writeDigest,
  writeTreeLink,
} from './tree-link.ts';
import { commonPrefix, type KeyArena, type TreeNode } from './tree-node.ts';

const nullByte = 0xf6;
/** The digest of the tree without a key, whose one block is `{e: [], l: null}`. */
export const emptyTreeDigest = hash('sha256', Buffer.from('a2616580616cf6', 'hex'), 'buffer');

const keylessHead = Buffer.from('a2616580616c', 'hex');

/** The digest of a node without a key above another, given by its digest. */
export function keylessDigest(child: string): string {
  const block = Buffer.alloc(keylessHead.length + linkHeadBytes + linkBytes);
  keylessHead.copy(block);
  writeTreeLink(block, keylessHead.length, child);
  return hash('sha256', block, 'latin1');
}

/** Writes nodes as they are now, for their digests. One tree at a time. */
export class NodeDigests {
  readonly #keys: KeyArena;
  readonly #out = new ByteWriter();
  /** Of nodes that are changed below those that are being written, in their order. */
  readonly #below: string[] = [];
  #bytes: Uint8Array = new Uint8Array(0);

  constructor(keys: KeyArena) {
    this.#keys = keys;
  }

  /** The digest of a node's CID, as latin1 text. @param bytes the frame's. */
  of(node: TreeNode, bytes: Uint8Array): string {
    this.#bytes = bytes;
    this.#below.length = 0;
    if (node.isChanged) return this.#write(node);
    const end = node.linkAt + linkBytes;
    return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString(
      'latin1',
      end - digestBytes,
      end,
    );
  }

  #write(node: TreeNode): string {
    const below = this.#below;
    const first = below.length;
    for (let index = 0; index <= node.entries.length; index++) {
      const child = node.childAt(index);
      if (child?.isChanged) below.push(this.#write(child));
    }
    this.#out.shrink();
    if (node.isRebuilt) this.#rebuild(node, first);
    else this.#patch(node, first);
    below.length = first;
    return hash('sha256', this.#out.buffer.subarray(0, this.#out.length), 'latin1');
  }

  /** Writes the block as it was, but for the links that have changed. */
  #patch(node: TreeNode, first: number): void {
    const out = this.#out;
    const { blockStart, entries } = node;
    out.bytes(this.#bytes, blockStart, node.blockEnd);
    let next = first;
    for (let index = 0; index <= entries.length; index++) {
      const child = node.childAt(index);
      if (!child?.isChanged) continue;
      writeDigest(out.buffer, child.linkAt + linkBytes - digestBytes - blockStart, this.#below[next++]);
    }
  }

  #rebuild(node: TreeNode, first: number): void {
    const out = this.#out;
    const keys = this.#keys.bytes;
    // The link to the left comes last.
    let next = node.left?.isChanged ? first + 1 : first;
    out.ascii('\xa2\x61e');
    writeHead(out, majors.array, node.entries.length);
    let beforeStart = 0;
    let beforeEnd = 0;
    for (const { keyStart, keyEnd, valueStart, valueEnd, right } of node.entries) {
      const prefix = commonPrefix(keys, beforeStart, beforeEnd, keyStart, keyEnd);
      out.ascii('\xa4\x61k');
      writeHead(out, majors.bytes, keyEnd - keyStart - prefix);
      out.bytes(keys, keyStart + prefix, keyEnd);
      out.ascii('\x61p');
      writeHead(out, majors.unsigned, prefix);
      out.ascii('\x61t');
      this.#writeChild(right, next);
      if (right?.isChanged) next++;
      out.ascii('\x61v\xd8\x2a');
      writeHead(out, majors.bytes, valueEnd - valueStart + 1);
      out.byte(0);
      out.bytes(this.#bytes, valueStart, valueEnd);
      beforeStart = keyStart;
      beforeEnd = keyEnd;
    }
    out.ascii('\x61l');
    this.#writeChild(node.left, first);
  }

  /** @param at of its digest among those below, if it is changed. */
  #writeChild(child: TreeNode | undefined, at: number): void {
    const out = this.#out;
    if (child === undefined) {
      out.byte(nullByte);
      return;
    }
    out.reserve(linkHeadBytes + linkBytes);
    if (child.isChanged) writeTreeLink(out.buffer, out.length, this.#below[at]);
    else copyTreeLink(out.buffer, out.length, this.#bytes, child.linkAt);
    out.length += linkHeadBytes + linkBytes;
  }
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

// A repository's tree by the letter of the specification (atproto.com/specs/repository), made from all its keys, without a look at
// how lib/verify or the protocol's packages do it. For tests, which make millions: a node whose records are those of a node of
// an earlier tree is that one. Commits that lead from one to another are plain-commit.ts.

import { hash } from 'node:crypto';
import { ByteWriter } from '../../lib/byte-writer.ts';

/** A record's key, and the digest of what it holds. */
export type Records = ReadonlyMap<string, Uint8Array>;

/** A block, and its SHA-256. */
export interface Block {
  readonly block: Uint8Array;
  readonly digest: Uint8Array;
}

/** A record. The same object in all trees of a {@link PlainTrees} that have it. */
interface Leaf {
  readonly key: Buffer;
  readonly height: number;
  readonly value: Uint8Array;
}

/** A node, and which leaves are in it or below. */
interface Node extends Block {
  readonly leaves: readonly Leaf[];
  readonly children: readonly Child[];
}

/** @param from how many of the parent's leaves are in front of it. */
interface Child {
  readonly from: number;
  readonly node: Node;
}

/** Pairs of zero bits that a key's SHA-256 begins with. */
export function heightOf(key: string): number {
  let bits = 0;
  for (const byte of hash('sha256', key, 'buffer')) {
    bits += Math.clz32(byte) - 24;
    if (byte > 0) break;
  }
  return bits >> 1;
}

/** One tree, as it is. */
export class PlainTree {
  readonly records: Records;
  readonly #root: Node;
  #blocks: readonly Block[] | undefined;
  #texts: ReadonlySet<string> | undefined;

  constructor(records: Records, root: Node) {
    this.records = records;
    this.#root = root;
  }

  get digest(): Uint8Array {
    return this.#root.digest;
  }

  /** Blocks of all nodes. */
  blocks(): readonly Block[] {
    if (this.#blocks === undefined) {
      const blocks: Block[] = [];
      const walk = (node: Node): void => {
        blocks.push(node);
        for (const { node: child } of node.children) walk(child);
      };
      walk(this.#root);
      this.#blocks = blocks;
    }
    return this.#blocks;
  }

  /** Whether it has a node with that digest. */
  has({ digest }: Block): boolean {
    this.#texts ??= new Set(this.blocks().map((one) => hexOf(one.digest)));
    return this.#texts.has(hexOf(digest));
  }

  /** Blocks of the nodes on the way to these keys, to where each would be, and to its neighbours. */
  proof(keys: readonly string[]): Block[] {
    const { leaves } = this.#root;
    const blocks = new Set<Block>();
    const walk = (node: Node, at: number, isThere: boolean): void => {
      blocks.add(node);
      for (const { from, node: child } of node.children) {
        const place = at - from;
        if ((isThere ? place >= 0 : place > 0) && place < child.leaves.length) walk(child, place, isThere);
      }
    };
    for (const key of keys) {
      const bytes = Buffer.from(key);
      const at = placeOf(leaves, bytes);
      const isThere = leaves[at]?.key.equals(bytes) === true;
      walk(this.#root, at, isThere);
      if (at > 0) walk(this.#root, at - 1, true);
      if (at + (isThere ? 1 : 0) < leaves.length) walk(this.#root, at + (isThere ? 1 : 0), true);
    }
    return [...blocks];
  }
}

/** Makes trees. It keeps the leaves of the last ones, and nodes by their first leaf. */
export class PlainTrees {
  /** By key: one for each value that it has had. */
  readonly #leaves = new Map<string, Leaf[]>();
  /** By their first leaf, and their level. */
  readonly #nodes = new WeakMap<Leaf, Node[][]>();

  treeOf(records: Records): PlainTree {
    const leaves = Array.from(records, ([key, value]) => this.#leafOf(key, value));
    leaves.sort((one, other) => Buffer.compare(one.key, other.key));
    const top = leaves.reduce((highest, { height }) => Math.max(highest, height), 0);
    return new PlainTree(records, this.#build(leaves, top) as Node);
  }

  #leafOf(key: string, value: Uint8Array): Leaf {
    const known = this.#leaves.get(key) ?? [];
    if (known.length === 0) this.#leaves.set(key, known);
    let leaf = known.find((one) => one.value === value);
    if (leaf === undefined) {
      leaf = { key: known[0]?.key ?? Buffer.from(key), height: known[0]?.height ?? heightOf(key), value };
      known.push(leaf);
    }
    return leaf;
  }

  /** The node of a level with these leaves; undefined when there are none, but at the top. */
  #build(leaves: readonly Leaf[], level: number, isTop = true): Node | undefined {
    if (leaves.length === 0) return isTop ? nodeOf(leaves, level, []) : undefined;
    const levels = this.#nodes.get(leaves[0]) ?? [];
    if (levels.length === 0) this.#nodes.set(leaves[0], levels);
    levels[level] ??= [];
    const known = levels[level];
    const same = known.find((node) => isSame(node.leaves, leaves));
    if (same !== undefined) return same;
    const children: Child[] = [];
    let from = 0;
    for (let at = 0; level > 0 && at <= leaves.length; at++) {
      if (at < leaves.length && leaves[at].height !== level) continue;
      const node = this.#build(leaves.slice(from, at), level - 1, false);
      if (node !== undefined) children.push({ from, node });
      from = at + 1;
    }
    const node = nodeOf(leaves, level, children);
    if (known.length >= nodesMax) known.shift();
    known.push(node);
    return node;
  }
}

/** Nodes of a level that begin with the same leaf, of which more are not kept. */
const nodesMax = 64;

function nodeOf(leaves: readonly Leaf[], level: number, children: readonly Child[]): Node {
  const here: number[] = [];
  for (let at = 0; at < leaves.length; at++) if (leaves[at].height === level) here.push(at);
  const out = nodeOut;
  out.length = 0;
  let next = 0;
  const writeChildAt = (from: number): void => {
    const child = children[next];
    writeChild(out, child?.from === from ? child : undefined);
    if (child?.from === from) next++;
  };
  // The first child's link comes last.
  const left = here[0] !== 0 && children.length > 0 ? children[next++] : undefined;
  out.ascii('\xa2\x61e');
  writeHead(out, 4, here.length);
  for (const [index, at] of here.entries()) {
    const { key, value } = leaves[at];
    const before = leaves[here[index - 1]]?.key;
    let shared = 0;
    while (before !== undefined && shared < before.length && before[shared] === key[shared]) shared++;
    out.ascii('\xa4\x61k');
    writeHead(out, 2, key.length - shared);
    out.bytes(key, shared);
    out.ascii('\x61p');
    writeHead(out, 0, shared);
    out.ascii('\x61t');
    writeChildAt(at + 1);
    out.ascii('\x61v');
    writeLink(out, value);
  }
  out.ascii('\x61l');
  writeChild(out, left);
  const block = out.copy();
  return { leaves, children, block, digest: hash('sha256', block, 'buffer') };
}

const nodeOut = new ByteWriter();
/** A tag 42, 37 bytes, a zero; then a CID of DAG-CBOR by SHA-256. */
const linkHead = Buffer.from('d82a582500' + '01711220', 'hex');

function writeChild(out: ByteWriter, child: Child | undefined): void {
  if (child === undefined) out.byte(0xf6);
  else writeLink(out, child.node.digest);
}

/** Writes a link to DAG-CBOR. */
export function writeLink(out: ByteWriter, digest: Uint8Array): void {
  out.bytes(linkHead);
  out.bytes(digest);
}

/** Writes the head of a CBOR value in its shortest form. */
export function writeHead(out: ByteWriter, major: number, argument: number): void {
  if (argument < 24) {
    out.byte((major << 5) | argument);
    return;
  }
  const bytes = argument < 2 ** 8 ? 1 : argument < 2 ** 16 ? 2 : 4;
  out.byte((major << 5) | (bytes === 1 ? 24 : bytes === 2 ? 25 : 26));
  for (let shift = bytes * 8 - 8; shift >= 0; shift -= 8) out.byte((argument >>> shift) & 255);
}

function isSame(some: readonly Leaf[], others: readonly Leaf[]): boolean {
  if (some.length !== others.length) return false;
  for (let at = 0; at < some.length; at++) if (some[at] !== others[at]) return false;
  return true;
}

/** Index of the first leaf whose key is not smaller. */
function placeOf(leaves: readonly Leaf[], key: Buffer): number {
  let low = 0;
  let high = leaves.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (Buffer.compare(leaves[middle].key, key) < 0) low = middle + 1;
    else high = middle;
  }
  return low;
}

function hexOf(digest: Uint8Array): string {
  return Buffer.from(digest.buffer, digest.byteOffset, digest.length).toString('hex');
}

// The proof of one record, cut out of the blocks that its commit came with: the signed commit object, the nodes of the tree from its
// root to the record's path, and the record; of a path with nothing at it, the nodes that show that. Pure. Whose key signed the
// commit is for those who read the proof; everything else is as it was claimed, or there is no proof.

import { hash } from 'node:crypto';
import { ByteWriter } from '../byte-writer.ts';
import { CarIndex } from '../decode/car.ts';
import { writeCidText } from '../decode/cid.ts';
import { CommitView } from './commit-view.ts';
import { copyTreeLink, linkBytes, linkHeadBytes } from './tree-link.ts';
import { type TreeEntry, TreeNode } from './tree-node.ts';
import { TreeReader } from './tree-reader.ts';
import { TreeStopError } from './tree-stop.ts';

/** What is to be proven: that this is what the account's repository has at that path, as of that revision. */
export interface RecordClaim {
  readonly did: string;
  readonly rev: string;
  /** Collection, slash, record key. */
  readonly path: string;
  /** Undefined: there is nothing at the path. */
  readonly cid: string | undefined;
}

/**
 * Why there is no proof. `other_commit`: the blocks are of another one. `contradicted`: the signed tree has something else at that
 * path. `incomplete`: nodes of the path, or the record, did not come with the commit. `unreadable`: blocks, object or tree have not
 * the form that they should have.
 */
export type ProofFault = 'other_commit' | 'contradicted' | 'incomplete' | 'unreadable';

/** A CAR's header, of its one root: `{roots: [root], version: 1}`. */
const headBeforeRoot = Buffer.from('3aa265726f6f747381', 'hex');
const headBehindRoot = Buffer.from('6776657273696f6e01', 'hex');
/** In front of a digest, in the CID of an object or a node. */
const cidHead = Buffer.from('01711220', 'hex');

/** Cuts one proof after the other; keeps its scratch memory. */
export class RecordProof {
  readonly #car = new CarIndex();
  readonly #commit = new CommitView();
  readonly #reader = new TreeReader();
  readonly #out = new ByteWriter();

  /** @param blocks a commit's, as they came. @returns a CAR of its own memory. Never throws on what the blocks hold. */
  cut(blocks: Uint8Array, claim: RecordClaim): Uint8Array | ProofFault {
    const car = this.#car;
    if (car.read(blocks, 0, blocks.length) !== undefined || !car.findRoot()) return 'unreadable';
    const { blockStart, blockEnd } = car;
    const digest = hash('sha256', blocks.subarray(blockStart, blockEnd), 'buffer');
    const root = Buffer.concat([cidHead, digest]);
    const commit = this.#commit;
    if (!car.isRoot(root, 0, root.length) || commit.read(blocks, blockStart, blockEnd) !== 'canonical')
      return 'unreadable';
    const text = Buffer.from(blocks.buffer, blocks.byteOffset, blocks.length);
    const isOfClaim =
      text.toString('utf8', commit.didStart, commit.didEnd) === claim.did &&
      text.toString('utf8', commit.revStart, commit.revEnd) === claim.rev;
    if (!isOfClaim) return 'other_commit';
    this.#begin(root);
    this.#section(root, 0, root.length, blockStart, blockEnd, blocks);
    try {
      const fault = this.#walk(blocks, claim);
      return fault ?? this.#out.copy();
    } catch (error) {
      if (!(error instanceof TreeStopError)) throw error;
      return error.reason === 'missing_blocks' ? 'incomplete' : 'unreadable';
    }
  }

  /** From the root down to where the path is, or would be. @throws TreeStopError */
  #walk(blocks: Uint8Array, { path, cid }: RecordClaim): ProofFault | undefined {
    const reader = this.#reader;
    reader.open(this.#car, blocks);
    const key = Buffer.from(path);
    let below: TreeEntry | undefined;
    let above: TreeEntry | undefined;
    let node: TreeNode | undefined = new TreeNode(this.#commit.dataAt);
    for (let depth = 0; node !== undefined; depth++) {
      if (reader.visit(node, depth)) reader.checkBounds(node, below, above);
      const { entries, linkAt } = node;
      this.#section(blocks, linkAt, linkAt + linkBytes, node.blockStart, node.blockEnd, blocks);
      const index = reader.placeOf(node, key, 0, key.length);
      const entry = entries[index];
      if (reader.isFound) return this.#value(blocks, entry, cid);
      above = entry ?? above;
      below = entries[index - 1] ?? below;
      node = node.childAt(index);
    }
    return cid === undefined ? undefined : 'contradicted';
  }

  #value(
    blocks: Uint8Array,
    { valueStart, valueEnd }: TreeEntry,
    cid: string | undefined,
  ): ProofFault | undefined {
    const text = new ByteWriter(linkBytes * 2);
    writeCidText(text, blocks, valueStart, valueEnd);
    if (cid === undefined || text.buffer.toString('latin1', 0, text.length) !== cid) return 'contradicted';
    if (!this.#car.find(blocks, valueStart, valueEnd)) return 'incomplete';
    this.#section(blocks, valueStart, valueEnd, this.#car.blockStart, this.#car.blockEnd, blocks);
    return undefined;
  }

  #begin(root: Uint8Array): void {
    const out = this.#out;
    out.shrink();
    out.bytes(headBeforeRoot);
    out.reserve(linkHeadBytes + linkBytes);
    copyTreeLink(out.buffer, out.length, root, 0);
    out.length += linkHeadBytes + linkBytes;
    out.bytes(headBehindRoot);
  }

  /** Adds a block under its CID. */
  #section(
    cid: Uint8Array,
    cidStart: number,
    cidEnd: number,
    start: number,
    end: number,
    blocks: Uint8Array,
  ): void {
    const out = this.#out;
    let length = cidEnd - cidStart + end - start;
    for (; length >= 0x80; length >>>= 7) out.byte((length & 0x7f) | 0x80);
    out.byte(length);
    out.bytes(cid, cidStart, cidEnd);
    out.bytes(blocks, start, end);
  }
}

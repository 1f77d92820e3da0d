// The same check by software that is not ours: `@atproto/repo` for archive and tree, `@ipld/dag-cbor` for the signed bytes,
// `@atproto/crypto` for the signature. It takes some 3 ms a commit, so it is for what would be called wrong, and for tests. The
// only import of these packages outside of the simulator; whoever wants it loads this file when it is wanted. They have no bounds, and
// whoever is to be called wrong chooses what they read: so it owns bounds, beyond which there is no opinion.

import { setImmediate as turn } from 'node:timers/promises';
import { formatDidKey, verifySignature } from '@atproto/crypto';
import { BlockMap, type CommitData, MST, ReadableBlockstore, readCarStream } from '@atproto/repo';
import { decode, encode } from '@ipld/dag-cbor';
import { Frame } from '../decode/frame.ts';
import { blocksMax, isWithinLimits } from './opinion-limits.ts';
import type { VerifyingKey } from './verifying-key.ts';

type Cid = CommitData['cid'];

/**
 * As the verdicts, without the chain: `whole` is what can be `verified` or `anchored`; `limited`: it would cost more than an honest commit
 * can.
 */
export type Opinion = 'whole' | 'partial' | 'unchecked' | 'refuted' | 'limited';
/** `refutation`: only whether it is refuted; what is not is `partial` at best, and its ops are not undone. */
export type OpinionDepth = 'all' | 'refutation';

interface CommitBody {
  /** Of a sync `did`, which has neither ops nor the CID of its commit. */
  readonly repo?: string;
  readonly did?: string;
  readonly rev: string;
  readonly since?: string | null;
  readonly commit?: Cid;
  readonly prevData?: Cid | null;
  readonly blocks: Uint8Array;
  readonly ops?: readonly { action: string; path: string; cid: Cid | null; prev?: Cid }[];
}

interface CommitObject {
  readonly did: string;
  readonly rev: string;
  readonly sig: Uint8Array;
  readonly data: Cid;
}

const emptyTree = 'bafyreie5737gdxlw5i64vzichcalba3z2v5n6icifvx5xytvske7mr3hpm';
const headerBytesMax = 64;

/** A commit object has 250 bytes, and a sync no more than this. */
const objectBytesMax = 10_000;
/**
 * Of nodes that are read: an entry takes 18 us, and the most of 1,265 real ones are 26 a node; 200 ops have some 300 KB of them. A node is read in one turn of the event
 * loop. A chain of 20,000 keyless ones took 25 ms an op.
 */
const nodeBytesMax = 16 * 1024;
const nodesBytesMax = 1024 * 1024;
const nodesMax = 2_048;

/** Thrown and caught here. */
const tooCostly = new Error('more than an honest commit');

/** Checks the frame of a commit, or of a sync. Never rejects: what the packages throw on is refuted, but for a block that is missing. */
export async function secondOpinion(
  frame: Uint8Array,
  key: VerifyingKey | undefined,
  depth: OpinionDepth = 'all',
): Promise<Opinion> {
  try {
    return await judge(frame, key, depth);
  } catch (error) {
    return error === tooCostly ? 'limited' : 'refuted';
  }
}

async function judge(
  frame: Uint8Array,
  key: VerifyingKey | undefined,
  depth: OpinionDepth,
): Promise<Opinion> {
  const sizes = new Frame();
  sizes.read(frame);
  if (!isWithinLimits(sizes)) throw tooCostly;
  const body = bodyOf(frame);
  const { root, blocks } = await archiveOf(body.blocks);
  const objectBytes = blocks.get(root) as Uint8Array;
  if (objectBytes.length > objectBytesMax) throw tooCostly;
  const object = decode<CommitObject>(objectBytes);
  const { repo, ops = [] } = body;
  // A commit without its CID is wrong.
  if (body.commit?.equals(root) !== true && (repo !== undefined || body.commit !== undefined))
    return 'refuted';
  if (object.did !== (repo ?? body.did) || object.rev !== body.rev) return 'refuted';
  // Before the tree: who has no key of the account's does not get so far.
  if (key !== undefined && !(await isSignedBy(key, object))) return 'refuted';
  const tree = MST.load(new BoundedBlocks(blocks), object.data);
  // Of several on one path the last.
  const left = new Map(ops.map(({ path, cid }) => [path, cid]));
  let isMissing = false;
  for (const [path, cid] of left) {
    try {
      const found = await tree.get(path);
      if (cid === null ? found !== null : found?.equals(cid) !== true) return 'refuted';
    } catch (error) {
      // The class of the error is not exported.
      if (!(error instanceof Error && error.message.startsWith('block not found'))) throw error;
      isMissing = true;
    }
    await turn();
  }
  if (key === undefined || isMissing) return 'unchecked';
  if (depth === 'refutation' || left.size < ops.length) return 'partial';
  try {
    return (await isComplete(tree, body)) ? 'whole' : 'partial';
  } catch (error) {
    if (error === tooCostly) throw error;
    return 'partial';
  }
}

/** As the package's `readCarWithRoot`, with bounds. @throws `tooCostly` */
async function archiveOf(archive: Uint8Array): Promise<{ readonly root: Cid; readonly blocks: BlockMap }> {
  // The length of a header of 16 KiB has a third byte.
  if (archive[0] >= 0x80 && archive[1] >= 0x80) throw tooCostly;
  const { roots, blocks: read } = await readCarStream([archive]);
  if (roots.length !== 1) throw new TypeError(`${roots.length} roots`);
  const blocks = new BlockMap();
  let count = 0;
  for await (const { cid, bytes } of read) {
    if (++count > blocksMax) throw tooCostly;
    blocks.set(cid, bytes);
  }
  return { root: roots[0], blocks };
}

async function isSignedBy(key: VerifyingKey, object: CommitObject): Promise<boolean> {
  const { sig, ...unsigned } = object;
  const didKey = formatDidKey(key.curve === 'p256' ? 'ES256' : 'ES256K', key.point);
  return verifySignature(didKey, encode(unsigned), sig);
}

/** The nodes of one tree, read once each. */
class BoundedBlocks extends ReadableBlockstore {
  readonly #blocks: BlockMap;
  #nodes = 0;
  #bytes = 0;

  constructor(blocks: BlockMap) {
    super();
    this.#blocks = blocks;
  }

  /** @throws `tooCostly` */
  async getBytes(cid: Cid): Promise<Uint8Array | null> {
    const bytes = this.#blocks.get(cid) ?? null;
    if (bytes === null) return null;
    this.#bytes += bytes.length;
    if (++this.#nodes > nodesMax || bytes.length > nodeBytesMax || this.#bytes > nodesBytesMax)
      throw tooCostly;
    await turn();
    return bytes;
  }

  async has(cid: Cid): Promise<boolean> {
    return this.#blocks.has(cid);
  }

  async getBlocks(cids: Cid[]): Promise<{ blocks: BlockMap; missing: Cid[] }> {
    return this.#blocks.getMany(cids);
  }
}

async function isComplete(after: MST, { ops = [], prevData, since }: CommitBody): Promise<boolean> {
  let tree = after;
  for (const { action, path, prev } of ops) if (action === 'delete') tree = await tree.add(path, prev as Cid);
  for (const { action, path, prev } of ops) {
    if (action === 'create') tree = await tree.delete(path);
    else if (action === 'update') tree = await tree.update(path, prev as Cid);
  }
  const before = (await tree.getPointer()).toString();
  const isFirst = (prevData ?? undefined) === undefined && (since ?? '') === '';
  return before === (isFirst ? emptyTree : prevData?.toString());
}

/** The package decodes only whole values and does not tell where one ends, so the header's end is searched for. */
function bodyOf(frame: Uint8Array): CommitBody {
  for (let end = 1; end <= Math.min(headerBytesMax, frame.length); end++) {
    try {
      decode(frame.subarray(0, end));
    } catch {
      continue;
    }
    return decode<CommitBody>(frame.subarray(end));
  }
  throw new TypeError('no DAG-CBOR header');
}

// The same check by software that is not ours: `@atproto/repo` for archive and tree, `@ipld/dag-cbor` for the signed bytes,
// `@atproto/crypto` for the signature. It takes some 3 ms a commit, so it is for what would be called wrong, and for tests. The
// only import of these packages outside of the simulator; whoever wants it loads this file when it is wanted.

import { formatDidKey, verifySignature } from '@atproto/crypto';
import { type CommitData, MemoryBlockstore, MST, readCarWithRoot } from '@atproto/repo';
import { decode, encode } from '@ipld/dag-cbor';
import type { VerifyingKey } from './verifying-key.ts';

type Cid = CommitData['cid'];

/** As the verdicts, without the chain: `whole` is what can be `verified` or `anchored`. */
export type Opinion = 'whole' | 'partial' | 'unchecked' | 'refuted';

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

/** Checks the frame of a commit, or of a sync. Never rejects: what the packages throw on is refuted, but for a block that is missing. */
export async function secondOpinion(frame: Uint8Array, key: VerifyingKey | undefined): Promise<Opinion> {
  try {
    return await judge(frame, key);
  } catch {
    return 'refuted';
  }
}

async function judge(frame: Uint8Array, key: VerifyingKey | undefined): Promise<Opinion> {
  const body = bodyOf(frame);
  const { root, blocks } = await readCarWithRoot(body.blocks);
  const object = decode<CommitObject>(blocks.get(root) as Uint8Array);
  const { repo, ops = [] } = body;
  // A commit without its CID is wrong.
  if (body.commit?.equals(root) !== true && (repo !== undefined || body.commit !== undefined))
    return 'refuted';
  if (object.did !== (repo ?? body.did) || object.rev !== body.rev) return 'refuted';
  const tree = MST.load(new MemoryBlockstore(blocks), object.data);
  const paths = new Set(ops.map(({ path }) => path));
  if (paths.size < ops.length) return 'refuted';
  let isMissing = false;
  for (const { path, cid } of ops) {
    try {
      const found = await tree.get(path);
      if (cid === null ? found !== null : found?.equals(cid) !== true) return 'refuted';
    } catch (error) {
      // The class of the error is not exported.
      if (!(error instanceof Error && error.message.startsWith('block not found'))) throw error;
      isMissing = true;
    }
  }
  if (key === undefined) return 'unchecked';
  const { sig, ...unsigned } = object;
  const didKey = formatDidKey(key.curve === 'p256' ? 'ES256' : 'ES256K', key.point);
  if (!(await verifySignature(didKey, encode(unsigned), sig))) return 'refuted';
  if (isMissing) return 'unchecked';
  try {
    return (await isComplete(tree, body)) ? 'whole' : 'partial';
  } catch {
    return 'partial';
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

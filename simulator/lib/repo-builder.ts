// One account's repository: a real Merkle search tree, signed commits and the CAR of what a commit changed, with the
// proof blocks that let a reader check the change and undo it. The only import of `@atproto/repo`. Time and revision
// come from the caller, so the same calls give the same bytes.

import {
  BlockMap,
  blocksToCarFile,
  type CommitData,
  MemoryBlockstore,
  MST,
  type RecordCreateOp,
  signCommit,
} from '@atproto/repo';
import type { RecordValue } from './record-context.ts';
import type { SigningKey } from './signing-key.ts';

type Cid = CommitData['cid'];
type Record = RecordCreateOp['record'];

/** What to do to one record. `record` is absent for a delete. */
export interface RepoWrite {
  readonly action: 'create' | 'update' | 'delete';
  readonly collection: string;
  readonly rkey: string;
  readonly record?: RecordValue;
}

/** One entry of a commit message's `ops`. */
export interface RepoOp {
  readonly action: RepoWrite['action'];
  readonly path: string;
  readonly cid: Cid | null;
  readonly prev?: Cid;
}

/** A signed commit and its CAR. */
export interface RepoCommit {
  readonly cid: Cid;
  readonly rev: string;
  readonly since: string | null;
  /** Root of the tree before this commit; null for the first. */
  readonly prevData: Cid | null;
  readonly ops: readonly RepoOp[];
  /** CAR: proof blocks, record blocks, commit block; its root is the commit. */
  readonly car: Uint8Array;
}

/** Path of a record in its repository. */
export function recordPath(collection: string, rkey: string): string {
  return `${collection}/${rkey}`;
}

/** True if DAG-CBOR can hold the value as a record: an object, without fractions and undefined. */
export async function isRecord(value: unknown): Promise<boolean> {
  if (typeof value !== 'object' || value === null) return false;
  try {
    await new BlockMap().add(value as Record);
    return true;
  } catch {
    return false;
  }
}

/** A repository that grows by commits. The whole tree stays in memory; records do not. */
export class RepoBuilder {
  readonly #did: string;
  #key: SigningKey;
  readonly #cids = new Map<string, Cid>();
  #tree: MST;
  #rev: string | null = null;

  private constructor(did: string, key: SigningKey, tree: MST) {
    this.#did = did;
    this.#key = key;
    this.#tree = tree;
  }

  /** An empty repository. */
  static async create(did: string, key: SigningKey): Promise<RepoBuilder> {
    return new RepoBuilder(did, key, await MST.create(new MemoryBlockstore()));
  }

  /** Signs with that key from now on. */
  useKey(key: SigningKey): void {
    this.#key = key;
  }

  /** True if a record exists at that path. */
  has(path: string): boolean {
    return this.#cids.has(path);
  }

  /** CID of the record at a path, as text. */
  cidAt(path: string): string | undefined {
    return this.#cids.get(path)?.toString();
  }

  /** Revision of the last commit. */
  get rev(): string | null {
    return this.#rev;
  }

  /** Creates records as if earlier commits, which nobody saw, had. @param rev revision of the last of them. */
  async addHistory(writes: readonly RepoWrite[], rev: string): Promise<void> {
    const leaves = new BlockMap();
    for (const write of writes) {
      await this.#apply(write, leaves);
    }
    this.#rev = rev;
  }

  /** Applies writes, each to a path of its own, and signs the result. */
  async commit(writes: readonly RepoWrite[], rev: string): Promise<RepoCommit> {
    const since = this.#rev;
    const prevData = since === null ? null : await this.#tree.getPointer();
    const leaves = new BlockMap();
    const ops: RepoOp[] = [];
    for (const write of writes) {
      ops.push(await this.#apply(write, leaves));
    }
    const blocks = new BlockMap();
    for (const { path } of ops) {
      blocks.addMap(await this.#tree.getCoveringProof(path));
    }
    blocks.addMap(leaves);
    this.#rev = rev;
    const cid = await this.#sign(blocks);
    return { cid, rev, since, prevData, ops, car: await blocksToCarFile(cid, blocks) };
  }

  /** Signs the present state under a new revision. The CAR holds only the commit, as a `#sync` message has it. */
  async resign(rev: string): Promise<{ cid: Cid; car: Uint8Array }> {
    this.#rev = rev;
    const blocks = new BlockMap();
    const cid = await this.#sign(blocks);
    return { cid, car: await blocksToCarFile(cid, blocks) };
  }

  async #sign(blocks: BlockMap): Promise<Cid> {
    const data = await this.#tree.getPointer();
    const unsigned = { did: this.#did, version: 3 as const, rev: this.#rev ?? '', prev: null, data };
    return blocks.add(await signCommit(unsigned, this.#key));
  }

  async #apply(write: RepoWrite, leaves: BlockMap): Promise<RepoOp> {
    const { action } = write;
    const path = recordPath(write.collection, write.rkey);
    const prev = this.#cids.get(path);
    if (action === 'delete') {
      this.#tree = await this.#tree.delete(path);
      this.#cids.delete(path);
      // The package's tree remembers the level that it had, and would put the next record below roots without a key.
      if (this.#cids.size === 0) this.#tree = await MST.create(new MemoryBlockstore());
      return prev === undefined ? { action, path, cid: null } : { action, path, cid: null, prev };
    }
    const cid = await leaves.add(write.record as Record);
    this.#tree = action === 'create' ? await this.#tree.add(path, cid) : await this.#tree.update(path, cid);
    this.#cids.set(path, cid);
    return prev === undefined ? { action, path, cid } : { action, path, cid, prev };
  }
}

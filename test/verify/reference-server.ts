// Commits as the protocol's reference server makes them, by the package that it makes them with: the repository is loaded anew for each
// call of applyWrites, and the new blocks of the tree go with the proofs. For tests.

import {
  BlockMap,
  blocksToCarFile,
  type CommitData,
  MemoryBlockstore,
  type RecordCreateOp,
  type RecordWriteOp,
  Repo,
  WriteOpAction,
} from '@atproto/repo';
import type { SeededRandom } from '../../lib/seeded-random.ts';
import { type Curve, VerifyingKey } from '../../lib/verify/verifying-key.ts';
import { encodeMessage } from '../../simulator/lib/frame-encoder.ts';
import { deriveSigningKey, type SigningKey } from '../../simulator/lib/signing-key.ts';

type Cid = CommitData['cid'];

/** What is done in one call, by how much; the last one several times to one path. */
const kinds = [
  'one write',
  'some writes',
  'many writes',
  'large records',
  'all deleted',
  'nothing',
  'repeats',
];
const shares = [0.4, 0.75, 0.8, 0.85, 0.88, 0.9, 1];
const curves: readonly Curve[] = ['p256', 'secp256k1'];

interface Op {
  readonly action: WriteOpAction;
  readonly path: string;
  readonly cid: Cid | null;
  readonly prev?: Cid;
}

export interface ServedCommit {
  readonly bytes: Uint8Array;
  readonly kind: string;
  /** Whether two ops are on one path. */
  readonly isRepeated: boolean;
}

/** One account at such a server. */
export class ReferenceServer {
  readonly did: string;
  readonly #name: string;
  readonly #random: SeededRandom;
  readonly #storage = new MemoryBlockstore();
  readonly #records = new Map<string, Cid>();
  readonly #used = new Set<string>();
  #signing: SigningKey | undefined;
  #keys = 0;
  #prevData: Cid | undefined;

  private constructor(name: string, random: SeededRandom) {
    this.#name = name;
    this.#random = random;
    this.did = `did:web:a${name.replaceAll(/\W/g, '-')}.test`;
  }

  static async create(name: string, random: SeededRandom): Promise<ReferenceServer> {
    const server = new ReferenceServer(name, random);
    await server.rotateKey();
    return server;
  }

  /** Signs with another key from now on. */
  async rotateKey(): Promise<void> {
    this.#signing = await deriveSigningKey(this.#name, `${this.#keys++}`, this.#random.pick(curves));
  }

  get key(): VerifyingKey {
    return VerifyingKey.parse((this.#signing as SigningKey).did()) as VerifyingKey;
  }

  /** A moment behind all of its revisions, in microseconds. */
  get nowUs(): number {
    return (Date.now() + 1000) * 1000;
  }

  /** The next commit: the first creates up to 100 records. */
  async commit(): Promise<ServedCommit> {
    const random = this.#random;
    const isFirst = this.#prevData === undefined;
    const share = random.float();
    const kind = isFirst ? 'first' : kinds[shares.findIndex((upTo) => share < upTo)];
    const creates = isFirst ? Array.from({ length: random.int(100) }, () => this.#create()) : [];
    const writes = isFirst ? creates : this.#writesOf(kind);
    const ops: Op[] = [];
    for (const write of writes) ops.push(await this.#opOf(write));
    const storage = this.#storage;
    const signing = this.#signing as SigningKey;
    const made = isFirst
      ? await Repo.formatInitCommit(storage, this.did, signing, creates)
      : await (await Repo.load(storage)).formatCommit(writes, signing);
    await storage.applyCommit(made);
    for (const { path, cid } of ops) {
      if (cid === null) this.#records.delete(path);
      else this.#records.set(path, cid);
    }
    const blocks = new BlockMap();
    blocks.addMap(made.newBlocks);
    blocks.addMap(made.relevantBlocks);
    const bytes = encodeMessage('#commit', {
      ...{ seq: 1, repo: this.did, rev: made.rev, since: made.since, commit: made.cid },
      ...{ time: new Date().toISOString(), blocks: await blocksToCarFile(made.cid, blocks) },
      ...{ ops, blobs: [], rebase: false, tooBig: false },
      ...(this.#prevData === undefined ? {} : { prevData: this.#prevData }),
    });
    this.#prevData = (await Repo.load(storage)).commit.data;
    return { bytes, kind, isRepeated: new Set(ops.map(({ path }) => path)).size < ops.length };
  }

  /** `prev` is what was there before the call, also for a second op on the path. */
  async #opOf(write: RecordWriteOp): Promise<Op> {
    const path = `${write.collection}/${write.rkey}`;
    const cid = write.action === WriteOpAction.Delete ? null : await new BlockMap().add(write.record);
    const prev = this.#records.get(path);
    return { action: write.action, path, cid, ...(prev === undefined ? {} : { prev }) };
  }

  #writesOf(kind: string): RecordWriteOp[] {
    const random = this.#random;
    const paths = new Set(this.#records.keys());
    if (kind === 'nothing') return [];
    if (kind === 'all deleted') {
      const deleted = [...paths].slice(0, 190).map((path) => this.#write('delete', path));
      // The package's tree stays as high as it was within a call.
      return [...deleted, ...Array.from({ length: random.int(3) }, () => this.#create())];
    }
    const count = kind === 'one write' ? 1 : random.between(1, kind === 'many writes' ? 200 : 8);
    const bytes = kind === 'large records' ? random.int(1_000_000 / count) : random.int(300);
    const writes: RecordWriteOp[] = [];
    for (let made = 0; made < count; made++) {
      const path = paths.size === 0 ? undefined : [...paths][random.int(paths.size)];
      if (path === undefined || random.chance(0.5)) {
        const write = this.#create(bytes);
        writes.push(write);
        if (kind === 'repeats') paths.add(`${write.collection}/${write.rkey}`);
        continue;
      }
      const isDelete = random.chance(0.5);
      writes.push(this.#write(isDelete ? 'delete' : 'update', path, bytes));
      if (kind !== 'repeats') paths.delete(path);
      else if (isDelete && random.chance(0.7)) writes.push(this.#write('create', path, bytes));
      else if (isDelete) paths.delete(path);
    }
    return writes;
  }

  /** A record at a path that has never been. */
  #create(bytes = 20): RecordCreateOp {
    const random = this.#random;
    const rkey = random.text('abcdefghijklmnopqrstuvwxyz234567', random.between(3, 13));
    const path = `com.example.${random.pick(['a', 'b', 'like'])}/${rkey}`;
    if (this.#used.has(path)) return this.#create(bytes);
    this.#used.add(path);
    return this.#write('create', path, bytes) as RecordCreateOp;
  }

  #write(action: 'create' | 'update' | 'delete', path: string, bytes = 20): RecordWriteOp {
    const [collection, rkey] = path.split('/') as [RecordWriteOp['collection'], string];
    const record = { $type: collection, n: this.#random.int(1e9), text: 'x'.repeat(bytes) };
    if (action === 'delete') return { action: WriteOpAction.Delete, collection, rkey };
    return {
      action: action === 'create' ? WriteOpAction.Create : WriteOpAction.Update,
      collection,
      rkey,
      record,
    };
  }
}

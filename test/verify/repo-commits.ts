// Signed commits for the tests of lib/verify: repositories of any shape, by the simulator's builder, with many ops a commit,
// and frames of which every part can be replaced.

import { createHash } from 'node:crypto';
import { BlockMap, blocksToCarFile, type CommitData, readCarWithRoot, signCommit } from '@atproto/repo';
import { decode, encode } from '@ipld/dag-cbor';
import { ByteWriter } from '../../lib/byte-writer.ts';
import { readCidText } from '../../lib/decode/cid-text.ts';
import { tidOf } from '../../lib/event/tid.ts';
import type { SeededRandom } from '../../lib/seeded-random.ts';
import { type Curve, VerifyingKey } from '../../lib/verify/verifying-key.ts';
import { encodeMessage, recordLink } from '../../simulator/lib/frame-encoder.ts';
import { RepoBuilder, type RepoCommit, type RepoWrite } from '../../simulator/lib/repo-builder.ts';
import { deriveSigningKey, type SigningKey } from '../../simulator/lib/signing-key.ts';

/** 2026-01-01, from which on revisions are counted. */
export const startUs = Date.UTC(2026, 0, 1) * 1000;

/** The 32 bytes of a CID given as text. */
export function digestOfCid(cid: string): Uint8Array {
  const out = new ByteWriter();
  const text = Buffer.from(cid);
  readCidText(out, text, 0, text.length);
  return Uint8Array.from(out.buffer.subarray(out.length - 32, out.length));
}

/** A frame of a commit. @param changes fields of the message to have other values. */
export function frameOfCommit(
  did: string,
  commit: RepoCommit,
  changes: Record<string, unknown> = {},
): Uint8Array {
  const { cid, rev, since, prevData, ops, car } = commit;
  const body = { seq: 1, repo: did, rev, since, time: new Date(startUs / 1000).toISOString(), commit: cid };
  const rest = { blocks: car, ops, blobs: [], rebase: false, tooBig: false };
  return encodeMessage('#commit', {
    ...body,
    ...rest,
    ...(prevData === null ? {} : { prevData }),
    ...changes,
  });
}

/** An account that writes at random. */
export class RandomRepo {
  readonly did: string;
  readonly key: VerifyingKey;
  readonly signingKey: SigningKey;
  readonly repo: RepoBuilder;
  readonly paths: string[] = [];
  readonly #random: SeededRandom;
  #commits = 0;

  private constructor(did: string, signingKey: SigningKey, repo: RepoBuilder, random: SeededRandom) {
    this.did = did;
    this.signingKey = signingKey;
    this.key = VerifyingKey.parse(signingKey.did()) as VerifyingKey;
    this.repo = repo;
    this.#random = random;
  }

  /** @param history records that are there before the first commit. */
  static async create(
    name: string,
    random: SeededRandom,
    history: number,
    curve: Curve = random.chance(0.5) ? 'p256' : 'secp256k1',
  ): Promise<RandomRepo> {
    const did = `did:plc:${name.padEnd(24, 'a')}`;
    const signingKey = await deriveSigningKey('test', did, curve);
    const made = new RandomRepo(did, signingKey, await RepoBuilder.create(did, signingKey), random);
    const writes = Array.from({ length: history }, () => made.#create());
    if (history > 0) await made.repo.addHistory(writes, made.nextRev());
    return made;
  }

  nextRev(): string {
    return tidOf(startUs + 1000 * ++this.#commits, 7);
  }

  /** Commits up to `writesMax` writes to paths of their own, at least one. */
  commit(writesMax: number): Promise<RepoCommit> {
    const random = this.#random;
    const before = [...this.paths];
    const writes: RepoWrite[] = [];
    const count = 1 + random.int(writesMax);
    for (let index = 0; index < count; index++) {
      if (before.length === 0 || random.chance(0.5)) {
        writes.push(this.#create());
        continue;
      }
      const [path] = before.splice(random.int(before.length), 1);
      const [collection, rkey] = path.split('/');
      const isDelete = random.chance(0.6);
      if (isDelete) this.paths.splice(this.paths.indexOf(path), 1);
      const record = { n: random.int(1e9) };
      writes.push({
        action: isDelete ? 'delete' : 'update',
        collection,
        rkey,
        ...(isDelete ? {} : { record }),
      });
    }
    return this.repo.commit(writes, this.nextRev());
  }

  #create(): RepoWrite {
    const random = this.#random;
    const collection = `com.example.${random.text('ab', 1)}`;
    const rkey = random.text('abcdefghij', 8);
    this.paths.push(`${collection}/${rkey}`);
    return { action: 'create', collection, rkey, record: { n: random.int(1e9) } };
  }
}

type Cid = CommitData['cid'];

/** A commit taken apart, for forgers: its object, and the blocks beside it by the text of their CIDs. */
export interface CommitParts {
  object: Record<string, unknown>;
  blocks: BlockMap;
}

export async function takeApart(commit: RepoCommit): Promise<CommitParts> {
  const { root, blocks } = await readCarWithRoot(commit.car);
  const object = decode<Record<string, unknown>>(blocks.get(root) as Uint8Array);
  blocks.delete(root);
  return { object, blocks };
}

/** The commit with another object, given as bytes or as what to encode: every hash in it is right. */
export async function putTogether(
  commit: RepoCommit,
  { object, blocks }: { object: Record<string, unknown> | Uint8Array; blocks: BlockMap },
): Promise<RepoCommit> {
  const bytes = object instanceof Uint8Array ? object : encode(object);
  const cid = cidOfBytes(bytes);
  const all = new BlockMap();
  all.addMap(blocks);
  all.set(cid, bytes);
  return { ...commit, cid, car: await blocksToCarFile(cid, all) };
}

/** A block's CID. */
export function cidOfBytes(bytes: Uint8Array): Cid {
  return recordLink(createHash('sha256').update(bytes).digest()) as Cid;
}

/** Signs an object for a tree of whatever kind. */
export async function signFor(
  { did, signingKey }: { did: string; signingKey: SigningKey },
  data: Cid,
  rev: string,
): Promise<Record<string, unknown>> {
  const unsigned = { did, version: 3 as const, rev, prev: null, data };
  return { ...(await signCommit(unsigned, signingKey)) };
}

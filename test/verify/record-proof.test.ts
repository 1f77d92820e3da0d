// Proofs of records, as @atproto/repo accepts and refuses them: of simulated commits of every shape, and of real ones.

import { readFileSync } from 'node:fs';
import { type CommitData, readCarWithRoot, verifyProofs } from '@atproto/repo';
import { expect, test } from 'vitest';
import { SeededRandom } from '../../lib/seeded-random.ts';
import { RecordProof } from '../../lib/verify/record-proof.ts';
import { decodeFrame } from '../../simulator/lib/frame-encoder.ts';
import { readFrames } from '../../simulator/lib/frames-file.ts';
import { SyntheticNetwork } from '../../simulator/lib/network.ts';
import { corpusFramesPath, didDocumentsPath, hasShared, sharedNote } from '../support/shared.ts';
import { frameOfCommit, putTogether, RandomRepo, takeApart } from './repo-commits.ts';

type Cid = CommitData['cid'];

/** An op of a frame, and what came with it. */
interface Op {
  readonly did: string;
  readonly rev: string;
  readonly blocks: Uint8Array;
  readonly path: string;
  readonly cid: Cid | null;
}

const proof = new RecordProof();

function opsOf(bytes: Uint8Array): Op[] {
  const {
    repo: did,
    rev,
    blocks,
    ops,
  } = decodeFrame(bytes).body as unknown as Omit<Op, 'did'> & {
    repo: string;
    ops: { path: string; cid: Cid | null }[];
  };
  return ops.map(({ path, cid }) => ({ did, rev, blocks, path, cid }));
}

function cut({ blocks, cid, ...claim }: Op): Uint8Array | string {
  return proof.cut(blocks, { ...claim, cid: cid?.toString() });
}

/** Whether their software says that the op is proven. */
async function accepts(car: Uint8Array, { did, path, cid }: Op, didKey: string): Promise<boolean> {
  const [collection, rkey] = path.split('/');
  const { verified } = await verifyProofs(car, [{ collection, rkey, cid }], did, didKey);
  return verified.length === 1;
}

/** Cuts, has it accepted, and has each block of it needed. Returns its bytes. */
async function expectProof(op: Op, didKey: string, eachBlock = false): Promise<number> {
  const car = cut(op) as Uint8Array;
  expect(car, `${op.path}: ${car}`).toBeInstanceOf(Uint8Array);
  expect(await accepts(car, op, didKey)).toBe(true);
  const { blocks } = await readCarWithRoot(car);
  if (op.cid !== null) expect(blocks.has(op.cid)).toBe(true);
  if (!eachBlock) return car.length;
  for (const without of blocks.cids()) {
    const commit = { ...op, car } as never;
    const parts = await takeApart(commit);
    if (!parts.blocks.has(without)) continue;
    parts.blocks.delete(without);
    const less = (await putTogether(commit, parts)).car;
    await expect(accepts(less, op, didKey), `${without}`).rejects.toThrow();
  }
  return car.length;
}

test('commits of many ops, deletions among them, in trees of up to 900 records', async () => {
  let deletions = 0;
  for (const history of [0, 1, 5, 40, 200, 900]) {
    const random = new SeededRandom('record-proof', `${history}`);
    const account = await RandomRepo.create(`proof${history}`, random, history);
    for (let index = 0; index < 8; index++) {
      const bytes = frameOfCommit(account.did, await account.commit(index % 4 === 3 ? 40 : 3));
      for (const op of opsOf(bytes)) {
        if (op.cid === null) deletions++;
        await expectProof(op, account.signingKey.did(), index === 0);
      }
    }
  }
  expect(deletions).toBeGreaterThan(20);
});

test('the frames of a simulated network', async () => {
  const network = new SyntheticNetwork({ seed: 'proofs', accounts: 24 });
  let proven = 0;
  for (let index = 0; index < 80; index++) {
    const { bytes, did } = await network.next();
    if (decodeFrame(bytes).header.t !== '#commit') continue;
    for (const op of opsOf(bytes)) {
      await expectProof(op, network.signingKeyOf(did) as string);
      proven++;
    }
  }
  expect(proven).toBeGreaterThan(40);
});

test.skipIf(!hasShared)(`real commits${sharedNote}`, async () => {
  const documents = JSON.parse(readFileSync(didDocumentsPath, 'utf8'));
  let proven = 0;
  for (const bytes of await readFrames(corpusFramesPath)) {
    if (decodeFrame(bytes).header.t !== '#commit') continue;
    for (const op of opsOf(bytes)) {
      const didKey = `did:key:${documents[op.did].verificationMethod[0].publicKeyMultibase}`;
      await expectProof(op, didKey);
      proven++;
    }
  }
  expect(proven).toBeGreaterThan(40);
});

test('what is not so has no proof', async () => {
  const account = await RandomRepo.create('nothing', new SeededRandom('record-proof', 'nothing'), 40);
  let commit = await account.commit(3);
  let ops = opsOf(frameOfCommit(account.did, commit));
  while (!ops.some(({ cid }) => cid !== null)) {
    commit = await account.commit(3);
    ops = opsOf(frameOfCommit(account.did, commit));
  }
  const op = ops.find(({ cid }) => cid !== null) as Op;
  const other = ops[0].cid ?? commit.cid;
  expect(cut({ ...op, did: 'did:plc:aaaaaaaaaaaaaaaaaaaaaaaa' })).toBe('other_commit');
  expect(cut({ ...op, rev: account.nextRev() })).toBe('other_commit');
  expect(cut({ ...op, cid: null })).toBe('contradicted');
  expect(cut({ ...op, cid: op.cid === other ? commit.cid : other })).toBe('contradicted');
  // A path beside it, with nothing there: its neighbourhood came with the commit.
  expect(cut({ ...op, path: `${op.path}0` })).toBe('contradicted');
  const parts = await takeApart(commit);
  parts.blocks.delete(op.cid as Cid);
  expect(cut({ ...op, blocks: (await putTogether(commit, parts)).car })).toBe('incomplete');
  for (const cid of parts.blocks.cids()) parts.blocks.delete(cid);
  expect(cut({ ...op, blocks: (await putTogether(commit, parts)).car })).toBe('incomplete');
  for (const object of [new Uint8Array([0xa0]), { ...parts.object, more: 1 }])
    expect(cut({ ...op, blocks: (await putTogether(commit, { ...parts, object })).car })).toBe('unreadable');
  const flipped = Uint8Array.from(op.blocks);
  flipped[flipped.length - 1] ^= 1;
  for (const blocks of [new Uint8Array(0), op.blocks.subarray(0, 200), flipped])
    expect(cut({ ...op, blocks })).toBe('unreadable');
});

test('a proof is small', async () => {
  const account = await RandomRepo.create('small', new SeededRandom('record-proof', 'small'), 900);
  const commit = await account.commit(40);
  const sizes = await Promise.all(
    opsOf(frameOfCommit(account.did, commit)).map((op) => expectProof(op, account.signingKey.did())),
  );
  expect(Math.max(...sizes)).toBeLessThan(commit.car.length / 2);
});

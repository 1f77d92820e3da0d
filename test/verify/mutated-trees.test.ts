// Trees with one damaged node, in which every hash above it is right and which the account has signed: nothing throws, nothing takes
// long, and none passes for the tree that it was.

import type { BlockMap, CommitData } from '@atproto/repo';
import { expect, test } from 'vitest';
import { Frame } from '../../lib/decode/frame.ts';
import { reasonNames } from '../../lib/event/verdict.ts';
import { SeededRandom } from '../../lib/seeded-random.ts';
import { CommitCheck } from '../../lib/verify/commit-check.ts';
import { SignatureChecker } from '../../lib/verify/signature.ts';
import type { RepoCommit } from '../../simulator/lib/repo-builder.ts';
import { cidOfBytes, frameOfCommit, putTogether, RandomRepo, signFor, takeApart } from './repo-commits.ts';

type Cid = CommitData['cid'];
const seed = process.env.VERIFY_SEED ?? '1';
const random = new SeededRandom(seed, 'mutated trees');
const frame = new Frame();
const check = new CommitCheck(await SignatureChecker.load());

/** A block with a few bytes changed, put in or taken out. */
function damaged(block: Uint8Array): Uint8Array {
  const bytes = [...block];
  for (let times = 1 + random.int(3); times > 0; times--) {
    const at = random.int(bytes.length);
    const kind = random.int(5);
    if (kind === 0) bytes.splice(at, 1);
    else if (kind === 1) bytes.splice(at, 0, random.int(256));
    else if (kind === 2) bytes.splice(at, random.int(40));
    else if (kind === 3)
      bytes[at] = random.pick([0, 0x17, 0x18, 0x1b, 0x5b, 0x7f, 0x9b, 0xbb, 0xd8, 0xf6, 0xff]);
    else bytes[at] ^= 1 << random.int(8);
    if (bytes.length === 0) bytes.push(0);
  }
  return Uint8Array.from(bytes);
}

/** Replaces a block, and all that name it up to the root; returns the new root. */
function replace(blocks: BlockMap, root: Cid, old: Cid, contents: Uint8Array): Cid {
  const cid = cidOfBytes(contents);
  blocks.delete(old);
  blocks.set(cid, contents);
  if (old.equals(root)) return cid;
  for (const { cid: parent, bytes } of blocks.entries()) {
    const at = Buffer.from(bytes).indexOf(old.bytes);
    if (at < 0 || parent.equals(cid)) continue;
    const copy = Uint8Array.from(bytes);
    copy.set(cid.bytes, at);
    return replace(blocks, root, parent, copy);
  }
  return root;
}

/** Whether a block is a node that can be reached. */
function isNode(bytes: Uint8Array): boolean {
  return Buffer.from(bytes.subarray(0, 3)).toString('latin1') === '\xa2\x61e';
}

async function damage(account: RandomRepo, commit: RepoCommit): Promise<Uint8Array | undefined> {
  const { object, blocks } = await takeApart(commit);
  const nodes = blocks.entries().filter(({ bytes }) => isNode(bytes));
  const { cid, bytes } = random.pick(nodes);
  const contents = damaged(bytes);
  if (Buffer.from(contents).equals(bytes)) return undefined;
  const data = replace(blocks, object.data as Cid, cid, contents);
  const signed = await putTogether(commit, { object: await signFor(account, data, commit.rev), blocks });
  return frameOfCommit(account.did, signed);
}

test(`200 damaged trees, seed ${seed}`, async () => {
  const account = await RandomRepo.create('mutated', random, 150, 'secp256k1');
  const counts = new Map<string, number>();
  for (let index = 0; index < 200; index++) {
    const bytes = await damage(account, await account.commit(random.chance(0.7) ? 1 : 8));
    if (bytes === undefined) continue;
    frame.read(bytes);
    const finding = check.check(frame, account.key);
    expect(reasonNames, `${index}`).toContain(finding);
    counts.set(finding, (counts.get(finding) ?? 0) + 1);
  }
  // Bounds, order, links, and what is hidden behind those that lead nowhere.
  for (const reason of ['bad_tree', 'incomplete', 'no_proof', 'op_not_in_tree'] as const)
    expect([...counts.keys()]).toContain(reason);
});

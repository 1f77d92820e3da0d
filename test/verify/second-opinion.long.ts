// Many simulated commits, honest and not, against @atproto/repo and @atproto/crypto: the same verdicts. VERIFY_COMMITS (3,000; by
// hand 100,000, three quarters of an hour) and VERIFY_SEED choose the run.

import { BlockMap } from '@atproto/repo';
import { expect, test } from 'vitest';
import { Frame } from '../../lib/decode/frame.ts';
import { verdictOf } from '../../lib/event/verdict.ts';
import { SeededRandom } from '../../lib/seeded-random.ts';
import { CommitCheck, type CommitFinding } from '../../lib/verify/commit-check.ts';
import { secondOpinion } from '../../lib/verify/second-opinion.ts';
import { SignatureChecker } from '../../lib/verify/signature.ts';
import type { RepoCommit } from '../../simulator/lib/repo-builder.ts';
import { frameOfCommit, putTogether, RandomRepo, takeApart } from './repo-commits.ts';

const commits = Number(process.env.VERIFY_COMMITS ?? 3000);
const seed = process.env.VERIFY_SEED ?? '1';
/** Commits of an account, after which another one comes. */
const perAccount = 200;

/** A lie about a commit: as a frame's fields, or as another archive. */
type Lie = (commit: RepoCommit, random: SeededRandom) => Promise<[RepoCommit, Record<string, unknown>]>;

const lies: Readonly<Record<string, Lie>> = {
  none: async (commit) => [commit, {}],
  'an op less': async (commit, random) => [
    commit,
    { ops: commit.ops.toSpliced(random.int(commit.ops.length), 1) },
  ],
  'an op twice': async (commit, random) => [commit, { ops: [...commit.ops, random.pick(commit.ops)] }],
  'another prev': async (commit, random) => {
    const at = random.int(commit.ops.length);
    const op = commit.ops[at];
    return [commit, { ops: commit.ops.with(at, { ...op, ...(op.prev ? { prev: commit.cid } : {}) }) }];
  },
  'another record': async (commit, random) => {
    const at = random.int(commit.ops.length);
    const op = commit.ops[at];
    return [commit, { ops: commit.ops.with(at, { ...op, ...(op.cid ? { cid: commit.cid } : {}) }) }];
  },
  'another prevData': async (commit) => [commit, { prevData: commit.cid }],
  'another signature': async (commit, random) => {
    const { object, blocks } = await takeApart(commit);
    const sig = Uint8Array.from(object.sig as Uint8Array);
    sig[random.int(64)] ^= 1 << random.int(8);
    return [await putTogether(commit, { object: { ...object, sig }, blocks }), {}];
  },
  'a block less': async (commit, random) => {
    const { object, blocks } = await takeApart(commit);
    const all = blocks.entries();
    const left = random.int(all.length);
    const fewer = new BlockMap();
    for (const [at, { cid, bytes }] of all.entries()) if (at !== left) fewer.set(cid, bytes);
    return [await putTogether(commit, { object, blocks: fewer }), {}];
  },
};

function opinionOf(finding: CommitFinding): string {
  return finding === 'whole' ? 'whole' : verdictOf(finding);
}

test(`${commits} commits, seed ${seed}`, async () => {
  const frame = new Frame();
  const check = new CommitCheck(await SignatureChecker.load());
  const random = new SeededRandom(seed, 'second opinion');
  const counts = new Map<string, number>();
  let account = await RandomRepo.create('long', random, 10);
  for (let index = 0; index < commits; index++) {
    if (index % perAccount === 0) {
      account = await RandomRepo.create(`long${index}`, random, Math.floor(1000 * random.float() ** 3));
    }
    const commit = await account.commit(random.chance(0.8) ? 2 : 30);
    const kind = random.chance(0.5) ? 'none' : random.pick(Object.keys(lies));
    const [forged, changes] = await lies[kind](commit, random);
    const bytes = frameOfCommit(account.did, forged, changes);
    frame.read(bytes);
    const finding = check.check(frame, account.key);
    const theirs = await secondOpinion(bytes, account.key);
    const name = `${index}, ${kind}: ${finding}, ${theirs}`;
    if (kind === 'none') expect(finding, name).toBe('whole');
    // Ops undone all at once can take fewer blocks than one after the other.
    const isThriftier = kind === 'a block less' && finding === 'whole' && theirs === 'partial';
    if (!isThriftier) expect(opinionOf(finding), name).toBe(theirs);
    counts.set(`${kind}: ${finding}`, (counts.get(`${kind}: ${finding}`) ?? 0) + 1);
  }
  console.log([...counts].sort().join('\n'));
});

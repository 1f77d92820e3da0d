// Long searches for a commit of an honest account that is not found whole: trees made by the letter of the specification, every change of
// small ones, large ones that grow and shrink, and commits as the protocol's packages make them, signed. VERIFY_SECONDS (10 for
// each search) and VERIFY_SEED choose the run.

import { hash } from 'node:crypto';
import { expect, test } from 'vitest';
import { Frame } from '../../lib/decode/frame.ts';
import { tidOf } from '../../lib/event/tid.ts';
import { verdictOf } from '../../lib/event/verdict.ts';
import { SeededRandom } from '../../lib/seeded-random.ts';
import { type AccountState, nextStep } from '../../lib/verify/chain.ts';
import { CommitCheck, type CommitFinding } from '../../lib/verify/commit-check.ts';
import { linkOf } from '../../lib/verify/commit-link.ts';
import { SignatureChecker } from '../../lib/verify/signature.ts';
import { VerifyingKey } from '../../lib/verify/verifying-key.ts';
import { deriveSigningKey } from '../../simulator/lib/signing-key.ts';
import { opsBetween, shuffled, unsignedFrame } from './plain-commit.ts';
import { type Block, heightOf, type PlainTree, PlainTrees, type Records } from './plain-tree.ts';
import { ReferenceServer } from './reference-server.ts';
import { startUs } from './repo-commits.ts';

const seconds = Number(process.env.VERIFY_SECONDS ?? 10);
const seed = process.env.VERIFY_SEED ?? '1';
const did = `did:plc:${'a'.repeat(24)}`;
const frame = new Frame();
const signatures = await SignatureChecker.load();
const key = VerifyingKey.parse((await deriveSigningKey('honest', did, 'secp256k1')).did()) as VerifyingKey;
/** Making a signature takes ten times as long as all the rest: what only looks at trees does without. */
const anySignature = { check: () => 'valid' } as unknown as SignatureChecker;
const unsigned = new CommitCheck(anySignature);

/** What may be found when blocks are missing. */
const honestFindings: readonly CommitFinding[] = ['whole', 'missing_blocks', 'no_proof'];

/** Calls it until time is up; says how often, and what it counted. */
async function search(work: (count: (what: string) => void) => void | Promise<void>): Promise<void> {
  const counts = new Map<string, number>();
  const endMs = performance.now() + seconds * 1000;
  while (performance.now() < endMs) await work((what) => void counts.set(what, (counts.get(what) ?? 0) + 1));
  console.log(
    [...counts]
      .sort()
      .map(([what, times]) => `${what}: ${times}`)
      .join('\n'),
  );
}

/** Characters of record keys. */
const letters = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.-_:~';

function randomPath(random: SeededRandom): string {
  const collection = random.pick(['a.b.c', 'app.bsky.feed.like', `x.${'y'.repeat(63)}.${'z'.repeat(200)}`]);
  const kind = random.int(4);
  if (kind === 0) return `${collection}/${tidOf(startUs + random.int(1e12), random.int(1024))}`;
  if (kind === 1) return `${collection}/${random.text('ab', random.between(1, 12))}`;
  return `${collection}/${random.text(letters, kind === 2 ? random.between(1, 20) : random.between(400, 512))}`;
}

/** Tall keys that were found, by their least height: it takes 4^height hashes to find one. */
const tallPaths: string[][] = [];
const tallPathsMax = 256;

/** A key of that height or more. */
function pathOfHeight(random: SeededRandom, height: number): string {
  if (height === 0) return randomPath(random);
  tallPaths[height] ??= [];
  const known = tallPaths[height];
  if (known.length >= tallPathsMax && random.chance(0.95)) return random.pick(known);
  for (;;) {
    const path = randomPath(random);
    if (heightOf(path) < height) continue;
    known[known.length < tallPathsMax ? known.length : random.int(tallPathsMax)] = path;
    return path;
  }
}

/**
 * The commit from one tree to the other, with all that may come along.
 * @param before undefined for an account's first. @param keeps says which of its blocks are sent.
 */
function frameOf(
  before: PlainTree | undefined,
  after: PlainTree,
  revs: { readonly rev: string; readonly since: string | null },
  random: SeededRandom,
  keeps?: (block: Block) => boolean,
): Uint8Array {
  const ops = opsBetween(before?.records ?? new Map(), after.records, random);
  const kind = random.int(10);
  let blocks = kind === 0 ? [...after.blocks()] : after.proof(ops.map(({ path }) => path));
  // Of a commit without ops, too, the root comes along.
  if (blocks.length === 0) blocks = after.proof(['']);
  if (kind === 1) {
    // As when more is sent than has to be.
    const block = random.bytes(random.int(300));
    blocks.push({ block, digest: hash('sha256', block, 'buffer') }, ...(before?.blocks() ?? []).slice(0, 50));
  }
  if (keeps !== undefined) blocks = blocks.filter(keeps);
  const commit = { did, ...revs, data: after.digest, prevData: before?.digest };
  return unsignedFrame(commit, ops, shuffled(blocks, random), random);
}

test(`every change of trees of six keys, seed ${seed}`, { timeout: (seconds + 60) * 1000 }, async () => {
  const random = new SeededRandom(seed, 'small trees');
  const values = [random.bytes(32), random.bytes(32)];
  const revs = { rev: tidOf(startUs + 1, 0), since: tidOf(startUs, 0) };
  await search((count) => {
    const tall = random.int(6);
    const paths = Array.from({ length: 6 }, () => pathOfHeight(random, random.int(tall + 1)));
    const heights = paths.map(heightOf);
    const name = `changes of trees with keys up to ${Math.max(...heights)} high`;
    const trees = new PlainTrees();
    // Of each key a tree has nothing, or one of two records; those before have nothing or the first.
    const all = Array.from({ length: 3 ** 6 }, (_, tree) => {
      const kinds = paths.map((_, at) => Math.floor(tree / 3 ** at) % 3);
      const records = paths.flatMap((path, at): [string, Uint8Array][] =>
        kinds[at] === 0 ? [] : [[path, values[kinds[at] - 1]]],
      );
      return { tree: trees.treeOf(new Map(records)), isBefore: !kinds.includes(2) };
    });
    for (const { tree: before, isBefore } of all) {
      if (!isBefore) continue;
      for (const { tree: after } of all) {
        frame.read(frameOf(before, after, revs, random));
        const finding = unsigned.check(frame, key);
        if (finding !== 'whole') expect(finding, changeOf(before, after, heights)).toBe('whole');
        count(name);
        if (random.chance(0.7)) continue;
        // Older software sends what is new alone, and others may lose some: what is not there says nothing against what is.
        const isLossy = random.chance(0.5);
        const keeps = (block: Block): boolean => (isLossy ? random.chance(0.7) : !before.has(block));
        frame.read(frameOf(before, after, revs, random, keeps));
        const less = unsigned.check(frame, key);
        if (!honestFindings.includes(less)) expect(less, changeOf(before, after, heights)).toBe('whole');
        count(`${isLossy ? 'some blocks' : 'new blocks'} alone: ${less}`);
      }
    }
  });
});

function changeOf(before: PlainTree, after: PlainTree, heights: readonly number[]): string {
  return JSON.stringify({ before: [...before.records.keys()], after: [...after.records.keys()], heights });
}

test(`trees that grow to thousands, and shrink, seed ${seed}`, {
  timeout: (seconds + 60) * 1000,
}, async () => {
  const random = new SeededRandom(seed, 'large trees');
  await search((count) => {
    const most = Math.ceil(4000 * random.float() ** 4);
    const history = random.chance(0.5) ? most : -1;
    const path = (): string => pathOfHeight(random, random.chance(0.02) ? 5 : 0);
    const trees = new PlainTrees();
    let tree: PlainTree | undefined;
    let state: AccountState | undefined;
    let since: string | null = null;
    let nowUs = startUs;
    if (history >= 0) {
      tree = trees.treeOf(new Map(Array.from({ length: history }, () => [path(), random.bytes(32)])));
      since = tidOf(nowUs, 1);
    }
    for (let made = 0; made < 60; made++) {
      const size = tree?.records.size ?? 0;
      const after = changed(tree?.records, most, path, random);
      if (made % 20 === 19 && size <= 200) after.clear();
      nowUs += 1000;
      const rev = tidOf(nowUs, 1);
      const next = trees.treeOf(after);
      frame.read(frameOf(tree, next, { rev, since }, random));
      const finding = unsigned.check(frame, key);
      const step = nextStep(state, finding, linkOf(frame, unsigned, finding), nowUs);
      expect(step.reason, `${size} records, ${frame.opCount} ops`).toBe(
        made === 0 ? 'first_sight' : 'continuous',
      );
      count(`${10 ** Math.floor(Math.log10(Math.max(1, size)))} records or more: ${verdictOf(step.reason)}`);
      tree = next;
      state = step.state;
      since = rev;
    }
  });
});

/** The records after some writes: one in ten times many. */
function changed(
  records: Records | undefined,
  most: number,
  path: () => string,
  random: SeededRandom,
): Map<string, Uint8Array> {
  const after = new Map(records);
  const isGrowing = after.size < most && random.chance(0.6);
  const writes = random.chance(0.1) ? random.between(1, 200) : 1 + Math.floor(6 * random.float() ** 2);
  const paths = [...after.keys()];
  for (let write = 0; write < writes; write++) {
    const at = random.int(Math.max(1, paths.length));
    const old = paths[at];
    paths[at] = paths[paths.length - 1];
    paths.length = Math.max(0, paths.length - 1);
    if (old === undefined || isGrowing || random.chance(0.3)) after.set(path(), random.bytes(32));
    else if (random.chance(0.6)) after.delete(old);
    else after.set(old, random.bytes(32));
  }
  return after;
}

test(`commits as the reference server makes them, seed ${seed}`, {
  timeout: (seconds + 60) * 1000,
}, async () => {
  const random = new SeededRandom(seed, 'reference server');
  const check = new CommitCheck(signatures);
  let accounts = 0;
  await search(async (count) => {
    const server = await ReferenceServer.create(`${seed} ${accounts++}`, random);
    let state: AccountState | undefined;
    for (let made = 0; made < 40; made++) {
      if (random.chance(0.05)) await server.rotateKey();
      const { bytes, kind, isRepeated } = await server.commit();
      frame.read(bytes);
      const isTooLarge = frame.opCount > 200 || frame.blocksEnd - frame.blocksStart > 2_000_000;
      const finding = check.check(frame, server.key);
      const { reason, state: next } = nextStep(state, finding, linkOf(frame, check, finding), server.nowUs);
      const expected = made === 0 ? 'first_sight' : 'continuous';
      const name = `account ${accounts - 1}, commit ${made}, ${kind}`;
      expect(reason, name).toBe(isTooLarge ? 'over_limit' : isRepeated ? 'duplicate_path' : expected);
      count(`${server.key.curve}, ${kind}: ${verdictOf(reason)} ${reason}`);
      state = next;
    }
  });
});

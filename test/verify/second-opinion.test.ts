// What a second opinion costs: frames that were made to keep the packages busy get none, and are not waited for.

import { BlockMap, type CommitData } from '@atproto/repo';
import { encode } from '@ipld/dag-cbor';
import { expect, test } from 'vitest';
import { SeededRandom } from '../../lib/seeded-random.ts';
import { secondOpinion } from '../../lib/verify/second-opinion.ts';
import type { RepoCommit } from '../../simulator/lib/repo-builder.ts';
import { cidOfBytes, frameOfCommit, putTogether, RandomRepo, signFor } from './repo-commits.ts';

type Cid = CommitData['cid'];

const account = await RandomRepo.create('costly', new SeededRandom('costly', ''), 1, 'secp256k1');
const other = await RandomRepo.create('other', new SeededRandom('other', ''), 1, 'secp256k1');
const value = cidOfBytes(Buffer.from('value'));
const create = (path: string) => ({ action: 'create', path, cid: value });
const entry = (key: string) => ({ p: 0, k: Buffer.from(key), v: value, t: null });
const node = (keys: readonly string[], left: Cid | null = null) => ({ e: keys.map(entry), l: left });

function add(blocks: BlockMap, block: unknown): Cid {
  const bytes = encode(block);
  const cid = cidOfBytes(bytes);
  blocks.set(cid, bytes);
  return cid;
}

function keysOf(count: number): string[] {
  return Array.from({ length: count }, (_, at) => `a/${String(at).padStart(8, '0')}`);
}

/** A frame of a tree made by hand, which the account has signed. */
async function frameOf(
  blocks: BlockMap,
  root: Cid,
  ops: readonly unknown[],
  changes: Record<string, unknown> = {},
): Promise<Uint8Array> {
  const rev = account.nextRev();
  const object = { ...(await signFor(account, root, rev)), ...(changes.object as object) };
  const commit = { rev, since: '2222222222222', prevData: value, ops: [] } as unknown as RepoCommit;
  const signed = await putTogether(commit, { object, blocks });
  return frameOfCommit(account.did, signed, { ops, ...changes });
}

test('an archive of very many blocks gets none', async () => {
  const blocks = new BlockMap();
  const root = add(blocks, node(['a/1']));
  const rev = account.nextRev();
  expect(await secondOpinion(await frameOf(blocks, root, [create('a/1')], { rev }), account.key)).toBe(
    'refuted',
  );
  for (let at = 0; at < 5_000; at++) add(blocks, at);
  const frame = await frameOf(blocks, root, [create('a/1')], { rev });
  expect(await secondOpinion(frame, account.key)).toBe('limited');
});

test('nor does a frame that is large beside its archive', async () => {
  const blocks = new BlockMap();
  const root = add(blocks, node(['a/1']));
  const blobs = Array.from({ length: 5_000 }, () => value);
  expect(await secondOpinion(await frameOf(blocks, root, [], { blobs }), account.key)).toBe('limited');
  const ops = Array.from({ length: 201 }, (_, at) => create(`a/${at}`));
  expect(await secondOpinion(await frameOf(blocks, root, ops), account.key)).toBe('limited');
});

test('nor does a commit object that is no small one', async () => {
  const blocks = new BlockMap();
  const object = { more: Array.from({ length: 20_000 }, (_, at) => at) };
  const frame = await frameOf(blocks, add(blocks, node(['a/1'])), [], { object });
  expect(await secondOpinion(frame, account.key)).toBe('limited');
});

test('nor does a tree that is wide, or deep, unless the signature alone is enough', async () => {
  const keys = keysOf(2_000);
  const wide = new BlockMap();
  const wideFrame = await frameOf(wide, add(wide, node(keys)), [create('a/absent')]);
  expect(await secondOpinion(wideFrame, account.key)).toBe('limited');
  expect(await secondOpinion(wideFrame, other.key)).toBe('refuted');

  const deep = new BlockMap();
  let root = add(deep, node(['a/1']));
  for (let depth = 0; depth < 2_500; depth++) root = add(deep, node([], root));
  const deepFrame = await frameOf(deep, root, [create('a/0')]);
  expect(await secondOpinion(deepFrame, account.key)).toBe('limited');
  expect(await secondOpinion(deepFrame, other.key)).toBe('refuted');
});

test('whoever asks only whether it is refuted does not have the ops undone', async () => {
  const commit = await account.commit(5);
  const frame = frameOfCommit(account.did, commit);
  expect(await secondOpinion(frame, account.key)).toBe('whole');
  expect(await secondOpinion(frame, account.key, 'refutation')).toBe('partial');
  expect(await secondOpinion(frame, other.key, 'refutation')).toBe('refuted');
});

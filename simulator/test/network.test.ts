// The synthetic network against software that is not ours: every commit is checked by `@atproto/repo` as a consumer of
// the real stream would check it, and every frame decoded by `@ipld/dag-cbor`.

import { createHash } from 'node:crypto';
import {
  type CommitData,
  def,
  MemoryBlockstore,
  MST,
  type RecordCidClaim,
  readCarWithRoot,
  verifyProofs,
} from '@atproto/repo';
import { describe, expect, it } from 'vitest';
import { CollectionMix } from '../lib/collection-mix.ts';
import { decodeFrame } from '../lib/frame-encoder.ts';
import { SyntheticNetwork } from '../lib/network.ts';
import type { SyntheticFrame } from '../lib/synthetic-frame.ts';

type Cid = CommitData['cid'];

interface CommitBody {
  readonly seq: number;
  readonly repo: string;
  readonly rev: string;
  readonly since: string | null;
  readonly commit: Cid;
  readonly prevData?: Cid;
  readonly blocks: Uint8Array;
  readonly ops: readonly { action: string; path: string; cid: Cid | null; prev?: Cid }[];
}

const busyShares = { identity: 0.03, account: 0.03, sync: 0.03, join: 0.01 };
const small = { accounts: 12, historyRecords: 40 };

async function take(network: SyntheticNetwork, count: number): Promise<SyntheticFrame[]> {
  const frames: SyntheticFrame[] = [];
  for (let i = 0; i < count; i++) {
    frames.push(await network.next());
  }
  return frames;
}

/** The signed commit in a CAR, and the tree below it as far as the CAR has it. */
async function openCar(car: Uint8Array) {
  const { blocks, root } = await readCarWithRoot(car);
  const store = new MemoryBlockstore(blocks);
  const commit = await store.readObj(root, def.commit);
  return { root, blocks, commit, tree: MST.load(store, commit.data) };
}

/** Undoes ops on a partial tree, as Sync 1.1 asks of a consumer; returns the root that was before. */
async function invert(after: MST, ops: CommitBody['ops']): Promise<string> {
  let tree = after;
  for (const { action, path, prev } of [...ops].reverse()) {
    if (action === 'create') {
      tree = await tree.delete(path);
    } else if (action === 'delete') {
      tree = await tree.add(path, prev as Cid);
    } else {
      tree = await tree.update(path, prev as Cid);
    }
  }
  return (await tree.getPointer()).toString();
}

/** Checks one commit message as a verifying consumer would; throws or fails on the first thing that is wrong. */
async function verify(body: CommitBody, key: string): Promise<string> {
  const { root, blocks, commit, tree } = await openCar(body.blocks);
  expect(root.toString()).toBe(body.commit.toString());
  expect(commit.rev).toBe(body.rev);
  const claims = body.ops.map(({ path, cid }) => {
    const [collection, rkey] = path.split('/');
    return { collection, rkey, cid } as RecordCidClaim;
  });
  const { verified } = await verifyProofs(body.blocks, claims, body.repo, key);
  expect(verified).toHaveLength(body.ops.length);
  for (const { action, cid, prev } of body.ops) {
    expect(cid === null || blocks.has(cid)).toBe(true);
    expect(prev === undefined).toBe(action === 'create');
  }
  if (body.prevData !== undefined) {
    expect(await invert(tree, body.ops)).toBe(body.prevData.toString());
  }
  return commit.data.toString();
}

describe('SyntheticNetwork', () => {
  it('gives the same bytes for a seed, and others for another', async () => {
    const hashOf = async (seed: string): Promise<string> => {
      const hash = createHash('sha256');
      for (const { bytes } of await take(new SyntheticNetwork({ ...small, seed }), 100)) {
        hash.update(bytes);
      }
      return hash.digest('hex');
    };
    const first = await hashOf('one');
    expect(await hashOf('one')).toBe(first);
    expect(await hashOf('two')).not.toBe(first);
  });

  it('signs commits whose proofs hold, can be undone, and follow one another', async () => {
    const network = new SyntheticNetwork({ ...small, seed: 'proofs', shares: busyShares });
    const latest = new Map<string, { rev: string; data: string }>();
    const covered = new Set<string>();
    for (const frame of await take(network, 500)) {
      const { header, body } = decodeFrame(frame.bytes);
      if (header.t === '#sync') {
        const { commit } = await openCar(body.blocks as Uint8Array);
        expect([commit.did, commit.rev]).toEqual([body.did, body.rev]);
        latest.set(frame.did, { rev: commit.rev, data: commit.data.toString() });
      } else if (header.t === '#commit') {
        const commit = body as unknown as CommitBody;
        const data = await verify(commit, network.signingKeyOf(commit.repo) ?? '');
        const before = latest.get(commit.repo);
        if (before !== undefined) {
          expect(commit.since).toBe(before.rev);
          expect(commit.prevData?.toString()).toBe(before.data);
        }
        expect(commit.rev > (commit.since ?? '')).toBe(true);
        latest.set(commit.repo, { rev: commit.rev, data });
        for (const { action } of commit.ops) {
          covered.add(
            commit.prevData === undefined ? 'first' : commit.ops.length > 1 ? `${action}+` : action,
          );
        }
      }
    }
    expect([...covered].sort()).toEqual([
      'create',
      'create+',
      'delete',
      'delete+',
      'first',
      'update',
      'update+',
    ]);
  });

  it('lists in its frames what they contain', async () => {
    const network = new SyntheticNetwork({ ...small, seed: 'frames', firstSeq: 7, shares: busyShares });
    const kinds = new Set<string>();
    let time = '';
    for (const [index, frame] of (await take(network, 200)).entries()) {
      const { header, body } = decodeFrame(frame.bytes);
      kinds.add(`${header.t} ${body.status ?? ''} ${'handle' in body}`);
      expect([body.seq, frame.seq]).toEqual([7 + index, 7 + index]);
      expect(String(body.time) >= time).toBe(true);
      time = String(body.time);
      expect(body.repo ?? body.did).toBe(frame.did);
      expect(frame.rev).toBe(body.rev ?? '');
      if (header.t === '#commit') {
        const { ops, blobs, rebase, tooBig } = body as unknown as CommitBody & Record<string, unknown>;
        expect([blobs, rebase, tooBig]).toEqual([[], false, false]);
        expect(frame.ops.map((op) => [op.operation, `${op.collection}/${op.rkey}`, op.cid])).toEqual(
          ops.map((op) => [op.action, op.path, op.cid?.toString()]),
        );
      }
    }
    for (const kind of [
      '#commit  false',
      '#identity  true',
      '#identity  false',
      '#account  false',
      '#sync  false',
    ]) {
      expect(kinds).toContain(kind);
    }
    expect([...kinds].some((kind) => kind.startsWith('#account deactivated'))).toBe(true);
  });

  it('dates frames by a clock that it is given, and never backwards', async () => {
    const times = [2_000_000_000_000, 2_000_000_000_000, 1_000_000_000_000, 2_000_000_000_005];
    const network = new SyntheticNetwork({ ...small, seed: 'clock', nowMs: () => times.shift() ?? 0 });
    const dates = (await take(network, 4)).map((frame) => String(decodeFrame(frame.bytes).body.time));
    expect(dates.map((date) => Date.parse(date) - 2_000_000_000_000)).toEqual([0, 0, 0, 5]);
  });

  it('draws collections from the mix it is given', async () => {
    const mix = CollectionMix.parse('app.bsky.feed.post=3,test.sim.thing=1');
    const network = new SyntheticNetwork({ ...small, historyRecords: 1, seed: 'mix', mix });
    const collections = (await take(network, 200)).flatMap((frame) => frame.ops.map((op) => op.collection));
    const things = collections.filter((collection) => collection === 'test.sim.thing').length;
    expect(new Set(collections)).toEqual(
      new Set(['app.bsky.feed.post', 'test.sim.thing', ...collections.filter((c) => c.endsWith('.profile'))]),
    );
    expect(things / collections.length).toBeGreaterThan(0.15);
    expect(things / collections.length).toBeLessThan(0.4);
  });

  it('ends a commit when the mix has no further key to offer', async () => {
    const mix = new CollectionMix({ 'app.bsky.actor.profile': 1 });
    const network = new SyntheticNetwork({ accounts: 2, historyRecords: 1, seed: 'self', mix });
    expect(await take(network, 150)).toHaveLength(150);
  });
});

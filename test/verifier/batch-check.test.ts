// Batches of frames against keys that come at once, late or never, and accounts that lie, leave out and go on.

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { encode } from '@ipld/dag-cbor';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type Reason, reasonOfNumber } from '../../lib/event/verdict.ts';
import { SeededRandom } from '../../lib/seeded-random.ts';
import { AccountStates } from '../../lib/verifier/account-states.ts';
import { AccountStore } from '../../lib/verifier/account-store.ts';
import { BatchCheck } from '../../lib/verifier/batch-check.ts';
import { type Incident, monotonicMs } from '../../lib/verifier/verifier-messages.ts';
import { SignatureChecker } from '../../lib/verify/signature.ts';
import { encodeMessage } from '../../simulator/lib/frame-encoder.ts';
import {
  cidOfBytes,
  frameOfCommit,
  putTogether,
  RandomRepo,
  startUs,
  takeApart,
} from '../verify/repo-commits.ts';
import { TestKeys } from './test-keys.ts';

let folder: string;
let store: AccountStore;
let keys: TestKeys;
let incidents: Incident[];
let isBehind: boolean;
let batches = 0;
let check: BatchCheck;
let states: AccountStates;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'slipstream-batch-'));
  store = await AccountStore.open(folder);
  keys = new TestKeys();
  incidents = [];
  isBehind = false;
  batches = 0;
  states = new AccountStates(store, 0);
  const signatures = await SignatureChecker.load();
  const nowMs = (): number => startUs / 1000 + 60_000;
  const incident = (one: Incident): void => void incidents.push(one);
  check = new BatchCheck({ keys, states, signatures, nowMs, incident, isBehind: () => isBehind });
});
afterEach(async () => {
  await store.close();
  await rm(folder, { recursive: true });
});

function repoOf(name: string): Promise<RandomRepo> {
  return RandomRepo.create(name, new SeededRandom(name, 'batch'), 5);
}

/** The answer to a batch of those frames. */
async function run(frames: readonly Uint8Array[], ms = 60_000, hasSkipped = false): Promise<Reason[]> {
  let end = 0;
  const ends = Uint32Array.from(frames, ({ length }) => {
    end += length;
    return end;
  });
  const batch = { number: ++batches, bytes: Buffer.concat(frames), ends, storedBatch: 0, hasSkipped };
  let answer: Reason[] | undefined;
  await check.run({ ...batch, answerByMs: monotonicMs() + ms }, (numbers) => {
    expect(answer).toBeUndefined();
    answer = Array.from(numbers, reasonOfNumber);
  });
  return answer as Reason[];
}

test('commits of one account and of another, an identity event, and what is signed by nobody', async () => {
  const [one, other] = [await repoOf('one'), await repoOf('other')];
  keys.known.set(one.did, one.key);
  keys.elsewhere.set(other.did, other.key);
  const identity = encodeMessage('#identity', { seq: 3, did: one.did, time: '2026-01-01T00:00:00Z' });
  const frames = [
    frameOfCommit(one.did, await one.commit(3)),
    frameOfCommit(other.did, await other.commit(3)),
    frameOfCommit(one.did, await one.commit(3)),
  ];
  expect(await run(frames)).toEqual(['first_sight', 'first_sight', 'continuous']);
  expect(keys.asked).toEqual([other.did]);
  // What it has changed to is asked for before its next commit.
  keys.elsewhere.set(one.did, one.key);
  expect(await run([identity, frameOfCommit(one.did, await one.commit(2))])).toEqual([
    'not_asked',
    'continuous',
  ]);
  expect(incidents).toEqual([]);
});

test('a key that does not come is not waited for, and the next commit has it', async () => {
  const repo = await repoOf('late');
  const outage = Promise.withResolvers<void>();
  keys.outage = outage.promise;
  keys.elsewhere.set(repo.did, repo.key);
  // Late is what a busy machine makes of it.
  await expect
    .poll(async () => run([frameOfCommit(repo.did, await repo.commit(2))], 50))
    .toEqual(['key_awaited']);
  outage.resolve();
  await keys.keyAtHand(repo.did);
  expect(await run([frameOfCommit(repo.did, await repo.commit(2))])).toEqual(['first_sight']);
});

test('commits that were left out break the chain, but not where some were not checked', async () => {
  const repo = await repoOf('gap');
  keys.known.set(repo.did, repo.key);
  const [first, , third, , fifth] = [
    await repo.commit(2),
    await repo.commit(2),
    await repo.commit(2),
    await repo.commit(2),
    await repo.commit(2),
  ];
  expect(await run([frameOfCommit(repo.did, first), frameOfCommit(repo.did, third)])).toEqual([
    'first_sight',
    'gap',
  ]);
  expect(incidents).toEqual([
    {
      reason: 'broken_chain',
      fromSeq: 1,
      toSeq: 1,
      detail: `gap ${repo.did} ${first.rev} ${third.rev}`,
    },
  ]);
  expect(await run([frameOfCommit(repo.did, fifth)], 60_000, true)).toEqual(['after_unchecked']);
  expect(incidents).toHaveLength(1);
});

test('a forged commit is refuted by both, told once, and the honest one goes on from before', async () => {
  const [repo, forger] = [await repoOf('honest'), await repoOf('forger')];
  for (const key of [keys.known, keys.elsewhere]) key.set(repo.did, repo.key);
  const first = frameOfCommit(repo.did, await repo.commit(2));
  const forged = { ...(await forger.commit(2)) };
  expect(await run([first])).toEqual(['first_sight']);
  const lie = frameOfCommit(repo.did, forged);
  // The object inside names its own account.
  expect(await run([lie])).toEqual(['wrong_did']);
  const honest = await repo.commit(2);
  const altered = Buffer.from(frameOfCommit(repo.did, honest));
  expect(incidents).toEqual([
    {
      reason: 'refuted_commit',
      fromSeq: 1,
      toSeq: 1,
      detail: `wrong_did ${repo.did} ${forged.rev}`,
    },
  ]);
  expect(await run([altered])).toEqual(['continuous']);
});

test('a signature by another key is looked at again: by the new key, by that of the time, or refuted', async () => {
  const [repo, other] = [await repoOf('keys'), await repoOf('others')];
  const commits = [await repo.commit(1), await repo.commit(1), await repo.commit(1), await repo.commit(1)];
  const frames = commits.map((commit) => frameOfCommit(repo.did, commit));
  // Changed, and nobody has said so.
  keys.known.set(repo.did, other.key);
  keys.elsewhere.set(repo.did, repo.key);
  expect(await run([frames[0]])).toEqual(['first_sight']);
  expect(await run([frames[1]])).toEqual(['continuous']);
  // The old one, just before the change.
  keys.known.set(repo.did, other.key);
  keys.elsewhere.set(repo.did, other.key);
  keys.earlier = [repo.key];
  expect(await run([frames[2]])).toEqual(['continuous']);
  expect(incidents).toEqual([]);
  keys.earlier = [];
  expect(await run([frames[3]])).toEqual(['bad_signature']);
  expect(incidents).toMatchObject([{ reason: 'refuted_commit' }]);
});

test('what is late is too late in the answer, and checked all the same unless others wait', async () => {
  const repo = await repoOf('slow');
  keys.known.set(repo.did, repo.key);
  const frames = [];
  for (let made = 0; made < 20; made++) frames.push(frameOfCommit(repo.did, await repo.commit(1)));
  expect(new Set(await run(frames.slice(0, 10), -1))).toEqual(new Set(['too_late']));
  expect(await run([frames[10]])).toEqual(['continuous']);
  isBehind = true;
  await run(frames.slice(11, 19), -1);
  isBehind = false;
  expect(await run([frames[19]])).toEqual(['after_unchecked']);
  expect(incidents).toEqual([]);
});

test('what is more than an honest commit can be is not looked at again: whoever sends it pays for one look', async () => {
  const one = await repoOf('one');
  const { key } = await repoOf('other');
  keys.known.set(one.did, key);
  const { object, blocks } = await takeApart(await one.commit(1));
  for (let at = 0; at < 5_000; at++) blocks.set(cidOfBytes(encode(at)), encode(at));
  const many = frameOfCommit(one.did, await putTogether(await one.commit(1), { object, blocks }));
  const ops = Array.from({ length: 201 }, (_, at) => ({ action: 'delete', path: `a/${at}`, cid: null }));
  const commit = await one.commit(1);
  const blobs = Array.from({ length: 5_000 }, () => commit.cid);
  expect(
    await run([many, frameOfCommit(one.did, commit, { ops }), frameOfCommit(one.did, commit, { blobs })]),
  ).toEqual(['limited', 'limited', 'limited']);
  expect(keys.asked).toEqual([]);
  expect(await run([frameOfCommit(one.did, await one.commit(1))])).not.toEqual(['limited']);
  expect(keys.asked).toEqual([one.did]);
});

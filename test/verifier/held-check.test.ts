// Frames that are held until they are answered: accounts whose keys come late or never, forgeries, bounds, and what is forgotten.

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { reasonOfNumber } from '../../lib/event/verdict.ts';
import { SeededRandom } from '../../lib/seeded-random.ts';
import { AccountStates } from '../../lib/verifier/account-states.ts';
import { AccountStore } from '../../lib/verifier/account-store.ts';
import { Arming } from '../../lib/verifier/arming.ts';
import { HeldCheck } from '../../lib/verifier/held-check.ts';
import type { HeldIncident } from '../../lib/verifier/verifier-messages.ts';
import { SignatureChecker } from '../../lib/verify/signature.ts';
import { encodeMessage } from '../../simulator/lib/frame-encoder.ts';
import { frameOfCommit, RandomRepo, startUs } from '../verify/repo-commits.ts';
import { TestKeys } from './test-keys.ts';

let folder: string;
let store: AccountStore;
let states: AccountStates;
let keys: TestKeys;
let incidents: HeldIncident[];
let answers: [id: number, reason: string][];
let number: number;
let isWoken: boolean;
let nextId: number;
let check: HeldCheck;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'slipstream-held-'));
  store = await AccountStore.open(folder);
  states = new AccountStates(store, 0);
  keys = new TestKeys();
  incidents = [];
  answers = [];
  number = 0;
  isWoken = false;
  nextId = 1;
  await begin(true);
});
afterEach(async () => {
  await store.close();
  await rm(folder, { recursive: true });
});

async function begin(isArmed: boolean): Promise<void> {
  const arming = new Arming();
  if (isArmed) for (let made = 0; made < 4 * 1024; made++) arming.note('continuous');
  check = new HeldCheck({
    ...{ keys, states, arming },
    signatures: await SignatureChecker.load(),
    nowMs: () => startUs / 1000 + 60_000,
    answered: ({ number: counted, ids, reasons }) => {
      number = counted;
      for (const [at, id] of ids.entries()) answers.push([id, reasonOfNumber(reasons[at])]);
    },
    incident: (incident) => incidents.push(incident),
    wake: () => {
      isWoken = true;
    },
  });
}

function repoOf(name: string): Promise<RandomRepo> {
  return RandomRepo.create(name, new SeededRandom(name, 'held'), 5);
}

/** Has frames checked; their ids go on from the last. */
async function run(frames: readonly Uint8Array[]): Promise<void> {
  let end = 0;
  const ends = Uint32Array.from(frames, ({ length }) => {
    end += length;
    return end;
  });
  const firstId = nextId;
  nextId += frames.length;
  await check.run({ number: 1, firstId, bytes: Buffer.concat(frames), ends, storedAnswers: 0 });
}

/** What waits goes on when it may. */
async function goOn(): Promise<void> {
  await expect.poll(() => isWoken).toBe(true);
  isWoken = false;
  await check.goOn();
}

test('an account waits for its key, in its order, and no other account for it', async () => {
  const [one, other] = [await repoOf('one'), await repoOf('other')];
  keys.known.set(other.did, other.key);
  keys.elsewhere.set(one.did, one.key);
  const outage = Promise.withResolvers<void>();
  keys.outage = outage.promise;
  const identity = encodeMessage('#identity', { seq: 3, did: one.did, time: '2026-01-01T00:00:00Z' });
  const account = encodeMessage('#account', {
    seq: 4,
    did: one.did,
    time: '2026-01-01T00:00:00Z',
    active: true,
  });
  await run([
    frameOfCommit(one.did, await one.commit(2)),
    frameOfCommit(other.did, await other.commit(2)),
    account,
    frameOfCommit(one.did, await one.commit(2)),
    frameOfCommit(other.did, await other.commit(2)),
  ]);
  expect(answers).toEqual([
    [2, 'first_sight'],
    [5, 'continuous'],
  ]);
  await run([identity]);
  expect(answers).toHaveLength(2);
  outage.resolve();
  await goOn();
  expect(answers.slice(2)).toEqual([
    [1, 'first_sight'],
    [3, 'not_asked'],
    [4, 'continuous'],
    [6, 'not_asked'],
  ]);
});

test('a key that nobody has is waited for while it is looked for, and the account is unchecked then', async () => {
  const repo = await repoOf('unknown');
  const outage = Promise.withResolvers<void>();
  keys.outage = outage.promise;
  await run([frameOfCommit(repo.did, await repo.commit(1))]);
  expect(answers).toEqual([]);
  outage.resolve();
  await goOn();
  expect(answers).toEqual([[1, 'key_unknown']]);
});

test('one account has 64 frames in its line; then they go on unchecked, in order', async () => {
  const repo = await repoOf('long');
  keys.outage = new Promise(() => {});
  const frames: Uint8Array[] = [];
  for (let made = 0; made < 65; made++) frames.push(frameOfCommit(repo.did, await repo.commit(1)));
  await run(frames.slice(0, 64));
  expect(answers).toEqual([]);
  await run(frames.slice(64));
  expect(answers).toEqual(Array.from({ length: 64 }, (_, at) => [at + 1, 'key_awaited']));
});

test('before it is armed nothing waits for long', async () => {
  await begin(false);
  const repo = await repoOf('warming');
  keys.outage = new Promise(() => {});
  await run([frameOfCommit(repo.did, await repo.commit(1))]);
  // A timer counts from when its turn began, so it may come early; then there is another.
  while (answers.length === 0) await goOn();
  expect(answers).toEqual([[1, 'key_awaited']]);
});

test('a forged commit waits for the second look, and so does what comes behind it', async () => {
  const [repo, forger] = [await repoOf('honest'), await repoOf('forger')];
  for (const known of [keys.known, keys.elsewhere]) known.set(repo.did, repo.key);
  await run([frameOfCommit(repo.did, await repo.commit(1))]);
  const forged = await forger.commit(2);
  await run([frameOfCommit(repo.did, forged), frameOfCommit(repo.did, await repo.commit(1))]);
  expect(answers).toEqual([[1, 'first_sight']]);
  await goOn();
  expect(answers.slice(1)).toEqual([
    [2, 'wrong_did'],
    [3, 'continuous'],
  ]);
  expect(incidents).toEqual([
    {
      incident: expect.objectContaining({
        reason: 'refuted_commit',
        detail: `wrong_did ${repo.did} ${forged.rev}`,
      }),
      id: 2,
      isArmed: true,
    },
  ]);
});

test('an account that signs two histories is told, and what it repeats is no event of the verified', async () => {
  const [one, two] = [await repoOf('fork'), await repoOf('fork')];
  keys.known.set(one.did, one.key);
  const first = frameOfCommit(one.did, await one.commit(1));
  const last = await one.commit(1);
  await run([first, frameOfCommit(one.did, last)]);
  let other = await two.commit(3);
  while (other.rev <= last.rev) other = await two.commit(3);
  await run([first, frameOfCommit(two.did, other)]);
  expect(answers.map(([, reason]) => reason)).toEqual(['first_sight', 'continuous', 'repeat', 'fork']);
  expect(incidents.map(({ incident }) => incident.reason)).toEqual(['broken_chain']);
});

test('a sync that another account has signed is refuted by both, too', async () => {
  const [repo, forger] = [await repoOf('synced'), await repoOf('forger')];
  for (const known of [keys.known, keys.elsewhere]) known.set(repo.did, forger.key);
  const { car, rev } = await repo.commit(1);
  const sync = (did: string) =>
    encodeMessage('#sync', { seq: 1, did, rev, blocks: car, time: '2026-01-01T00:00:00Z' });
  await run([sync(repo.did)]);
  expect(answers).toEqual([]);
  await goOn();
  expect(answers).toEqual([[1, 'bad_signature']]);
  keys.known.set(repo.did, repo.key);
  await run([sync(repo.did)]);
  expect(answers.at(-1)).toEqual([2, 'first_sight']);
});

test('what has not been stored is forgotten when whoever writes begins again: it comes again, and is no repeat', async () => {
  const repo = await repoOf('again');
  keys.known.set(repo.did, repo.key);
  const frames = [
    frameOfCommit(repo.did, await repo.commit(1)),
    frameOfCommit(repo.did, await repo.commit(1)),
  ];
  await run(frames.slice(0, 1));
  const stored = number;
  await states.write(stored);
  await run(frames.slice(1));
  check.begin(stored);
  await run(frames.slice(1));
  expect(answers.map(([, reason]) => reason)).toEqual(['first_sight', 'continuous', 'continuous']);
});

test('it is armed by commits that could be checked, and disarmed when many could not', () => {
  const arming = new Arming();
  const note = (good: number, bad: number): void => {
    for (let made = 0; made < good; made++) arming.note('continuous');
    for (let made = 0; made < bad; made++) arming.note('lookup_failed');
  };
  note(3 * 1024, 0);
  note(1024 - 11, 11);
  expect(arming.isArmed).toBe(false);
  for (let window = 0; window < 4; window++) note(1024 - 10, 10);
  expect(arming.isArmed).toBe(true);
  note(1024 - 51, 51);
  expect(arming.isArmed).toBe(true);
  note(1024 - 52, 52);
  expect(arming.isArmed).toBe(false);
});

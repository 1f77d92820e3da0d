// Verdicts from a thread, with keys from a directory over a real socket: in time, late, after a restart, and after the thread's end.

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { Frame } from '../../lib/decode/frame.ts';
import { reasonOfNumber } from '../../lib/event/verdict.ts';
import { SeededRandom } from '../../lib/seeded-random.ts';
import { Verifier } from '../../lib/verifier/verifier.ts';
import type { Incident } from '../../lib/verifier/verifier-messages.ts';
import { encodeMessage } from '../../simulator/lib/frame-encoder.ts';
import { frameOfCommit, RandomRepo } from '../verify/repo-commits.ts';
import { KeyDirectory } from './key-directory.ts';

let dataDir: string;
let directory: KeyDirectory;
let plcUrl: string;
let repos: RandomRepo[];
let verifier: Verifier;
let incidents: Incident[];
const ended: Error[] = [];

beforeEach(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'slipstream-verifier-'));
  repos = await Promise.all(
    ['one', 'two', 'six'].map((name) => RandomRepo.create(name, new SeededRandom(name, 'verifier'), 3)),
  );
  directory = await KeyDirectory.listen();
  plcUrl = directory.url;
  for (const { did, signingKey } of repos) directory.keys.set(did, signingKey.did());
  incidents = [];
  ended.length = 0;
  await start();
});
afterEach(async () => {
  await verifier.stop();
  await directory[Symbol.asyncDispose]();
  await rm(dataDir, { recursive: true });
});

/** A thread that may be as slow as the machine is. */
async function start(waitMs = 30_000): Promise<void> {
  verifier = await Verifier.start({
    ...{ dataDir, plcUrl, webUrl: undefined, waitMs },
    ended: (error) => ended.push(error),
  });
  verifier.begin((incident) => incidents.push(incident));
}

/** The column of a block with an event for each op of the frames, and one for what has none. */
async function verdictsOf(frames: readonly Uint8Array[]): Promise<string[]> {
  const frame = new Frame();
  let events = 0;
  for (const bytes of frames) {
    frame.read(bytes);
    const from = events;
    events += frame.opCount || 1;
    verifier.add(frame, from, events);
  }
  const pending = verifier.seal(events);
  const column = await pending?.column;
  pending?.stored();
  return Array.from(column ?? [], reasonOfNumber);
}

/** Until its key has come: the first commits do not wait for it. */
async function known(repo: RandomRepo): Promise<void> {
  await expect
    .poll(async () => (await verdictsOf([frameOfCommit(repo.did, await repo.commit(1))]))[0], {
      timeout: 10_000,
    })
    .not.toMatch(/key_awaited|too_late/);
}

test('every event has the verdict of its commit, and what nobody signs has none', async () => {
  const [one, two] = repos;
  await known(one);
  await known(two);
  const commits = [await one.commit(3), await two.commit(3), await one.commit(3)];
  const account = encodeMessage('#account', { seq: 2, did: one.did, time: 't', active: true });
  const frames = [
    frameOfCommit(one.did, commits[0]),
    account,
    frameOfCommit(two.did, commits[1]),
    frameOfCommit(one.did, commits[2]),
  ];
  const opsOf = (at: number): string[] => commits[at].ops.map(() => 'continuous');
  await expect.poll(() => verifier.counts.get('first_sight')).toBeGreaterThanOrEqual(2);
  expect(await verdictsOf(frames)).toEqual([...opsOf(0), 'not_asked', ...opsOf(1), ...opsOf(2)]);
  expect(incidents).toEqual([]);
});

test('a block without commits waits for nothing', async () => {
  const frame = new Frame();
  frame.read(encodeMessage('#account', { seq: 2, did: repos[0].did, time: 't', active: true }));
  verifier.add(frame, 0, 1);
  expect(verifier.seal(1)).toBeUndefined();
});

test('accounts go on after a restart, and their keys are there at once', async () => {
  const [one] = repos;
  await known(one);
  await verifier.stop();
  await directory[Symbol.asyncDispose]();
  await start();
  await known(one);
  // Nobody could have said the key.
  expect(verifier.counts.get('continuous')).toBe(1);
});

test('what does not fit is too late at once, and the accounts are no broken chains after it', async () => {
  const [one] = repos;
  await known(one);
  const frame = new Frame();
  const pending = [];
  for (let sent = 0; sent < 12; sent++) {
    // A frame of a megabyte that nobody can read to its end is a commit all the same.
    frame.read(frameOfCommit(one.did, await one.commit(1), { blobs: [new Uint8Array(1_000_000)] }));
    verifier.add(frame, 0, 1);
    pending.push(verifier.seal(1));
  }
  expect(verifier.outstandingBytes).toBeLessThanOrEqual(4 * 1024 * 1024);
  const columns = await Promise.all(pending.map((one) => one?.column));
  expect(columns.map((column) => reasonOfNumber(column?.[0] as number)).at(-1)).toBe('too_late');
  await known(one);
  expect(incidents).toEqual([]);
});

test('a thread that ends costs verdicts, and is told', async () => {
  const [one] = repos;
  await known(one);
  // Nobody else has the databases open: a second thread on them does not start.
  await expect(Verifier.start({ dataDir, plcUrl, webUrl: undefined, ended: () => {} })).rejects.toMatchObject(
    { code: 'LOG_LOCKED' },
  );
  await verifier.stop();
  expect(await verdictsOf([frameOfCommit(one.did, await one.commit(1))])).toEqual(['too_late']);
  expect(verifier.isUp).toBe(false);
  expect(ended).toEqual([]);
});

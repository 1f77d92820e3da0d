// Verdicts from a thread, with keys from a directory over a real socket: in time, late, after a restart, and after the thread's end.

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { Frame } from '../../lib/decode/frame.ts';
import { type BlockVerdicts, reasonOfNumber } from '../../lib/event/verdict.ts';
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
  vi.restoreAllMocks();
  await verifier.stop();
  await directory[Symbol.asyncDispose]();
  await rm(dataDir, { recursive: true });
});

/** A thread that may be as slow as the machine is. */
async function start(waitMs = 30_000, standstill?: Always): Promise<void> {
  verifier = await Verifier.start({
    ...{ dataDir, plcUrl, webUrl: undefined, waitMs, standstill },
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
  const column = await pending?.column();
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
  const frames = [];
  // A frame of a megabyte that nobody can read to its end is a commit all the same.
  for (let made = 0; made < 12; made++)
    frames.push(frameOfCommit(one.did, await one.commit(1), { blobs: [new Uint8Array(1_000_000)] }));
  const pending = frames.map((bytes) => {
    frame.read(bytes);
    verifier.add(frame, 0, 1);
    return verifier.seal(1);
  });
  expect(verifier.outstandingBytes).toBeLessThanOrEqual(4 * 1024 * 1024);
  const columns = await Promise.all(pending.map((one) => one?.column()));
  expect(columns.map((column) => reasonOfNumber(column?.[0] as number))).toContain('too_late');
  await known(one);
  expect(incidents).toEqual([]);
});

test('a block does not wait for a thread that has too much to do, which goes on all the same', async () => {
  const [one] = repos;
  await known(one);
  await verifier.stop();
  await start(20);
  const frame = frameOfCommit(one.did, await one.commit(1));
  expect(await verdictsOf(Array(1_000).fill(frame))).toContain('too_late');
  await expect.poll(() => verifier.outstandingBytes, { timeout: 20_000 }).toBe(0);
  expect(ended).toEqual([]);
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

/** A block of as many commits, with an event each. */
function sealedOf(frames: readonly Uint8Array[]): BlockVerdicts {
  const frame = new Frame();
  for (const [at, bytes] of frames.entries()) {
    frame.read(bytes);
    verifier.add(frame, at, at + 1);
  }
  return verifier.seal(frames.length) as BlockVerdicts;
}

/** Stands still for so long whenever it is asked, and notes what it is asked and told. */
class Always {
  readonly frames: number[] = [];
  readonly answered: boolean[] = [];
  readonly #ms: number;

  constructor(ms: number) {
    this.#ms = ms;
  }

  msFor(frames: number): number {
    this.frames.push(frames);
    return this.#ms;
  }

  stood(_: number, isAnswered: boolean): void {
    this.answered.push(isAnswered);
  }
}

test('who stands still for verdicts has them at once', async () => {
  const [one, two] = repos;
  await known(one);
  await known(two);
  await verifier.stop();
  const standstill = new Always(30_000);
  await start(30_000, standstill);
  await known(one);
  await known(two);
  // Verdicts that are there before they are asked for are nothing to stand still for: then with the next frames.
  while (standstill.frames.at(-1) !== 2) {
    const frames = [frameOfCommit(one.did, await one.commit(1)), frameOfCommit(two.did, await two.commit(1))];
    const { column } = sealedOf(frames);
    const verdicts = column() as Uint8Array;
    expect(Array.from(verdicts, reasonOfNumber)).toEqual(['continuous', 'continuous']);
    expect(column()).toBe(verdicts);
  }
  expect(new Set(standstill.answered)).toEqual(new Set([true]));
});

test('verdicts that do not come while it stands still come later all the same', async () => {
  const [one] = repos;
  await known(one);
  await verifier.stop();
  const standstill = new Always(1);
  await start(30_000, standstill);
  await known(one);
  const frame = frameOfCommit(one.did, await one.commit(1));
  const { column } = sealedOf([frame, ...Array(999).fill(frame)]);
  const verdicts = column();
  expect(verdicts).toBeInstanceOf(Promise);
  expect(standstill.answered.at(-1)).toBe(false);
  // It is tried once a block, and not while another is under way.
  const asked = standstill.frames.length;
  expect(column()).toBe(verdicts);
  const next = sealedOf([frame]).column();
  expect(standstill.frames.length).toBe(asked);
  expect(reasonOfNumber((await verdicts)[0])).toBe('continuous');
  expect(reasonOfNumber((await next)[0])).toBe('repeat');
});

test('nobody stands still beyond the time that a block waits at most', async () => {
  const [one] = repos;
  await known(one);
  await verifier.stop();
  const standstill = new Always(60_000);
  await start(20, standstill);
  const frame = frameOfCommit(one.did, await one.commit(1));
  const limits: number[] = [];
  vi.spyOn(Atomics, 'wait').mockImplementation((_, __, ___, ms) => {
    limits.push(ms as number);
    return 'timed-out';
  });
  const column = sealedOf(Array(2_000).fill(frame)).column();
  // That time is over: so there is nothing left to wait for.
  expect(reasonOfNumber((column as Uint8Array)[1_999])).toBe('too_late');
  expect(Math.max(...limits)).toBeLessThanOrEqual(20);
});

test('what nobody has asked for yet is no reason to wake this thread', async () => {
  const [one] = repos;
  await known(one);
  await vi.waitFor(() => expect(verifier.outstandingBytes).toBe(0));
  const listens = vi.spyOn(Atomics, 'waitAsync');
  const sealed = sealedOf([frameOfCommit(one.did, await one.commit(1))]);
  await vi.waitFor(() => expect(verifier.outstandingBytes).toBe(0), { timeout: 20_000 });
  expect(listens).not.toHaveBeenCalled();
  expect(reasonOfNumber((await sealed.column())[0])).toBe('continuous');
});

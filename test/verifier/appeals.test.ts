// Second looks at what does not fit: how often whoever knows the keys is asked for them, and how much time they take.

import { BlockMap } from '@atproto/repo';
import { encode } from '@ipld/dag-cbor';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { KeyResolver } from '../../lib/identity/key-resolver.ts';
import { SeededRandom } from '../../lib/seeded-random.ts';
import { type AppealKeys, Appeals } from '../../lib/verifier/appeals.ts';
import type { CommitFinding } from '../../lib/verify/commit-check.ts';
import { SignatureChecker } from '../../lib/verify/signature.ts';
import type { VerifyingKey } from '../../lib/verify/verifying-key.ts';
import { DirectoryServer } from '../../simulator/lib/directory-server.ts';
import { SyntheticNetwork } from '../../simulator/lib/network.ts';
import type { SyntheticFrame } from '../../simulator/lib/synthetic-frame.ts';
import { cidOfBytes, frameOfCommit, putTogether, RandomRepo, takeApart } from '../verify/repo-commits.ts';

const minuteMs = 60_000;

const neverAsked: AppealKeys = {
  recheck: async () => 'key_unknown',
  keysAt: async () => ({ keys: [], lack: 'key_unknown' }),
};

let network: SyntheticNetwork;
let directory: DirectoryServer;
let resolver: KeyResolver;
let appeals: Appeals;
let nowMs: number;
beforeEach(async () => {
  network = new SyntheticNetwork({ seed: 'appeals', accounts: 60, historyRecords: 1 });
  directory = await DirectoryServer.listen(network);
  const { url } = directory;
  nowMs = Date.UTC(2026, 0, 2);
  resolver = new KeyResolver({ plcUrl: url, webUrl: url, nowMs: () => nowMs, recheckMs: 50 });
  appeals = new Appeals(resolver, await SignatureChecker.load(), () => nowMs);
});
afterEach(async () => {
  resolver.close();
  await directory.close();
});

/** A commit of an account of that kind. */
async function commitOf(method: string): Promise<SyntheticFrame> {
  for (;;) {
    const frame = await network.next();
    if (frame.kind === 'commit' && frame.did.startsWith(method)) return frame;
  }
}

/** What a second look at it comes to, and the requests that it takes. */
async function appeal(
  { bytes, did }: SyntheticFrame,
  key: VerifyingKey,
): Promise<{ finding: CommitFinding | undefined; requests: number }> {
  const { requests } = directory;
  const appealed = await appeals.open(bytes, did, 'bad_signature', key, nowMs);
  return { finding: appealed?.finding, requests: directory.requests - requests };
}

test('a host that does not answer is asked once for what does not fit, and then left alone', async () => {
  const frame = await commitOf('did:web:');
  const key = (await resolver.keyOf(frame.did)) as VerifyingKey;
  nowMs += minuteMs;
  directory.setFaults({ refuseStatus: 1 });
  expect(await appeal(frame, key)).toEqual({ finding: 'lookup_failed', requests: 1 });
  nowMs += minuteMs / 4;
  expect(await appeal(frame, key)).toEqual({ finding: 'lookup_failed', requests: 0 });
  nowMs += minuteMs / 2;
  expect(await appeal(frame, key)).toEqual({ finding: 'lookup_failed', requests: 1 });
});

test('it is asked once for all that came together', async () => {
  const frame = await commitOf('did:web:');
  const key = (await resolver.keyOf(frame.did)) as VerifyingKey;
  nowMs += minuteMs;
  directory.setFaults({ refuseStatus: 1 });
  const { requests } = directory;
  const all = await Promise.all(Array.from({ length: 10 }, () => appeal(frame, key)));
  expect(all.map(({ finding }) => finding)).toEqual(Array(10).fill('lookup_failed'));
  expect(directory.requests - requests).toBe(1);
});

/** A frame that is as much work as an honest one can be, and says something else than what was signed. */
async function costlyFrame(): Promise<{ bytes: Uint8Array; did: string; key: VerifyingKey }> {
  const account = await RandomRepo.create('costly', new SeededRandom('costly', ''), 1, 'secp256k1');
  const commit = await account.commit(1);
  const { object, blocks } = await takeApart(commit);
  const more = new BlockMap();
  more.addMap(blocks);
  for (let at = 0; at < 4_000; at++) more.set(cidOfBytes(encode(at)), encode(at));
  const costly = await putTogether(commit, { object, blocks: more });
  return { bytes: frameOfCommit(account.did, costly), did: account.did, key: account.key };
}

test('second opinions have a share of the time: frames that take long leave none for more of them', async () => {
  const { bytes, did, key } = await costlyFrame();
  const other = await RandomRepo.create('other', new SeededRandom('other', ''), 1);
  const wrongs: AppealKeys = { ...neverAsked, keysAt: async () => ({ keys: [other.key], lack: undefined }) };
  appeals = new Appeals(wrongs, await SignatureChecker.load(), () => nowMs);
  const open = async () => (await appeals.open(bytes, did, 'bad_signature', key, nowMs))?.finding;
  const findings = await Promise.all(Array.from({ length: 40 }, open));
  expect(findings[0]).toBe('bad_signature');
  expect(findings.at(-1)).toBe('limited');
  // What was taken too much is made up for.
  nowMs += minuteMs;
  expect(await open()).toBe('bad_signature');
  nowMs -= 10 * minuteMs;
  expect(await open()).toBe('bad_signature');
});

test('however many keys an account has had, its frame is not read for each of them', async () => {
  const { bytes, did, key } = await costlyFrame();
  const random = new SeededRandom('keys', '');
  const others = await Promise.all(
    Array.from({ length: 16 }, async (_, at) => (await RandomRepo.create(`k${at}`, random, 1, 'p256')).key),
  );
  let keys: VerifyingKey[] = [];
  const sources: AppealKeys = { ...neverAsked, keysAt: async () => ({ keys, lack: undefined }) };
  appeals = new Appeals(sources, await SignatureChecker.load(), () => nowMs);
  const cpuUsOf = async (count: number): Promise<number> => {
    keys = others.slice(0, count);
    const before = process.cpuUsage();
    await appeals.open(bytes, did, 'bad_signature', key, nowMs);
    const { user, system } = process.cpuUsage(before);
    return user + system;
  };
  // Until there is no time for opinions.
  for (let at = 0; at < 50; at++) await cpuUsOf(1);
  let [one, many] = [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY];
  for (let round = 0; round < 7; round++) {
    one = Math.min(one, await cpuUsOf(1));
    many = Math.min(many, await cpuUsOf(16));
  }
  expect(many / one).toBeLessThan(3);
});

// Honest commits: simulated ones of every shape, whose verdict @atproto/repo and @atproto/crypto share, and real ones.

import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { Frame, frameTypes } from '../../lib/decode/frame.ts';
import { verdictOf } from '../../lib/event/verdict.ts';
import { SeededRandom } from '../../lib/seeded-random.ts';
import { CommitCheck } from '../../lib/verify/commit-check.ts';
import { secondOpinion } from '../../lib/verify/second-opinion.ts';
import { VerifyingKey } from '../../lib/verify/verifying-key.ts';
import { readFrames } from '../../simulator/lib/frames-file.ts';
import { SyntheticNetwork } from '../../simulator/lib/network.ts';
import type { RepoWrite } from '../../simulator/lib/repo-builder.ts';
import { corpusFramesPath, didDocumentsPath, hasShared, sharedNote } from '../support/shared.ts';
import { checkers } from './engines.ts';
import { frameOfCommit, RandomRepo } from './repo-commits.ts';

const frame = new Frame();
const checks = checkers.map((checker) => new CommitCheck(checker));

/** What all engines say. */
function findingOf(bytes: Uint8Array, key: VerifyingKey): string {
  const found = checks.map((check) => {
    frame.read(bytes);
    return check.check(frame, key);
  });
  expect(new Set(found).size, `${found}`).toBe(1);
  return found[0];
}

test('commits of many ops, in trees of up to 900 records', async () => {
  for (const history of [0, 1, 5, 40, 200, 900]) {
    const random = new SeededRandom('commit-check', `${history}`);
    const account = await RandomRepo.create(`random${history}`, random, history);
    for (let index = 0; index < 8; index++) {
      const commit = await account.commit(index % 4 === 3 ? 40 : 3);
      const bytes = frameOfCommit(account.did, commit);
      expect(findingOf(bytes, account.key), `${history}, ${index}`).toBe('whole');
      expect(await secondOpinion(bytes, account.key)).toBe('whole');
    }
  }
});

test('a repository that is emptied and filled again', async () => {
  const account = await RandomRepo.create('emptied', new SeededRandom('commit-check', 'emptied'), 3);
  const paths = account.paths.map((path) => path.split('/'));
  for (const action of ['delete', 'create', 'update'] as const) {
    const record = action === 'delete' ? {} : { record: { action } };
    const writes = paths.map(([collection, rkey]) => ({ action, collection, rkey, ...record }));
    const commit = await account.repo.commit(writes, account.nextRev());
    expect(findingOf(frameOfCommit(account.did, commit), account.key), action).toBe('whole');
  }
  const nothing = await account.repo.commit([], account.nextRev());
  expect(findingOf(frameOfCommit(account.did, nothing), account.key)).toBe('whole');
});

test('several ops on one path, as one call of applyWrites may have them', async () => {
  const account = await RandomRepo.create('repeated', new SeededRandom('commit-check', 'repeated'), 20);
  const [old, ...others] = account.paths.map((path) => path.split('/'));
  const write = (action: RepoWrite['action'], [collection, rkey]: string[], n = 0): RepoWrite => ({
    ...{ action, collection, rkey },
    ...(action === 'delete' ? {} : { record: { n } }),
  });
  const fresh = ['com.example.a', 'fresh'];
  for (const [at, writes] of [
    [write('delete', old), write('create', old, 1)],
    [write('create', fresh), write('delete', fresh)],
    [write('update', old, 2), write('update', others[0], 3), write('update', old, 4)],
    [write('create', fresh), write('update', fresh, 5), write('delete', others[1])],
    [write('delete', old), write('create', old, 6), write('delete', old)],
  ].entries()) {
    const commit = await account.repo.commit(writes, account.nextRev());
    const bytes = frameOfCommit(account.did, commit);
    expect(findingOf(bytes, account.key), `${at}`).toBe('duplicate_path');
    expect(verdictOf('duplicate_path')).toBe('partial');
    expect(await secondOpinion(bytes, account.key)).toBe('partial');
  }
  const next = await account.commit(1);
  expect(findingOf(frameOfCommit(account.did, next), account.key)).toBe('whole');
});

test('the frames of a simulated network, syncs among them', async () => {
  const shares = { identity: 0.02, account: 0.02, sync: 0.2, join: 0.05 };
  const network = new SyntheticNetwork({ seed: 'verify', accounts: 24, shares });
  const counts = new Map<string, number>();
  for (let index = 0; index < 120; index++) {
    const { bytes, did } = await network.next();
    frame.read(bytes);
    if (frame.type !== frameTypes.commit && frame.type !== frameTypes.sync) continue;
    const key = VerifyingKey.parse(network.signingKeyOf(did) as string) as VerifyingKey;
    expect(findingOf(bytes, key)).toBe('whole');
    if (frame.type === frameTypes.commit) expect(await secondOpinion(bytes, key)).toBe('whole');
    const kind = `${frame.type} ${key.curve}`;
    counts.set(kind, (counts.get(kind) ?? 0) + 1);
  }
  for (const type of [frameTypes.commit, frameTypes.sync])
    for (const curve of ['p256', 'secp256k1']) expect(counts.get(`${type} ${curve}`)).toBeGreaterThan(0);
});

test.skipIf(!hasShared)(`real commits${sharedNote}`, async () => {
  const documents = JSON.parse(readFileSync(didDocumentsPath, 'utf8'));
  let commits = 0;
  for (const bytes of await readFrames(corpusFramesPath)) {
    frame.read(bytes);
    if (frame.type !== frameTypes.commit) continue;
    const did = bytes.toString('latin1', frame.didStart, frame.didEnd);
    const key = VerifyingKey.parse(documents[did].verificationMethod[0].publicKeyMultibase) as VerifyingKey;
    expect(findingOf(bytes, key), did).toBe('whole');
    expect(await secondOpinion(bytes, key)).toBe('whole');
    commits++;
  }
  expect(commits).toBeGreaterThan(40);
});

// Honest commits: simulated ones of every shape, whose verdict @atproto/repo and @atproto/crypto share, and real ones.

import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { Frame, frameTypes } from '../../lib/decode/frame.ts';
import { SeededRandom } from '../../lib/seeded-random.ts';
import { CommitCheck } from '../../lib/verify/commit-check.ts';
import { secondOpinion } from '../../lib/verify/second-opinion.ts';
import { SignatureChecker } from '../../lib/verify/signature.ts';
import { VerifyingKey } from '../../lib/verify/verifying-key.ts';
import { readFrames } from '../../simulator/lib/frames-file.ts';
import { SyntheticNetwork } from '../../simulator/lib/network.ts';
import { corpusFramesPath, didDocumentsPath, hasShared, sharedNote } from '../support/shared.ts';
import { frameOfCommit, RandomRepo } from './repo-commits.ts';

const frame = new Frame();
const checks = [
  new CommitCheck(await SignatureChecker.load()),
  new CommitCheck(SignatureChecker.withoutWasm()),
];

/** What both engines say. */
function findingsOf(bytes: Uint8Array, key: VerifyingKey): string[] {
  return checks.map((check) => {
    frame.read(bytes);
    return check.check(frame, key);
  });
}

test('commits of many ops, in trees of up to 900 records', async () => {
  for (const history of [0, 1, 5, 40, 200, 900]) {
    const random = new SeededRandom('commit-check', `${history}`);
    const account = await RandomRepo.create(`random${history}`, random, history);
    for (let index = 0; index < 16; index++) {
      const commit = await account.commit(index % 4 === 3 ? 40 : 3);
      const bytes = frameOfCommit(account.did, commit);
      expect(findingsOf(bytes, account.key), `${history}, ${index}`).toEqual(['whole', 'whole']);
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
    expect(findingsOf(frameOfCommit(account.did, commit), account.key), action).toEqual(['whole', 'whole']);
  }
  const nothing = await account.repo.commit([], account.nextRev());
  expect(findingsOf(frameOfCommit(account.did, nothing), account.key)).toEqual(['whole', 'whole']);
});

test('the frames of a simulated network, syncs among them', async () => {
  const shares = { identity: 0.02, account: 0.02, sync: 0.1, join: 0.05 };
  const network = new SyntheticNetwork({ seed: 'verify', accounts: 24, shares });
  const counts = new Map<string, number>();
  for (let index = 0; index < 200; index++) {
    const { bytes, did } = await network.next();
    frame.read(bytes);
    if (frame.type !== frameTypes.commit && frame.type !== frameTypes.sync) continue;
    const key = VerifyingKey.parse(network.signingKeyOf(did) as string) as VerifyingKey;
    expect(findingsOf(bytes, key)).toEqual(['whole', 'whole']);
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
    expect(findingsOf(bytes, key), did).toEqual(['whole', 'whole']);
    expect(await secondOpinion(bytes, key)).toBe('whole');
    commits++;
  }
  expect(commits).toBeGreaterThan(40);
});

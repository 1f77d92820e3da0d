// Which key is good for which commit, through changes of keys, with a directory over real sockets.

import { afterEach, expect, test } from 'vitest';
import { RecordingCheck } from '../../../cmd/verify/recording-check.ts';
import { KeyResolver } from '../../../lib/identity/key-resolver.ts';
import { DirectoryServer } from '../../../simulator/lib/directory-server.ts';
import { decodeFrame, encodeMessage } from '../../../simulator/lib/frame-encoder.ts';
import { SyntheticNetwork } from '../../../simulator/lib/network.ts';

const closing: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0)) await close();
});

/** A network of one account, whose frames lie some ten minutes apart. */
function slowNetwork(): SyntheticNetwork {
  const shares = { identity: 0, account: 0, sync: 0, join: 0 };
  return new SyntheticNetwork({ seed: 'keys', accounts: 1, historyRecords: 3, stepUs: 6e8, shares });
}

/** So many commits, then an identity event, with another key if `rotates`, then as many again. */
async function framesOf(network: SyntheticNetwork, rotates: boolean): Promise<Uint8Array[]> {
  const frames: Uint8Array[] = [];
  const [{ did, handle }] = network.accounts();
  for (let index = 0; index < 9; index++) {
    if (index === 4)
      await network.choose(rotates ? { kind: 'key', did } : { kind: 'identity', did, handle }, () => {});
    frames.push((await network.next()).bytes);
  }
  return frames;
}

/** @param nowMs the clock, for how old a key is. */
async function openKeys(network: SyntheticNetwork, nowMs = Date.now) {
  const directory = await DirectoryServer.listen(network);
  const { url } = directory;
  const resolver = new KeyResolver({ plcUrl: url, webUrl: url, nowMs });
  closing.push(
    () => resolver.close(),
    () => directory.close(),
  );
  return { directory, resolver };
}

async function check(network: SyntheticNetwork, frames: readonly Uint8Array[]) {
  const { directory, resolver } = await openKeys(network);
  const report = await checkBy(resolver, frames);
  return { report, requests: directory.requests };
}

async function checkBy(keys: KeyResolver, frames: readonly Uint8Array[]) {
  const recording = await RecordingCheck.create(keys, 10);
  return recording.checkAll(
    (async function* () {
      yield* frames;
    })(),
  );
}

test('commits from before and after a change of key', async () => {
  const network = slowNetwork();
  const { report, requests } = await check(network, await framesOf(network, true));
  expect(network.accounts()[0].did).toMatch(/^did:plc:/);
  expect(report).toMatchObject({ checked: 8, earlierKeys: 4, verdicts: { verified: 7, anchored: 1 } });
  // The document, which is just read when a signature does not fit, and the history.
  expect(requests).toBe(2);
});

test('what is signed by a key that the account has no more', async () => {
  const network = slowNetwork();
  const honest = await framesOf(network, true);
  // The same account without the change: its later commits are what a thief of the first key would make.
  const stolen = await framesOf(slowNetwork(), false);
  expect(Buffer.from(stolen[3]).equals(honest[3])).toBe(true);
  const { report } = await check(network, stolen);
  expect(report).toMatchObject({ earlierKeys: 4, verdicts: { verified: 3, anchored: 1, refuted: 4 } });
  expect(report.refuted.map(({ reason }) => reason)).toEqual(Array(4).fill('bad_signature'));
  expect(report.disputed).toBe(0);
});

test('a key that was read before the account said that something changed', async () => {
  const network = slowNetwork();
  const { resolver, directory } = await openKeys(network, () => network.timeMs);
  const [{ did }] = network.accounts();
  const first = (await network.next()).bytes;
  expect((await checkBy(resolver, [first])).verdicts.anchored).toBe(1);
  expect((await checkBy(resolver, [first])).verdicts.anchored).toBe(1);
  expect(directory.requests).toBe(1);
  const stolen = await framesOf(slowNetwork(), false);
  for (let index = 1; index < 4; index++) await network.next();
  await network.choose({ kind: 'key', did }, () => {});
  await network.next();
  // What a thief of the first key makes: it would pass by what is known.
  expect((await checkBy(resolver, stolen.slice(6))).verdicts).toMatchObject({
    refuted: 0,
    anchored: 1,
    verified: 2,
  });
  const report = await checkBy(resolver, stolen.slice(4));
  expect(report.verdicts).toMatchObject({ refuted: 4, anchored: 0 });
});

test('what is more than a second opinion reads is not disputed', async () => {
  const network = slowNetwork();
  const [frame] = await framesOf(network, false);
  const { body } = decodeFrame(frame);
  const blobs = Array.from({ length: 5_000 }, () => body.commit);
  const { report } = await check(network, [
    encodeMessage('#commit', { ...body, rev: '3zzzzzzzzzzzz', blobs }),
  ]);
  expect(report.refuted).toMatchObject([{ reason: 'wrong_rev', secondOpinion: 'limited' }]);
  expect(report.disputed).toBe(0);
});

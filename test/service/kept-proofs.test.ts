// What an earlier process kept for proofs, when the log is opened again.

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { TrustedTime } from '../../lib/event/trusted-time.ts';
import { keyOfTime } from '../../lib/proofs/proof-segment.ts';
import { ProofStore } from '../../lib/proofs/proof-store.ts';
import { closeProofs, openProofs } from '../../lib/service/kept-proofs.ts';

const nowMs = 1_780_000_000_000;
const clocks = { wallMs: () => nowMs, monotonicMs: () => 0, uptimeMs: () => 0 };
const timeUs = (nowMs - 5_000) * 1000;

test.each([
  ['of a machine of a cluster stay: it gets the events again', true, 0, true],
  ['of a daemon go: the log that they are of is another', false, 0, false],
  ['of events that the log has stay', false, timeUs, true],
])('those %s', async (_name, isCopy, lastTimeUs, stays) => {
  const dataDir = await mkdtemp(join(tmpdir(), 'slipstream-kept-'));
  onTestFinished(() => rm(dataDir, { recursive: true }));
  const limits = { ageMsMax: undefined, bytesMax: 2 ** 26 };
  const before = await ProofStore.open(dataDir, limits, 0, () => nowMs);
  const row = { type: 'put', key: keyOfTime(timeUs), value: Buffer.from('blocks') } as const;
  await before.append([row], timeUs, timeUs);
  await before.close();

  const config = { dataDir, proofs: { ...limits, collections: [] } };
  const time = new TrustedTime(lastTimeUs, () => {}, clocks);
  const proofs = await openProofs(config as never, { lastTimeUs } as never, time, isCopy);
  const { blocks } = (await proofs?.store.blocksAt(timeUs)) ?? {};
  expect(blocks !== undefined).toBe(stays);
  await closeProofs(proofs);
});

// Starts what keeps commits for proofs, if the configuration asks for it, and ends it.

import type { Config } from '../config/config.ts';
import type { TrustedTime } from '../event/trusted-time.ts';
import type { LevelLog } from '../log/level-log.ts';
import { collectionTest, ProofQueue } from '../proofs/proof-queue.ts';
import { ProofStore, proofFilesMax } from '../proofs/proof-store.ts';

/** See the file comment. */
export interface KeptProofs {
  readonly store: ProofStore;
  readonly queue: ProofQueue;
}

/**
 * Undefined when none are to be kept: then what was kept goes from the disk.
 * @param isCopy the log is one of a cluster: after a kill it ends before what was kept, and goes on with the same events.
 * @throws CodedError `PROOFS_OPEN_FAILED`.
 */
export async function openProofs(
  { proofs, dataDir }: Config,
  log: LevelLog,
  time: TrustedTime,
  isCopy: boolean,
): Promise<KeptProofs | undefined> {
  if (proofs === undefined) {
    await ProofStore.discard(dataDir);
    return undefined;
  }
  const lastTimeUs = isCopy ? Math.max(log.lastTimeUs, time.nowMs() * 1000) : log.lastTimeUs;
  const store = await ProofStore.open(dataDir, proofs, lastTimeUs, () => time.nowMs());
  return { store, queue: new ProofQueue(store, collectionTest(proofs.collections)) };
}

/** Files that have to be left for them. */
export function filesOfProofs({ proofs }: Config): number {
  return proofs === undefined ? 0 : proofFilesMax;
}

/** Writes what waits. */
export async function closeProofs(proofs: KeptProofs | undefined): Promise<void> {
  await proofs?.queue.close();
  await proofs?.store.close();
}

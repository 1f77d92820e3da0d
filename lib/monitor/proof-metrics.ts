// The metrics of what is kept for proofs, and of requests for them.

import type { ProofQueue } from '../proofs/proof-queue.ts';
import type { ProofStore } from '../proofs/proof-store.ts';
import type { DeliveryCounts } from '../worker/delivery-counts.ts';
import { byName, counter, counters, gauge, type Metric } from './metric.ts';

/** Where the numbers are. */
export interface ProofSources {
  readonly store: Pick<ProofStore, 'bytes' | 'oldestUs' | 'failures'>;
  readonly queue: Pick<ProofQueue, 'totals' | 'waitingBytes'>;
}

/** @param proofs undefined: none are kept. @param counts of all threads, as of the read that is under way. */
export function proofMetrics(proofs: ProofSources | undefined, counts: () => DeliveryCounts): Metric[] {
  const totals = proofs?.queue.totals;
  return [
    counters('slipstream_proof_commits_total', 'Commits for proofs, by what became of them', ['result'], () =>
      byName([
        ['kept', totals?.kept ?? 0],
        ['overflow', totals?.overflow ?? 0],
        ['failed', totals?.failed ?? 0],
      ]),
    ),
    counter(
      'slipstream_proof_commit_bytes_total',
      'Blocks of commits that are kept',
      () => totals?.keptBytes ?? 0,
    ),
    counter(
      'slipstream_proof_store_failures_total',
      'Reads and writes of kept commits that failed',
      () => proofs?.store.failures ?? 0,
    ),
    gauge(
      'slipstream_proof_store_bytes',
      'What kept commits take on the disk',
      () => proofs?.store.bytes ?? 0,
    ),
    gauge(
      'slipstream_proof_waiting_bytes',
      'Commits that wait to be written',
      () => proofs?.queue.waitingBytes ?? 0,
    ),
    gauge('slipstream_proof_oldest_timestamp_seconds', 'From when on commits are kept', () => {
      const oldestUs = proofs?.store.oldestUs ?? Infinity;
      return Number.isFinite(oldestUs) ? oldestUs / 1e6 : undefined;
    }),
    counters(
      'slipstream_proof_answers_total',
      'Requests for proofs, by what became of them',
      ['answer'],
      () => byName(Object.entries(counts().proofAnswers)),
    ),
  ];
}

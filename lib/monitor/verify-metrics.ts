// The metrics of checks of commits; all zero where nothing is checked. docs/operations.md explains each; a test compares the two.

import { type Reason, reasonNames, verdictOf } from '../event/verdict.ts';
import { counters, gauge, type Metric, type Sample } from './metric.ts';

/** What checks commits, as the monitor sees it. */
export interface VerificationState {
  /** Commits whose events got that reason. */
  readonly counts: ReadonlyMap<Reason, number>;
  /** Of frames that wait to be checked. */
  readonly outstandingBytes: number;
  readonly isUp: boolean;
}

/** The table. @param state undefined where nothing is checked. */
export function verifyMetrics(state: VerificationState | undefined): Metric[] {
  return [
    counters(
      'slipstream_verify_commits_total',
      'Commits and syncs that were taken, by what was found before their events were stored',
      ['verdict', 'reason'],
      () =>
        reasonNames.map((reason): Sample => [[verdictOf(reason), reason], state?.counts.get(reason) ?? 0]),
    ),
    gauge(
      'slipstream_verify_queue_bytes',
      'Bytes of frames that wait to be checked',
      () => state?.outstandingBytes ?? 0,
    ),
    gauge('slipstream_verify_ended', 'Whether the thread that checks commits has ended by itself', () =>
      Number(state !== undefined && !state.isUp),
    ),
  ];
}

// The metrics of checks of commits; all zero where nothing is checked. docs/operations.md explains each; a test compares the two.

import { type Reason, reasonNames, verdictOf } from '../event/verdict.ts';
import { byName, counter, counters, gauge, gauges, type Metric, type Sample } from './metric.ts';

/** What checks commits, as the monitor sees it. */
export interface VerificationState {
  /** Commits whose events got that reason. */
  readonly counts: ReadonlyMap<Reason, number>;
  /** Of frames that wait to be checked. */
  readonly outstandingBytes: number;
  readonly isUp: boolean;
  /** How the PLC directory's stream goes, if it is followed. */
  readonly stream?: PlcStreamReport | undefined;
  /** Where events wait for checks: whether what is refuted is left out, how many frames wait for a key or a second look, and how many commits were left out. */
  readonly isArmed?: boolean;
  readonly waitingFrames?: number;
  readonly dropped?: number;
}

/** Counts are since start. */
export interface PlcStreamReport {
  readonly state: string;
  /** In milliseconds since 1970. */
  readonly newestMs: number | undefined;
  readonly operations: number;
  readonly badCursors: number;
}

const streamStates = ['down', 'catching_up', 'live', 'polling'] as const;

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
    gauges('slipstream_verify_plc_stream', 'How the PLC directory is followed', ['state'], () =>
      byName(streamStates.map((name) => [name, Number(state?.stream?.state === name)])),
    ),
    counter(
      'slipstream_verify_plc_operations_total',
      'Operations that the PLC directory has told of',
      () => state?.stream?.operations ?? 0,
    ),
    counter(
      'slipstream_verify_plc_outdated_total',
      'Times that the PLC directory did not know our place any more',
      () => state?.stream?.badCursors ?? 0,
    ),
    gauge(
      'slipstream_verify_plc_newest_timestamp_seconds',
      'When the newest operation happened that was told of',
      () => (state?.stream?.newestMs === undefined ? undefined : state.stream.newestMs / 1000),
    ),
    gauge(
      'slipstream_verify_waiting_frames',
      'Frames that wait for the key of their account, or for a second look at one of its commits',
      () => state?.waitingFrames ?? 0,
    ),
    gauge(
      'slipstream_verify_disarmed',
      'Whether refuted commits are not left out, though they are to be: too many commits cannot be checked',
      () => Number(state?.isArmed === false),
    ),
    gauge('slipstream_verify_ended', 'Whether the thread that checks commits has ended by itself', () =>
      Number(state !== undefined && !state.isUp),
    ),
  ];
}

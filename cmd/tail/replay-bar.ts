// How far a replay is, on one line. Pure.

import type { StreamStatus } from '../../client/lib/subscribe.ts';
import { formatMoment, formatSpan } from '../terminal/time.ts';
import { grouped } from './tally.ts';

const barColumns = 24;

/** What a replay covers, in microseconds since 1970. */
export interface ReplaySpan {
  readonly startUs: number;
  readonly endUs: number;
}

/** `[######------]  50 %  12,345 events a second  1 h 2 min behind`; `columns` cuts it. */
export function replayBar(
  status: StreamStatus,
  span: ReplaySpan,
  ratePerSecond: number,
  columns: number,
): string {
  const { newestUs = span.startUs } = status;
  const done = Math.min(1, Math.max(0, (newestUs - span.startUs) / Math.max(1, span.endUs - span.startUs)));
  const filled = Math.round(done * barColumns);
  const bar = '#'.repeat(filled) + '-'.repeat(barColumns - filled);
  const share = String(Math.floor(done * 100)).padStart(3);
  return `[${bar}] ${share} %  ${grouped(ratePerSecond)} events a second  ${placeOf(status)}`.slice(
    0,
    columns - 1,
  );
}

/** Where a stream is: live, so far behind, without a connection, or ended. */
export function placeOf({ state, live, lagUs, newestUs }: StreamStatus): string {
  if (state === 'ended') return newestUs === undefined ? 'nothing' : `up to ${formatMoment(newestUs)}`;
  if (state === 'waiting' || state === 'connecting') return 'not connected';
  if (live) return 'live';
  return lagUs === undefined ? 'nothing yet' : `${formatSpan(lagUs / 1_000_000)} behind`;
}

// How far ingest is behind the relay, by the time that the newest frame carries: the report and the metrics say the same.

import type { QueueState } from '../ingest/ingest.ts';

/** How old the newest frame is; undefined before the first. A relay whose clock is ahead of ours is not behind. */
export function upstreamLagUs(
  { newestFrameTimeUs }: Pick<QueueState, 'newestFrameTimeUs'>,
  nowUs: number,
): number | undefined {
  return newestFrameTimeUs === undefined ? undefined : Math.max(0, nowUs - newestFrameTimeUs);
}

// What ingest has done since start, as plain numbers: cheap to count per event, read when metrics are asked for.

import { type DropReason, dropReasons } from '../decode/drop-reason.ts';
import { frameTypes } from '../decode/frame.ts';

/** Drops that are decided after decoding, beside those of lib/decode. */
export const ingestDropReasons = [
  /** The relay sent a sequence again that the log already has. */
  'stale_sequence',
  /** A message that is not a binary frame. */
  'not_a_frame',
] as const;

/** The closed list of reasons for which something from the relay is not in the log. */
export type IngestDropReason = DropReason | (typeof ingestDropReasons)[number];

/** Sums since start. */
export class IngestTotals {
  events = 0;
  frameBytes = 0;
  /** Frames that were understood, by type. */
  readonly frames: number[] = Object.values(frameTypes).map(() => 0);
  readonly drops = new Map<IngestDropReason, number>(
    [...dropReasons, ...ingestDropReasons].map((reason) => [reason, 0]),
  );

  drop(reason: IngestDropReason): void {
    this.drops.set(reason, (this.drops.get(reason) as number) + 1);
  }
}

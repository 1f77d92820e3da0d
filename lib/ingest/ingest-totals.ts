// What came of what the relay sent, as sums since start: plain numbers, cheap to count per event, read when metrics are asked
// for. It counts what it is told of, and knows no reasons beyond the closed lists.

import { type V1OnlyReason, v1OnlyReasons } from '../decode/data-model.ts';
import { type DropReason, dropReasons } from '../decode/drop-reason.ts';
import { frameTypes } from '../decode/frame.ts';
import { type RelayOutcome, relayOutcomes } from './relay-outcome.ts';

/** Drops that are decided after decoding, beside those of lib/decode. */
const ingestDropReasons = [
  /** The relay sent a frame again that the log already has, as far as relay-position.ts can tell. */
  'stale_sequence',
  /** A message that is not a binary frame. */
  'not_a_frame',
  /** Events of a frame that no message of a shared log can hold. */
  'too_large',
  /** A commit that is not what its account signed, where such commits are left out. */
  'refuted',
] as const;

/** The closed list of reasons for which something from the relay is not in the log. */
export type IngestDropReason = DropReason | (typeof ingestDropReasons)[number];

/** See the file comment. */
export class IngestTotals {
  events = 0;
  frameBytes = 0;
  /** Frames that were understood, by type. */
  readonly frames: number[] = Object.values(frameTypes).map(() => 0);
  readonly drops = new Map<IngestDropReason, number>(
    [...dropReasons, ...ingestDropReasons].map((reason) => [reason, 0]),
  );
  /** Events that only the first wire shows. */
  readonly v1Only = new Map<V1OnlyReason, number>(v1OnlyReasons.map((reason) => [reason, 0]));
  readonly outcomes = new Map<RelayOutcome['name'], number>(relayOutcomes.map((name) => [name, 0]));

  drop(reason: IngestDropReason, count = 1): void {
    this.drops.set(reason, (this.drops.get(reason) as number) + count);
  }

  showOnV1Only(reason: V1OnlyReason): void {
    this.v1Only.set(reason, (this.v1Only.get(reason) as number) + 1);
  }

  outcome(name: RelayOutcome['name']): void {
    this.outcomes.set(name, (this.outcomes.get(name) as number) + 1);
  }
}

// What happened to a node of a cluster, as sums since start and closed lists of names: every doubt has one. Numbers for metrics;
// decides nothing.

import { unsureReasons } from './engine.ts';

/**
 * How the append of a block ended.
 * - `acknowledged`: at once, or by a later attempt that stored it
 * - `duplicate`: an earlier attempt had stored it, as the engine knew by its id
 * - `found`: an earlier attempt had stored it, as a look at the stream showed
 * - `fenced`: another writer has the place, and its message is there
 * - `fenced_unknown`: the place is taken, and what was there is not kept any more
 * - `lost`: the engine has forgotten what it had acknowledged
 */
export const appendEnds = ['acknowledged', 'duplicate', 'found', 'fenced', 'fenced_unknown', 'lost'] as const;
export type AppendEnd = (typeof appendEnds)[number];

/**
 * Why an attempt was made again: those of `unsureReasons`, and
 * - `not_visible`: refused, though nothing is at the place yet: a rival's message, or our own, is on its way
 * - `unread`: refused, and nobody could say what is there
 * - `stale_leader`: refused, and the stream seems to end before what had been acknowledged: not believed at once
 */
export const retryReasons = [...unsureReasons, 'not_visible', 'unread', 'stale_leader'] as const;
export type RetryReason = (typeof retryReasons)[number];

/**
 * How a follower came by its messages, and what it doubted.
 * - `doorbell`, `batch`, `leader`: messages that were taken from there
 * - `again`: messages that it had
 * - `empty_replica`: a replica did not have yet what a doorbell had told of
 * - `silent_replica`: a batch that was not answered, or broke off
 * - `hole`: a batch that began after the next message
 * - `repaired`: a damaged message that the leader had whole
 * - `short_stream`: the stream seemed to end before what this node has
 */
export const followNotes = [
  'doorbell',
  'batch',
  'leader',
  'again',
  'empty_replica',
  'silent_replica',
  'hole',
  'repaired',
  'short_stream',
] as const;
export type FollowNote = (typeof followNotes)[number];

/**
 * What became of the lease.
 * - `taken`, `released`
 * - `renewed`
 * - `unsure`: a write without an answer
 * - `settled`: a write without an answer that was found to have worked
 * - `taken_again`: it had expired, and nobody else had taken it
 * - `lost`: another node has it
 * - `clock_off`: not asked for, because this machine's clock is off
 */
export const leaseNotes = [
  'taken',
  'released',
  'renewed',
  'unsure',
  'settled',
  'taken_again',
  'lost',
  'clock_off',
] as const;
export type LeaseNote = (typeof leaseNotes)[number];

/** See the file comment. */
export class ClusterCounts {
  readonly appends = zeroes(appendEnds);
  readonly retries = zeroes(retryReasons);
  readonly follows = zeroes(followNotes);
  readonly leases = zeroes(leaseNotes);
}

/** Adds to one of the sums. */
export function count<Name extends string>(sums: Map<Name, number>, name: Name, times = 1): void {
  sums.set(name, (sums.get(name) as number) + times);
}

function zeroes<Name extends string>(names: readonly Name[]): Map<Name, number> {
  return new Map(names.map((name) => [name, 0]));
}

// What the log knows of its own holes and repeats: the words of the coverage ledger. A row says that between two events of
// the log something may be missing, or have come twice, and why. Pure; lib/ingest finds them, lib/log stores them with the
// blocks that they explain, and subscribers who ask are told in place.

/**
 * Why a row is there, as a closed list: metric labels, and words of `/coverage`.
 * - `relay_gap`: the relay went on far above the last frame: what was between has not come
 * - `new_numbering`: the relay went on at lower numbers and is followed; what was between the two is not known
 * - `relay_changed`: another relay than before is followed, and what both have could not be joined
 * - `started_over`: the relay does not know our place any more, and is followed from another
 * - `set_back`: the operator had the relay begin where the log has its frames already: their events came again, with new times
 * - `frame_skipped`: a frame that ended every connection (too large, or broken) was stepped over
 * - `frame_dropped`: frames that could not be used, as a whole; `detail` says why
 * - `log_cut`: the end of the log was lost (a power failure): its events come again, with new times
 * - `log_damaged`: blocks of the log were damaged on the disk, and are left out
 * - `clock_step`: the machine's clock was set by a large step: times of the events around it are not those of the world
 * - `refuted_commit`: a commit that the relay has sent is not what its account signed; `detail` says why, of which account and revision
 * - `commit_dropped`: the same, and its events are not in the log, because such commits are to be left out
 * - `broken_chain`: a commit does not go on from the account's last one that was checked: commits in between have not come, or the
 *   account has started from another state. `detail` has the account, the last revision and this one
 */
export const coverageReasons = [
  'relay_gap',
  'new_numbering',
  'relay_changed',
  'started_over',
  'set_back',
  'frame_skipped',
  'frame_dropped',
  'log_cut',
  'log_damaged',
  'clock_step',
  'refuted_commit',
  'commit_dropped',
  'broken_chain',
] as const;
export type CoverageReason = (typeof coverageReasons)[number];

/** What is known when something is found; the log adds where it is. */
export interface CoverageFinding {
  readonly reason: CoverageReason;
  /** Id of the relay; empty for what has nothing to do with one. */
  readonly relay: string;
  /** The last sequence before, and the first after, if they are known. */
  readonly fromSeq?: number | undefined;
  readonly toSeq?: number | undefined;
  /** More of the reason: why a frame was dropped. */
  readonly detail?: string | undefined;
}

/** One row of the ledger. */
export interface CoverageRow extends CoverageFinding {
  /** `time_us` of the last event before; 0 when there is none. */
  readonly fromUs: number;
  /** Its place in the stream: a `time_us` of its own, behind the events before and in front of those after. */
  readonly toUs: number;
  /** How many findings: rows of the same kind that follow each other closely are one. */
  readonly count: number;
  /** On the way into the ledger: `toUs` of the row whose place it takes, because the two have become one. */
  readonly replacesUs?: number | undefined;
}

/**
 * What a subscriber is told in its stream: a row, in its place, or that what it would be sent next has `expired`: it comes from further
 * back than the log goes, or retention has overtaken it. That is between the two of them, and in no ledger.
 */
export interface Gap extends Omit<CoverageRow, 'reason'> {
  readonly reason: CoverageReason | 'expired';
}

/** What a row can mean for a subscriber: events that never come, and events that come a second time. */
export interface CoverageMeaning {
  readonly missing: boolean;
  readonly repeated: boolean;
}

/** By reason. What comes again from a relay is dropped, under whatever numbers; what the log has lost is not known to it. */
export const coverageMeanings: Readonly<Record<Gap['reason'], CoverageMeaning>> = {
  relay_gap: { missing: true, repeated: false },
  new_numbering: { missing: true, repeated: false },
  relay_changed: { missing: true, repeated: false },
  started_over: { missing: true, repeated: false },
  set_back: { missing: false, repeated: true },
  frame_skipped: { missing: true, repeated: false },
  frame_dropped: { missing: true, repeated: false },
  log_cut: { missing: false, repeated: true },
  log_damaged: { missing: true, repeated: false },
  clock_step: { missing: false, repeated: false },
  refuted_commit: { missing: false, repeated: false },
  commit_dropped: { missing: false, repeated: false },
  broken_chain: { missing: true, repeated: false },
  expired: { missing: true, repeated: false },
};

/** Those that are about one account. */
const ofAccounts: ReadonlySet<CoverageReason> = new Set([
  ...(['frame_dropped', 'refuted_commit', 'commit_dropped', 'broken_chain'] as const),
]);

/**
 * Whether subscribers are told in their stream. Not of what is about one account: anyone's broken repo makes it, so that it would be
 * all that many subscribers get, about accounts that they never asked for.
 */
export function isNoticed({ reason }: CoverageRow): boolean {
  return !ofAccounts.has(reason);
}

/** Whether a parsed value is a row: what was stored may be damaged, or of a later version. */
export function isCoverageRow(value: unknown): value is CoverageRow {
  const { reason, relay, fromUs, toUs, count } = Object(value);
  const numbers = [fromUs, toUs, count].every((number) => Number.isSafeInteger(number) && number >= 0);
  return numbers && typeof relay === 'string' && coverageReasons.includes(reason);
}

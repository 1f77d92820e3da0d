// The words for what a check of a commit found: five verdicts, and the closed list of reasons, each of which belongs to one
// verdict. What could not be checked is never said to be wrong. And the numbers by which blocks have them, a byte an event.

/**
 * From the best to the worst.
 *
 * - `verified`: the account signed it, the list of ops is complete, and it goes on where the account's last commit ended.
 * - `anchored`: the first two; there is nothing known to go on from, or it does not go on from there.
 * - `partial`: the account signed it, and what the ops leave behind is in the signed tree; whether they are all is not known.
 * - `unchecked`: the check could not be made.
 * - `refuted`: it was made, and this is not what the account signed.
 */
export const verdicts = ['verified', 'anchored', 'partial', 'unchecked', 'refuted'] as const;
export type Verdict = (typeof verdicts)[number];

const reasons = {
  /** `since` and `prevData` are the last commit's. */
  continuous: 'verified',
  /** Nothing is known of the account before. */
  first_sight: 'anchored',
  /** Commits of the account were left out in between. */
  gap: 'anchored',
  /** It goes on from another state than the last commit's, and not from a later one. */
  fork: 'anchored',
  /** It does not go on from the last commit that was checked; one that could not be came in between. */
  after_unchecked: 'anchored',
  /** Without `prevData`, or `prev` of an op: made before there were such fields. */
  legacy: 'partial',
  /** Blocks are missing that it takes to undo the ops. */
  missing_blocks: 'partial',
  /** The ops, undone, do not lead to `prevData`: some are left out, or `prevData` is wrong. */
  incomplete: 'partial',
  /** More ops, or bytes of blocks, than the protocol allows. */
  over_limit: 'partial',
  /** An op is none that can be undone: an unknown action, no path, no CID. */
  odd_op: 'partial',
  /** Several ops on one path: the last is in the signed tree, and nobody has signed what came before it. */
  duplicate_path: 'partial',
  /** Its revision lies more than five minutes ahead of the clock. */
  future_rev: 'partial',
  /** Nobody has looked: the event was stored without checks, or is of a kind that nobody signs. */
  not_asked: 'unchecked',
  /** The check would have made the event late. */
  too_late: 'unchecked',
  /** The account's key is being looked up: the event did not wait for it. */
  key_awaited: 'unchecked',
  /** It would be refuted, and a second opinion does not agree. */
  disputed: 'unchecked',
  /** There is no document of the account. */
  key_unknown: 'unchecked',
  /** Nobody answered who could have said it. */
  lookup_failed: 'unchecked',
  /** It would take more lookups than are made. */
  limited: 'unchecked',
  /** The account's document names no key for commits. */
  no_key: 'unchecked',
  /** Blocks are missing that it takes to see whether the ops are in the tree. */
  no_proof: 'unchecked',
  /** A commit object in a form that is not looked into: not canonical, another version, or too many fields. */
  odd_commit: 'unchecked',
  tree_too_deep: 'unchecked',
  tree_too_wide: 'unchecked',
  /** The tree takes more steps than are spent on one commit. */
  tree_too_large: 'unchecked',
  /** Its revision is the last commit's or an earlier one. */
  repeat: 'unchecked',
  /** The frame is dropped before anything of it can be checked. */
  unreadable: 'unchecked',
  /** The archive is none, or a block does not hash to its CID. */
  bad_blocks: 'refuted',
  /** The archive's root is not a commit object, or not in it. */
  bad_commit: 'refuted',
  bad_signature: 'refuted',
  /** The larger of two signatures that say the same, which the protocol forbids. */
  high_s: 'refuted',
  /** The frame names another account than the signed commit; another revision; another commit. */
  wrong_did: 'refuted',
  wrong_rev: 'refuted',
  wrong_commit: 'refuted',
  /** What an op creates or updates is not in the signed tree; what one deletes is. */
  op_not_in_tree: 'refuted',
  deleted_in_tree: 'refuted',
  /** A block of the signed tree is no node, or its keys are out of order. */
  bad_tree: 'refuted',
} as const satisfies Readonly<Record<string, Verdict>>;

export type Reason = keyof typeof reasons;
/** Those that come of how a commit goes on from the one before; all others come of the commit by itself. */
export type ChainReason =
  | Extract<Reason, 'continuous' | 'future_rev' | 'repeat'>
  | { [R in Reason]: (typeof reasons)[R] extends 'anchored' ? R : never }[Reason];
/** Every reason, those of a better verdict first. */
export const reasonNames = Object.keys(reasons) as readonly Reason[];

export function verdictOf(reason: Reason): Verdict {
  return reasons[reason];
}

/** By the number that is stored in columns of blocks: places never change, and a new reason goes to the end. */
const numbered = [
  ...['not_asked', 'too_late', 'key_awaited', 'continuous', 'first_sight', 'gap', 'fork', 'after_unchecked'],
  ...['legacy', 'missing_blocks', 'incomplete', 'over_limit', 'odd_op', 'future_rev', 'key_unknown'],
  ...['lookup_failed', 'limited', 'no_key', 'no_proof', 'odd_commit', 'tree_too_deep', 'tree_too_wide'],
  ...['tree_too_large', 'repeat', 'unreadable', 'bad_blocks', 'bad_commit', 'bad_signature', 'high_s'],
  ...['wrong_did', 'wrong_rev', 'wrong_commit', 'op_not_in_tree', 'deleted_in_tree', 'duplicate_path'],
  ...['bad_tree', 'disputed'],
] as readonly Reason[];
const numbers = new Map(numbered.map((reason, number) => [reason, number]));

/** What a column has where nobody has looked. */
export const notAsked = 0;

/** The stored number of a reason. */
export function numberOf(reason: Reason): number {
  return numbers.get(reason) as number;
}

/** The reason of a stored number; what a later version may have stored is `not_asked`. */
export function reasonOfNumber(number: number): Reason {
  return numbered[number] ?? 'not_asked';
}

/** One byte for each number that a column can have: 1 where the account has signed the commit and its ops are all there are. */
const vouched = Uint8Array.from({ length: 256 }, (_, number) =>
  ['verified', 'anchored'].includes(verdictOf(reasonOfNumber(number))) ? 1 : 0,
);

/** Whether a stored number is of the verdict `verified` or `anchored`. */
export function isVouched(number: number): boolean {
  return vouched[number] === 1;
}

/** Verdicts of one block. */
export interface BlockVerdicts {
  /**
   * One number an event, as of `BlockIndex.verdict`: at once, or soon, since the block waits for it. To be asked when nothing else is left
   * to do for the block, because this thread may be held up for it. Never throws or rejects.
   */
  column(): Uint8Array | Promise<Uint8Array>;
  /** The block is in the log. */
  stored(): void;
}

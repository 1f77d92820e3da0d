// How an account's commit goes on from the one before: the last word on a commit's verdict, and what is kept of it for the next.
// Pure: where states are kept, and what time it is, is the caller's.

import { type Reason, verdictOf } from '../event/verdict.ts';
import type { CommitFinding } from './commit-check.ts';

/** How far ahead of the clock a revision may lie; the protocol leaves it to whoever checks. */
const futureUsMax = 5 * 60 * 1_000_000;

/** What is kept of an account: the last commit that it was seen to have signed. */
export interface AccountState {
  readonly rev: string;
  /** Digest of the tree's root, 32 bytes. */
  readonly data: Uint8Array;
  /** Whether a commit came since that could not be checked. */
  readonly hasUnchecked: boolean;
}

/** What a commit, or a sync, says of its place. Bytes are only read. */
export interface ChainLink {
  readonly rev: string;
  readonly revTimeUs: number;
  readonly data: Uint8Array;
  /** Empty when there is none. */
  readonly since: string;
  /** Digest of the root before it; empty when there is none. */
  readonly prevData: Uint8Array;
  readonly isSync: boolean;
}

/** A verdict's reason, and the account's state from now on; undefined while nothing is known. */
export interface ChainStep {
  readonly reason: Reason;
  readonly state: AccountState | undefined;
}

/**
 * The next step of an account.
 * @param state as the last step left it.
 * @param link read only when the account signed the commit. @param nowUs microseconds since 1970.
 */
export function nextStep(
  state: AccountState | undefined,
  finding: CommitFinding,
  link: ChainLink,
  nowUs: number,
): ChainStep {
  const isSigned = finding === 'whole' || verdictOf(finding) === 'partial';
  if (!isSigned) {
    const hasUnchecked = verdictOf(finding) === 'unchecked' && finding !== 'unreadable';
    return { reason: finding, state: state && hasUnchecked ? { ...state, hasUnchecked } : state };
  }
  // It would be in the way of all that the account does until then.
  if (link.revTimeUs > nowUs + futureUsMax) return { reason: 'future_rev', state };
  if (state !== undefined && link.rev <= state.rev) {
    const isOther = link.rev === state.rev && !isEqual(link.data, state.data);
    return { reason: isOther ? 'fork' : 'repeat', state };
  }
  const next = { rev: link.rev, data: Uint8Array.from(link.data), hasUnchecked: false };
  return { reason: finding === 'whole' ? placeOf(state, link) : finding, state: next };
}

function placeOf(state: AccountState | undefined, link: ChainLink): Reason {
  if (state === undefined) return 'first_sight';
  const isFrom = link.isSync
    ? isEqual(link.data, state.data)
    : link.since === state.rev && isEqual(link.prevData, state.data);
  if (isFrom) return 'continuous';
  if (state.hasUnchecked) return 'after_unchecked';
  return link.isSync || link.since > state.rev ? 'gap' : 'fork';
}

function isEqual(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, index) => byte === b[index]);
}

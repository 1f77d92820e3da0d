// The subjects that a filter wants, in the short form of lib/event/subject.ts: sorted, 12 bytes each, for the reasons
// of did-hash-list.ts. Used by selection.ts; live events find their groups by the 64-bit keys that are made of them here.

import type { DidHasher } from '../event/did-hash.ts';
import { noPath, SubjectHasher, subjectInts } from '../event/subject.ts';

/** Shared by all filters without subjects, which are the usual ones. */
const noSubjects = new Uint32Array(0);

/**
 * Wanted subjects, `subjectInts` entries each, ascending, so that equal sets give equal lists. Records of accounts
 * that are wanted themselves are left out: they are found by the account.
 * @param subjects as of `isSubject`.
 */
export function hashSubjects(subjects: ReadonlySet<string>, hasher: DidHasher): Uint32Array {
  if (subjects.size === 0) return noSubjects;
  const reader = new SubjectHasher(hasher);
  const found = new Uint32Array(subjects.size * subjectInts);
  const order = new Uint32Array(subjects.size);
  let count = 0;
  for (const subject of subjects) {
    const bytes = Buffer.from(subject);
    reader.read(bytes, 0, bytes.length);
    const at = count * subjectInts;
    found[at] = reader.didLow;
    found[at + 1] = reader.didHigh;
    found[at + 2] = reader.path;
    order[count++] = at;
  }
  order.sort((a, b) => compare(found, a, found[b], found[b + 1], found[b + 2]));
  const list = new Uint32Array(found.length);
  let end = 0;
  for (const at of order) {
    const last = end - subjectInts;
    const isCovered =
      last >= 0 && list[last + 2] === noPath && isSameDid(list, last, found[at], found[at + 1]);
    if (isCovered) continue;
    list.set(found.subarray(at, at + subjectInts), end);
    end += subjectInts;
  }
  return list.slice(0, end);
}

/** Whether a list of {@link hashSubjects} has that subject, or the account of it. */
export function hasSubject(list: Uint32Array, didLow: number, didHigh: number, path: number): boolean {
  let from = 0;
  let to = list.length / subjectInts;
  while (from < to) {
    const middle = (from + to) >>> 1;
    if (compare(list, middle * subjectInts, didLow, didHigh, path) < 0) from = middle + 1;
    else to = middle;
  }
  const at = from * subjectInts;
  if (at < list.length && list[at + 2] === path && isSameDid(list, at, didLow, didHigh)) return true;
  // An account has no records beside it, so it comes right before any of them.
  const before = at - subjectInts;
  return before >= 0 && list[before + 2] === noPath && isSameDid(list, before, didLow, didHigh);
}

/** For did-index.ts: the low half of a subject's key. The high half is the DID's, and an account's key is its DID. */
export function lowKey(didLow: number, path: number): number {
  return didLow ^ path;
}

/** The keys of a list's subjects, two entries each: low, high. */
export function keysOf(list: Uint32Array): Uint32Array {
  const keys = new Uint32Array((list.length / subjectInts) * 2);
  for (let at = 0, to = 0; at < list.length; at += subjectInts) {
    keys[to++] = lowKey(list[at], list[at + 2]);
    keys[to++] = list[at + 1];
  }
  return keys;
}

/** Below, above or zero, by the high half of the DID, then its low half, then the path. */
function compare(list: Uint32Array, at: number, didLow: number, didHigh: number, path: number): number {
  return list[at + 1] - didHigh || list[at] - didLow || list[at + 2] - path;
}

function isSameDid(list: Uint32Array, at: number, didLow: number, didHigh: number): boolean {
  return list[at] === didLow && list[at + 1] === didHigh;
}

// The DIDs and subjects that a filter wants, as sorted hashes: 8 bytes for a DID and 12 for a subject, a third of what a
// hash table needs, because a server may hold millions of them. Used by selection.ts; live events find their groups
// through did-index.ts instead, subjects by the 64-bit keys that are made of them here.

import { firstPast } from '../binary-search.ts';
import type { DidHasher } from '../event/did-hash.ts';
import { noPath, SubjectHasher, subjectInts } from '../event/subject.ts';

/** Shared by all filters without subjects, which are the usual ones. */
const noSubjects = new Uint32Array(0);

/** A list that is gone through as quickly as it is searched. */
const shortInts = 2 * 4;

/** Hashes of DIDs, two entries each: low, high. Ascending, so that equal sets give equal lists. */
export function hashDids(dids: ReadonlySet<string>, hasher: DidHasher): Uint32Array {
  const hashes = new Uint32Array(dids.size * 2);
  let at = 0;
  for (const did of dids) {
    const bytes = Buffer.from(did);
    hasher.hash(bytes, 0, bytes.length);
    hashes[at++] = hasher.low;
    hashes[at++] = hasher.high;
  }
  // As 64-bit integers on a little-endian machine: by `high`, then by `low`.
  new BigUint64Array(hashes.buffer).sort();
  return hashes;
}

/** Whether a list of {@link hashDids} has that hash. */
export function hasDidHash(hashes: Uint32Array, low: number, high: number): boolean {
  if (hashes.length <= shortInts) {
    for (let at = 0; at < hashes.length; at += 2) if (isSameDid(hashes, at, low, high)) return true;
    return false;
  }
  const at = firstPast(hashes, 0, hashes.length / 2, isDidReached, high, low) * 2;
  return at < hashes.length && isSameDid(hashes, at, low, high);
}

/**
 * Wanted subjects in the short form of lib/event/subject.ts, `subjectInts` entries each, ascending, so that equal sets
 * give equal lists. Records of accounts that are wanted themselves are left out: they are found by the account.
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
  order.sort((a, b) => found[a + 1] - found[b + 1] || found[a] - found[b] || found[a + 2] - found[b + 2]);
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
  const entries = list.length / subjectInts;
  const at = firstPast(list, 0, entries, isSubjectReached, didHigh, didLow, path) * subjectInts;
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

/** For {@link firstPast}: entries ascend by the high half of the DID's hash, then by the low one. */
function isDidReached(list: Uint32Array, index: number, high: number, low: number): boolean {
  const at = index * 2;
  return list[at + 1] > high || (list[at + 1] === high && list[at] >= low);
}

/** The same, and then by the path. */
function isSubjectReached(
  list: Uint32Array,
  index: number,
  high: number,
  low: number,
  path: number,
): boolean {
  const at = index * subjectInts;
  if (list[at + 1] !== high) return list[at + 1] > high;
  return list[at] > low || (list[at] === low && list[at + 2] >= path);
}

function isSameDid(list: Uint32Array, at: number, low: number, high: number): boolean {
  return list[at] === low && list[at + 1] === high;
}

// The DIDs that a filter wants, as their sorted 64-bit hashes: 8 bytes each, a third of what a hash table needs, because
// a server may hold millions of them. Used by selection.ts; live events find their groups through did-index.ts instead.

import type { DidHasher } from '../event/did-hash.ts';

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
  let from = 0;
  let to = hashes.length / 2;
  while (from < to) {
    const middle = (from + to) >>> 1;
    const found = hashes[middle * 2 + 1];
    if (found < high || (found === high && hashes[middle * 2] < low)) from = middle + 1;
    else to = middle;
  }
  return from * 2 < hashes.length && hashes[from * 2 + 1] === high && hashes[from * 2] === low;
}

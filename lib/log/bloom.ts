// Bloom filters that lie one behind the other in a column of bytes, one for each block of a segment. Entries are 64-bit
// hashes in two halves, and each sets six bits: those at `low`, `low + high`, `low + 2 high` and so on, modulo the size
// of a filter (double hashing). The bits are stored, so where they are set is part of the log's format. Whose filters
// they are, and how large, is segment-index.ts and subject-filter.ts.

/** Bits that an entry sets: at ten bits an entry one other in a hundred has all of its own set, at sixteen in a thousand. */
const probes = 6;

/** Adds an entry to the filter of `filterBytes` (a power of two) that begins at `start`. */
export function addToBloom(
  bits: Uint8Array,
  start: number,
  filterBytes: number,
  low: number,
  high: number,
): void {
  const mask = filterBytes * 8 - 1;
  // Odd, so that all probes differ.
  const step = high | 1;
  let bit = low;
  for (let probe = 0; probe < probes; probe++, bit = (bit + step) | 0) {
    bits[start + ((bit & mask) >> 3)] |= 1 << (bit & 7);
  }
}

/** Whether the filter may have that entry: true for all that were added, and for few others. */
export function mayBeInBloom(
  bits: Uint8Array,
  start: number,
  filterBytes: number,
  low: number,
  high: number,
): boolean {
  const mask = filterBytes * 8 - 1;
  const step = high | 1;
  let bit = low;
  for (let probe = 0; probe < probes; probe++, bit = (bit + step) | 0) {
    if ((bits[start + ((bit & mask) >> 3)] & (1 << (bit & 7))) === 0) return false;
  }
  return true;
}

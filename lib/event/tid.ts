// Timestamp identifiers (TIDs), the usual key of a record: 13 characters of sortable base32, 53 bits of microseconds since
// 1970 and a 10-bit clock id (atproto.com/specs/tid). Reading and writing; no clock is read here.

/** Characters of a TID. */
export const tidCharacters = 13;
const timeCharacters = 11;

const codes = Uint8Array.from('234567abcdefghijklmnopqrstuvwxyz', (character) => character.charCodeAt(0));

/** For every byte its five bits; 0xff for what a TID cannot hold. */
const digits = new Uint8Array(256).fill(0xff);
for (const [digit, code] of codes.entries()) digits[code] = digit;

/** The microseconds that a TID carries, the record's creation if that is true; NaN when the span is no TID. */
export function tidTimeUs(source: Uint8Array, start: number, end: number): number {
  // The first bit of 65 does not exist, and the first of 64 is zero.
  if (end - start !== tidCharacters || digits[source[start]] >= 16) return Number.NaN;
  let timeUs = 0;
  for (let at = start; at < end; at++) {
    const digit = digits[source[at]];
    if (digit === 0xff) return Number.NaN;
    if (at < start + timeCharacters) timeUs = timeUs * 32 + digit;
  }
  return timeUs;
}

/** Writes a TID at `offset`. @param timeUs below 2^53. @param clockId below 1,024. */
export function writeTid(timeUs: number, clockId: number, out: Uint8Array, offset: number): void {
  out[offset + 12] = codes[clockId & 31];
  out[offset + 11] = codes[clockId >>> 5];
  // Two halves of 30 and 23 bits: 32-bit arithmetic is several times faster than division of a double per character.
  let low = timeUs % 1_073_741_824;
  let high = (timeUs - low) / 1_073_741_824;
  for (let at = 10; at >= 5; at--) {
    out[offset + at] = codes[low & 31];
    low >>>= 5;
  }
  for (let at = 4; at >= 0; at--) {
    out[offset + at] = codes[high & 31];
    high >>>= 5;
  }
}

const scratch = Buffer.alloc(tidCharacters);

/** The TID of a moment. @param timeUs below 2^53. @param clockId below 1,024. */
export function tidOf(timeUs: number, clockId: number): string {
  writeTid(timeUs, clockId, scratch, 0);
  return scratch.toString('latin1');
}

// Timestamp identifiers (TIDs), the usual key of a record: 13 characters of sortable base32 whose first eleven are
// microseconds since 1970 (atproto.com/specs/tid). Reading only.

/** Characters of a TID. */
export const tidCharacters = 13;
const timeCharacters = 11;

/** For every byte its five bits; 0xff for what a TID cannot hold. */
const digits = new Uint8Array(256).fill(0xff);
for (const [digit, character] of [...'234567abcdefghijklmnopqrstuvwxyz'].entries()) {
  digits[character.charCodeAt(0)] = digit;
}

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

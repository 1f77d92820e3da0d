// Timestamp identifiers (TIDs): 53 bits of microseconds and a 10-bit clock id as 13 sortable base32 characters. The
// simulator makes record keys and revisions of them; stamped revisions also carry the frame's sequence (see
// stamped-rev.ts). No clock is read here. Reading them is lib/event's.

import { tidCharacters } from '../../lib/event/tid.ts';

const alphabet = '234567abcdefghijklmnopqrstuvwxyz';
const charCodes = Uint8Array.from(alphabet, (char) => char.charCodeAt(0));

/** Writes a TID at `offset`. @param timeUs below 2^53. @param clockId below 1,024. */
export function writeTid(timeUs: number, clockId: number, out: Uint8Array, offset: number): void {
  out[offset + 12] = charCodes[clockId & 31];
  out[offset + 11] = charCodes[clockId >>> 5];
  // Two halves of 30 and 23 bits: 32-bit arithmetic is several times faster than division of a double per character.
  let low = timeUs % 1_073_741_824;
  let high = (timeUs - low) / 1_073_741_824;
  for (let i = 10; i >= 5; i--) {
    out[offset + i] = charCodes[low & 31];
    low >>>= 5;
  }
  for (let i = 4; i >= 0; i--) {
    out[offset + i] = charCodes[high & 31];
    high >>>= 5;
  }
}

const scratch = Buffer.alloc(tidCharacters);

/** The TID of a moment. @param timeUs below 2^53. @param clockId below 1,024. */
export function tidOf(timeUs: number, clockId: number): string {
  writeTid(timeUs, clockId, scratch, 0);
  return scratch.toString('latin1');
}

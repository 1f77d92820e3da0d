// Syntax of namespace identifiers (NSIDs) as the v1 wire accepts them: `app.bsky.feed.post`. One pass over the text, so
// that a hostile value costs no more than its length. What is wanted of a collection is lib/wire's and lib/fanout's.

import { collectionBytesMax } from '../decode/record-path.ts';

/** Longest NSID, in bytes; every accepted character is one byte. */
export const nsidBytesMax = collectionBytesMax;
const segmentBytesMax = 63;
const segmentsMin = 3;

const dot = 0x2e;
const hyphen = 0x2d;

/**
 * Whether `text` is an NSID: at least three dot-separated segments of 1 to 63 characters, of letters, digits and inner
 * hyphens; the first starts with a letter; the last starts with a letter too and has no hyphen. Case is not looked at.
 */
export function isNsid(text: string): boolean {
  const end = text.length;
  if (end > nsidBytesMax) return false;
  let segments = 0;
  let start = 0;
  let hyphens = 0;
  for (let at = 0; at <= end; at++) {
    const code = at === end ? dot : text.charCodeAt(at);
    if (code === dot) {
      const length = at - start;
      if (length === 0 || length > segmentBytesMax || text.charCodeAt(at - 1) === hyphen) return false;
      segments++;
      if (at === end) return segments >= segmentsMin && hyphens === 0 && isLetter(text.charCodeAt(start));
      start = at + 1;
      hyphens = 0;
    } else if (code === hyphen) {
      if (at === start) return false;
      hyphens++;
    } else if (!isLetter(code) && (!isDigit(code) || at === 0)) {
      return false;
    }
  }
  return false;
}

function isLetter(code: number): boolean {
  return (code >= 0x61 && code <= 0x7a) || (code >= 0x41 && code <= 0x5a);
}

function isDigit(code: number): boolean {
  return code >= 0x30 && code <= 0x39;
}

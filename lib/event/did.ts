// Syntax of decentralized identifiers (DIDs) as the v1 wire accepts them. One pass over the text: ten thousand of them
// may come in one URL. Resolving or comparing DIDs is not done here.

/** Longest DID, in bytes; every accepted character is one byte. */
export const didBytesMax = 2048;

const prefix = 'did:';
const colon = 0x3a;
const percent = 0x25;

/** 1 for the characters an identifier is made of: letters, digits and `. _ : % -`. */
const identifierCodes = new Uint8Array(128);
for (const character of 'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._:%-') {
  identifierCodes[character.charCodeAt(0)] = 1;
}

/**
 * Whether `text` is a DID: `did:`, a method of lower-case letters, `:`, and an identifier of letters, digits and
 * `. _ : % -` that ends in neither `:` nor `%`.
 */
export function isDid(text: string): boolean {
  const end = text.length;
  if (end > didBytesMax || !text.startsWith(prefix)) return false;
  let at = prefix.length;
  while (at < end && isLowerCase(text.charCodeAt(at))) at++;
  if (at === prefix.length || text.charCodeAt(at) !== colon) return false;
  const start = at + 1;
  for (at = start; at < end; at++) {
    if (identifierCodes[text.charCodeAt(at)] !== 1) return false;
  }
  const last = text.charCodeAt(end - 1);
  return end > start && last !== colon && last !== percent;
}

/** Where the DID-like run of `did:` and what an identifier may hold ends, which begins at `start`. */
export function didEnd(source: Uint8Array, start: number, end: number): number {
  let at = start;
  while (at < end && source[at] < 128 && identifierCodes[source[at]] === 1) at++;
  return at;
}

function isLowerCase(code: number): boolean {
  return code >= 0x61 && code <= 0x7a;
}

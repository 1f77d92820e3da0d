// What records point at: an account (a DID) or a record (an at-uri), and the short form of both that block columns hold
// and filters compare. An event's own record has the same form, so that what points at it is found by it. Any text of a
// record that is nothing but a DID or an at-uri counts, whatever its lexicon calls the field. No I/O.

import { isRecordPath, slashAt } from '../decode/record-path.ts';
import { didBytesMax, didEnd, isDid } from './did.ts';
import type { DidHasher } from './did-hash.ts';

/** Ints of a subject in short form: low and high half of the DID's hash, and the path's hash. */
export const subjectInts = 3;
/** Instead of a path's hash: the account itself. */
export const noPath = 0;

const didScheme = Buffer.from('did:');
const atScheme = Buffer.from('at://');
const spacePath = Buffer.from('/space/');
const hash = 0x23;
const question = 0x3f;

/** Whether a text begins like a subject: enough to pass over nearly all others. */
export function mayBeSubject(source: Uint8Array, start: number, end: number): boolean {
  if (end - start < 7) return false;
  const first = source[start];
  return first === 0x64 ? source[start + 3] === 0x3a : first === 0x61 && source[start + 2] === 0x3a;
}

/** Makes short forms; the last one is in its fields until the next call. */
export class SubjectHasher {
  didLow = 0;
  didHigh = 0;
  /** {@link noPath} for an account. */
  path = noPath;
  readonly #hasher: DidHasher;

  constructor(hasher: DidHasher) {
    this.#hasher = hasher;
  }

  /**
   * Takes a text that is a DID or an at-uri with a DID; false for any other. Of an at-uri, a query or fragment does not
   * count: what it points into is the record.
   */
  read(source: Uint8Array, start: number, end: number): boolean {
    const isUri = startsWith(source, start, end, atScheme);
    const didStart = isUri ? start + atScheme.length : start;
    if (!startsWith(source, didStart, end, didScheme)) return false;
    const didStop = didEnd(source, didStart, end);
    const didBytes = didStop - didStart;
    if (didBytes === didScheme.length || didBytes > didBytesMax || (didStop < end && !isUri)) return false;
    const pathEnd = didStop < end ? uriPathEnd(source, didStop, end) : end;
    if (didStop < pathEnd && slashAt(source, didStop, pathEnd) !== didStop) return false;
    // `at://did/space/type/skey/author/collection/rkey`: what is in a private space is no record of the account.
    if (startsWith(source, didStop, pathEnd, spacePath)) return false;
    this.#hasher.hash(source, didStart, didStop);
    this.didLow = this.#hasher.low;
    this.didHigh = this.#hasher.high;
    this.path = didStop + 1 < pathEnd ? this.pathOf(source, didStop + 1, pathEnd) : noPath;
    return true;
  }

  /** The hash of a record's path, `collection/rkey`; never {@link noPath}. */
  pathOf(source: Uint8Array, start: number, end: number): number {
    this.#hasher.hash(source, start, end);
    return this.#hasher.low || 1;
  }
}

/** Whether a text can be wanted as a subject: a DID, or an at-uri of a record, `at://did/collection/rkey`. */
export function isSubject(text: string): boolean {
  if (!text.startsWith('at://')) return isDid(text);
  const path = text.indexOf('/', 5);
  if (path === -1 || !isDid(text.slice(5, path))) return false;
  const bytes = Buffer.from(text);
  return bytes.length === text.length && isRecordPath(bytes, path + 1, bytes.length);
}

function startsWith(source: Uint8Array, start: number, end: number, prefix: Uint8Array): boolean {
  if (end - start < prefix.length) return false;
  for (let at = 0; at < prefix.length; at++) if (source[start + at] !== prefix[at]) return false;
  return true;
}

function uriPathEnd(source: Uint8Array, start: number, end: number): number {
  let at = start;
  while (at < end && source[at] !== hash && source[at] !== question) at++;
  return at;
}

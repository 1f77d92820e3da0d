// Reads CIDs from text: the value of a `$link` key, and the `cid` of a blob from before 2023. It accepts what Jetstream
// v1's CID library does, in every encoding of its but base256emoji, which no writer of records uses; padding must be
// exact, where v1 lets base32 have more of it. It gives the binary form, of which cid.ts makes the canonical text. A cold
// path: canonical records have binary links. The only importer of multiformats. Called by special-map.ts.

import { base2 } from 'multiformats/bases/base2';
import { base16, base16upper } from 'multiformats/bases/base16';
import * as base32 from 'multiformats/bases/base32';
import { base36, base36upper } from 'multiformats/bases/base36';
import { base58btc, base58flickr } from 'multiformats/bases/base58';
import { base64, base64pad, base64url, base64urlpad } from 'multiformats/bases/base64';
import type { ByteWriter } from '../byte-writer.ts';
import { cidEnd, version0TextBytes } from './cid.ts';

/**
 * Longest base36 and base58 text that is decoded, in bytes: those encodings cost the square of their length. It
 * holds CIDs of more than 80 bytes; those of the AT Protocol have 36.
 */
const radixTextBytesMax = 128;
const identityPrefix = '\0';
const lineBreaks = /[\r\n]/g;

type Decode = (text: string) => Uint8Array | undefined;
/** One of the library's; its decoding throws at what is no digit. */
interface Base {
  readonly prefix: string;
  baseDecode(digits: string): Uint8Array;
}

/** What text without its prefix stands for, by the prefix; undefined, or an exception, when that is nothing. */
const decoders = new Map<string, Decode>([
  [identityPrefix, (text) => Buffer.from(text, 'latin1')],
  // Filled up on its left to whole bytes.
  [base2.prefix, (text) => decodeUnpadded(base2, '0'.repeat(-text.length & 7) + text)],
]);

function add(bases: readonly Base[], decodeBy: (base: Base, text: string) => ReturnType<Decode>): void {
  for (const base of bases) decoders.set(base.prefix, (text) => decodeBy(base, text));
}

add([base16, base16upper], (base, text) => (text.length % 2 === 0 ? decodeUnpadded(base, text) : undefined));
add([base32.base32, base32.base32upper], (base, text) => decode32(base, text, 'a', false));
add([base32.base32pad, base32.base32padupper], (base, text) => decode32(base, text, 'a', true));
add([base32.base32hex, base32.base32hexupper], (base, text) => decode32(base, text, '0', false));
add([base32.base32hexpad, base32.base32hexpadupper], (base, text) => decode32(base, text, '0', true));
add([base64, base64url], (base, text) => decode64(base, text, false));
add([base64pad, base64urlpad], (base, text) => decode64(base, text, true));
add([base36, base36upper], (base, text) => decodeRadix(base, text, '0'));
add([base58btc, base58flickr], (base, text) => decodeRadix(base, text, '1'));

/** The library takes padding off all text, the kinds that have none included. */
function decodeUnpadded(base: Base, text: string): Uint8Array | undefined {
  return text.endsWith('=') ? undefined : base.baseDecode(text);
}

/**
 * The digits of text in groups of `groupDigits`: without line breaks, which v1 passes over, and without the padding, which
 * there must be exactly or not at all.
 */
function digitsOf(text: string, groupDigits: number, isPadded: boolean): string | undefined {
  const whole = text.replace(lineBreaks, '');
  let end = whole.length;
  // Not a regular expression: one that looks for the end takes the square of the length.
  while (end > 0 && whole[end - 1] === '=') end--;
  const pads = whole.length - end;
  if (isPadded ? pads >= groupDigits || whole.length % groupDigits !== 0 : pads > 0) return undefined;
  const digits = whole.slice(0, end);
  return digits.includes('=') ? undefined : digits;
}

/** The library refuses a last group with unused bits that are not zero, and v1 does not: it is filled up with zeros. */
function decodeGroups(base: Base, digits: string, groupDigits: number, zero: string): Uint8Array {
  const missing = (groupDigits - (digits.length % groupDigits)) % groupDigits;
  return base.baseDecode(digits + zero.repeat(missing));
}

function decode32(base: Base, text: string, zero: string, isPadded: boolean): Uint8Array | undefined {
  const digits = digitsOf(text, 8, isPadded);
  if (digits === undefined) return undefined;
  // A group that ends on 1, 3 or 6 digits gives nothing at all in v1.
  const isLone = [1, 3, 6].includes(digits.length % 8);
  if (isLone && isPadded) return undefined;
  const bytes = isLone ? Math.floor(digits.length / 8) * 5 : Math.floor((digits.length * 5) / 8);
  return decodeGroups(base, digits, 8, zero).subarray(0, bytes);
}

function decode64(base: Base, text: string, isPadded: boolean): Uint8Array | undefined {
  const digits = digitsOf(text, 4, isPadded);
  if (digits === undefined || digits.length % 4 === 1) return undefined;
  return decodeGroups(base, digits, 4, 'A').subarray(0, Math.floor((digits.length * 6) / 8));
}

/** Leading zeros would be leading zero bytes, with which no CID starts. */
function decodeRadix(base: Base, text: string, zero: string): Uint8Array | undefined {
  return text.length > radixTextBytesMax || text.startsWith(zero) ? undefined : base.baseDecode(text);
}

/** The bytes that the text of a CID stands for; undefined when it is none. */
function decode(text: string): Uint8Array | undefined {
  const isVersion0 = text.length === version0TextBytes && text.startsWith('Qm');
  try {
    return isVersion0 ? decodeRadix(base58btc, text, '1') : decoders.get(text[0])?.(text.slice(1));
  } catch {
    return undefined;
  }
}

/** Appends the binary CID that the text in the span stands for; false, with nothing appended, when it is none. */
export function readCidText(out: ByteWriter, source: Uint8Array, start: number, end: number): boolean {
  const text = Buffer.from(source.buffer, source.byteOffset + start, end - start).toString('latin1');
  // Of a path, or of an address with one, it is what stands behind the first mark.
  const [first, second = first] = text.split('/ipfs/', 2);
  const bytes = decode(second);
  if (bytes === undefined || bytes.length === 0 || cidEnd(bytes, 0, bytes.length) !== bytes.length)
    return false;
  out.bytes(bytes);
  return true;
}

// Decodes the text forms of binary that multibase names with a prefix character: what a `$link` may be written in.
// All the encodings that Jetstream v1 reads are here, except base256emoji, which no writer of records uses; padding must
// be exact, where v1 lets base32 have more of it. Called by cid-text.ts.

import type { ByteWriter } from '../byte-writer.ts';

/**
 * Longest base36 and base58 text that is decoded, in bytes: those encodings cost the square of their length. It
 * holds CIDs of more than 80 bytes; those of the AT Protocol have 36.
 */
const radixTextBytesMax = 128;

const pad = 0x3d;
const upper = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ';
const lower = upper.toLowerCase();
const decimal = '0123456789';
const base58 = '123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz';
const base58Flickr = '123456789abcdefghijkmnopqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ';

interface Base {
  /** Value of every byte, -1 for those that are no digit. */
  readonly values: Int8Array;
  /** Bits of a digit, 0 when the text is one big number. */
  readonly bits: number;
  /** Digits, where `bits` is 0. */
  readonly radix: number;
  readonly padded: boolean;
}

function base(alphabet: string, bits: number, options: { anyCase?: boolean; padded?: boolean } = {}): Base {
  const values = new Int8Array(256).fill(-1);
  for (let digit = 0; digit < alphabet.length; digit++) {
    values[alphabet.charCodeAt(digit)] = digit;
    if (options.anyCase) values[alphabet[digit].toLowerCase().charCodeAt(0)] = digit;
  }
  return { values, bits, radix: alphabet.length, padded: options.padded ?? false };
}

const binary = base('01', 1);
const hex = base(`${decimal}ABCDEF`, 4, { anyCase: true });
const rfc32 = base(`${upper}234567`, 5, { anyCase: true });
const rfc32Padded = { ...rfc32, padded: true };
const hex32 = base(`${decimal}ABCDEFGHIJKLMNOPQRSTUV`, 5, { anyCase: true });
const hex32Padded = { ...hex32, padded: true };
const base36 = base(`${decimal}${upper}`, 0, { anyCase: true });
const base64 = base(`${upper}${lower}${decimal}+/`, 6);
const base64Url = base(`${upper}${lower}${decimal}-_`, 6);
const bitcoin = base(base58, 0);

/** Encodings by prefix character. */
const bases: Readonly<Record<string, Base>> = {
  '0': binary,
  f: hex,
  F: hex,
  b: rfc32,
  B: rfc32,
  c: rfc32Padded,
  C: rfc32Padded,
  v: hex32,
  V: hex32,
  t: hex32Padded,
  T: hex32Padded,
  k: base36,
  K: base36,
  z: bitcoin,
  Z: base(base58Flickr, 0),
  m: base64,
  u: base64Url,
  M: { ...base64, padded: true },
  U: { ...base64Url, padded: true },
};

function isLineBreak(byte: number): boolean {
  return byte === 0x0a || byte === 0x0d;
}

/** Whether so many digits and padding characters make whole groups, as far as v1 asks. */
function isWhole({ bits, padded }: Base, digits: number, pads: number): boolean {
  const group = bits === 5 ? 8 : 4;
  if (bits < 5) return bits === 1 || digits % 2 === 0;
  if (bits === 6 && digits % 4 === 1) return false;
  if (!padded) return pads === 0;
  const lone = bits === 5 && [1, 3, 6].includes(digits % 8);
  return !lone && pads < group && (digits + pads) % group === 0;
}

function decodeBits(out: ByteWriter, source: Uint8Array, start: number, end: number, from: Base): boolean {
  const { values, bits } = from;
  const before = out.length;
  let digits = 0;
  let pads = 0;
  // Base 2 text is filled up on its left to whole bytes.
  let held = bits === 1 ? (8 - ((end - start) % 8)) % 8 : 0;
  let bitBuffer = 0;
  for (let at = start; at < end; at++) {
    const byte = source[at];
    if (bits > 4 && isLineBreak(byte)) continue;
    if (byte === pad && from.padded) {
      pads++;
      continue;
    }
    const value = values[byte];
    if (value < 0 || pads > 0) return false;
    digits++;
    bitBuffer = ((bitBuffer << bits) | value) & 0xffff;
    held += bits;
    if (held >= 8) {
      held -= 8;
      out.byte((bitBuffer >> held) & 255);
    }
  }
  // A base32 group that ends on 1, 3 or 6 digits gives nothing at all in v1.
  if (bits === 5 && [1, 3, 6].includes(digits % 8)) out.length = before + Math.floor(digits / 8) * 5;
  return isWhole(from, digits, pads);
}

function decodeRadix(out: ByteWriter, source: Uint8Array, start: number, end: number, from: Base): boolean {
  if (end - start > radixTextBytesMax) return false;
  const number = new Uint8Array(radixTextBytesMax);
  let length = 0;
  for (let at = start; at < end; at++) {
    let carry = from.values[source[at]];
    if (carry < 0) return false;
    for (let index = 0; index < length; index++) {
      carry += number[index] * from.radix;
      number[index] = carry & 255;
      carry >>= 8;
    }
    while (carry > 0) {
      number[length++] = carry & 255;
      carry >>= 8;
    }
  }
  // Leading zeros would be leading zero bytes, with which no CID starts.
  if (length === 0 || from.values[source[start]] === 0) return false;
  while (length > 0) out.byte(number[--length]);
  return true;
}

/** Appends what base58 (bitcoin alphabet) text without a prefix stands for; false when it is none. */
export function decodeBase58(out: ByteWriter, source: Uint8Array, start: number, end: number): boolean {
  return decodeRadix(out, source, start, end, bitcoin);
}

/** Appends what multibase text stands for; false (with some of it perhaps appended) when it is none. */
export function decodeMultibase(out: ByteWriter, source: Uint8Array, start: number, end: number): boolean {
  if (start >= end) return false;
  if (source[start] === 0) {
    out.bytes(source, start + 1, end);
    return true;
  }
  const from = bases[String.fromCharCode(source[start])];
  if (from === undefined) return false;
  if (from.bits === 0) return decodeRadix(out, source, start + 1, end, from);
  return decodeBits(out, source, start + 1, end, from);
}

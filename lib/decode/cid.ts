// The binary form of content identifiers: where one ends, and its text. A CID is taken apart no further than the
// data model needs; whether a hash is right is car.ts, reading CIDs from text is cid-text.ts.

import type { ByteWriter } from '../byte-writer.ts';

/** The multihash code of SHA-256. */
export const sha256Code = 0x12;
export const sha256Bytes = 32;
/** A CID version 0: a bare SHA-256 multihash. */
const version0Bytes = 34;
export const version0TextBytes = 46;
const varintBytesMax = 9;
const base32Digits = Buffer.from('abcdefghijklmnopqrstuvwxyz234567');
const base58Digits = Buffer.from('123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz');

/** Scratch of base58: digits of 58^5, the lowest first. A product of one with 65,536 is exact. */
const limbDigits = 5;
const limbRadix = 58 ** limbDigits;
const limbs = new Float64Array(Math.ceil(version0TextBytes / limbDigits));

/** Where the varint at `at` ends, or -1 when it is cut off, over-long or padded. */
function varintEnd(bytes: Uint8Array, at: number, end: number): number {
  for (let index = at; index < end && index < at + varintBytesMax; index++) {
    if (bytes[index] < 0x80) return bytes[index] === 0 && index > at ? -1 : index + 1;
  }
  return -1;
}

function isVersion0(bytes: Uint8Array, start: number, end: number): boolean {
  return end - start > 2 && bytes[start] === sha256Code && bytes[start + 1] === sha256Bytes;
}

/** Where the multihash of the CID at `start` starts, or -1 when no CID of a known version is there. */
export function hashStart(bytes: Uint8Array, start: number, end: number): number {
  if (isVersion0(bytes, start, end)) return start;
  if (start >= end || bytes[start] !== 1) return -1;
  return varintEnd(bytes, start + 1, end);
}

/** Where the CID at `start` ends, or -1 when there is none whole. Any codec and hash function will do. */
export function cidEnd(bytes: Uint8Array, start: number, end: number): number {
  const hash = hashStart(bytes, start, end);
  if (hash < 0) return -1;
  if (end - hash >= 2 + sha256Bytes && bytes[hash] === sha256Code && bytes[hash + 1] === sha256Bytes) {
    return hash + 2 + sha256Bytes;
  }
  const lengthAt = varintEnd(bytes, hash, end);
  if (lengthAt < 0) return -1;
  const digest = varintEnd(bytes, lengthAt, end);
  if (digest < 0) return -1;
  let length = 0;
  for (let at = digest - 1; at >= lengthAt; at--) length = length * 128 + (bytes[at] & 0x7f);
  return length > end - digest ? -1 : digest + length;
}

function writeBase32(out: ByteWriter, bytes: Uint8Array, start: number, end: number): void {
  out.reserve((end - start) * 2 + 1);
  const { buffer } = out;
  let at = out.length;
  let held = 0;
  let bits = 0;
  for (let index = start; index < end; index++) {
    bits = ((bits << 8) | bytes[index]) & 0xfff;
    held += 8;
    while (held >= 5) {
      held -= 5;
      buffer[at++] = base32Digits[(bits >> held) & 31];
    }
  }
  if (held > 0) buffer[at++] = base32Digits[(bits << (5 - held)) & 31];
  out.length = at;
}

/**
 * Base58 of a version 0 CID, five digits and two bytes at a time. It begins with bytes that make the first digit no zero,
 * and its length always the same.
 */
function writeBase58(out: ByteWriter, bytes: Uint8Array, start: number): void {
  limbs.fill(0);
  let count = 0;
  for (let at = start; at < start + version0Bytes; at += 2) {
    let carry = bytes[at] * 256 + bytes[at + 1];
    for (let index = 0; index < count; index++) {
      const value = limbs[index] * 65_536 + carry;
      carry = Math.floor(value / limbRadix);
      limbs[index] = value - carry * limbRadix;
    }
    if (carry > 0) limbs[count++] = carry;
  }
  out.reserve(version0TextBytes);
  const { buffer, length } = out;
  let to = length + version0TextBytes;
  for (const limb of limbs) {
    let digits = limb | 0;
    for (let left = limbDigits; left > 0 && to > length; left--) {
      buffer[--to] = base58Digits[digits % 58];
      digits = (digits / 58) | 0;
    }
  }
  out.length = length + version0TextBytes;
}

/** Appends the text of the CID in the span: base58 for version 0, `b` and base32 for version 1. */
export function writeCidText(out: ByteWriter, bytes: Uint8Array, start: number, end: number): void {
  if (end - start === version0Bytes && isVersion0(bytes, start, end)) {
    writeBase58(out, bytes, start);
  } else {
    out.byte(0x62);
    writeBase32(out, bytes, start, end);
  }
}

// Base64 without padding, as the wire has it under `$bytes`: of byte strings, and of base64 text that a record holds under
// that key itself. Such text is checked, and written again as an encoder would have, without being decoded in between.

import type { ByteWriter } from '../byte-writer.ts';

const digits = Buffer.from('ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/');
const invalid = -1;
const ignored = -2;
const values = new Int8Array(256).fill(invalid);
for (let value = 0; value < digits.length; value++) values[digits[value]] = value;
values[0x0a] = ignored;
values[0x0d] = ignored;

/** Whether the span is base64 (RFC 4648 section 4) without padding; line breaks do not count. */
export function isBytesText(source: Uint8Array, start: number, end: number): boolean {
  let count = 0;
  for (let at = start; at < end; at++) {
    const value = values[source[at]];
    if (value === invalid) return false;
    if (value !== ignored) count++;
  }
  return count % 4 !== 1;
}

/** Appends such a span as it would be after decoding and encoding: no line breaks, unused bits zero. */
export function writeBytesText(out: ByteWriter, source: Uint8Array, start: number, end: number): void {
  out.reserve(end - start);
  const { buffer } = out;
  let at = out.length;
  for (let index = start; index < end; index++) {
    if (values[source[index]] >= 0) buffer[at++] = source[index];
  }
  const last = (at - out.length) % 4;
  if (last > 1) {
    const unusedBits = last === 2 ? 4 : 2;
    buffer[at - 1] = digits[(values[buffer[at - 1]] >> unusedBits) << unusedBits];
  }
  out.length = at;
}

/** Appends the span in base64 (RFC 4648 section 4) without padding. */
export function writeBase64(out: ByteWriter, source: Uint8Array, start: number, end: number): void {
  out.reserve((end - start) * 2 + 4);
  const { buffer } = out;
  let at = out.length;
  let index = start;
  for (; index + 3 <= end; index += 3) {
    const group = (source[index] << 16) | (source[index + 1] << 8) | source[index + 2];
    buffer[at] = digits[group >> 18];
    buffer[at + 1] = digits[(group >> 12) & 63];
    buffer[at + 2] = digits[(group >> 6) & 63];
    buffer[at + 3] = digits[group & 63];
    at += 4;
  }
  const left = end - index;
  if (left > 0) {
    const group = (source[index] << 16) | (left === 2 ? source[index + 1] << 8 : 0);
    buffer[at++] = digits[group >> 18];
    buffer[at++] = digits[(group >> 12) & 63];
    if (left === 2) buffer[at++] = digits[(group >> 6) & 63];
  }
  out.length = at;
}

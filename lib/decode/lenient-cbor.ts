// What canonical records never have and v1 reads: floats, of which it lets through those that are integers, and text and
// byte strings that come in chunks (CBOR's indefinite length). Chunks are made whole, so that everything after can take
// spans; the items are copied one by one without knowing how they nest. Called by record-tape.ts.

import type { ByteWriter } from '../byte-writer.ts';
import { majors } from './cbor-cursor.ts';

const unknownLength = 31;
const breakByte = 0xff;

const scratch = new DataView(new ArrayBuffer(8));

function readHalf(bits: number): number {
  const sign = bits >> 15 === 1 ? -1 : 1;
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 1023;
  if (exponent === 31) return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  return sign * (1024 + fraction) * 2 ** (exponent - 25);
}

/** The big-endian float of 2, 4 or 8 bytes that is `bytes[start, end)`. */
export function readFloat(bytes: Uint8Array, start: number, end: number): number {
  for (let at = start; at < end; at++) scratch.setUint8(at - start, bytes[at]);
  if (end - start === 2) return readHalf(scratch.getUint16(0));
  return end - start === 4 ? scratch.getFloat32(0) : scratch.getFloat64(0);
}

/** Bytes of the argument behind a head. */
function argumentBytes(info: number): number {
  return info < 24 || info > 27 ? 0 : 1 << (info - 24);
}

/** Where the chunk whose head is at `at` has its contents, and how many bytes; undefined when it is not whole. */
function chunkAt(bytes: Uint8Array, at: number, end: number): { start: number; end: number } | undefined {
  const info = bytes[at] & 31;
  const start = at + 1 + argumentBytes(info);
  if (info > 27 || start > end) return undefined;
  let length = info < 24 ? info : 0;
  for (let index = at + 1; index < start; index++) length = length * 256 + bytes[index];
  return length > end - start ? undefined : { start, end: start + length };
}

/** Appends the string whose chunks start at `at`, with a head of five bytes; returns where it ends, or -1. */
function joinAt(out: ByteWriter, bytes: Uint8Array, at: number, end: number, major: number): number {
  const head = out.length;
  for (let byte = 0; byte < 5; byte++) out.byte(0);
  for (let next = at; next < end; ) {
    if (bytes[next] === breakByte) {
      out.buffer[head] = (major << 5) | 26;
      out.buffer.writeUInt32BE(out.length - head - 5, head + 1);
      return next + 1;
    }
    const chunk = bytes[next] >> 5 === major ? chunkAt(bytes, next, end) : undefined;
    if (chunk === undefined) break;
    out.bytes(bytes, chunk.start, chunk.end);
    next = chunk.end;
  }
  out.length = head;
  return -1;
}

/** Appends `bytes[start, end)` with chunked strings made whole. From the first malformed one on nothing is appended. */
export function joinChunks(out: ByteWriter, bytes: Uint8Array, start: number, end: number): void {
  for (let at = start; at < end; ) {
    const major = bytes[at] >> 5;
    const info = bytes[at] & 31;
    const isString = major === majors.bytes || major === majors.text;
    if (isString && info === unknownLength) {
      at = joinAt(out, bytes, at + 1, end, major);
      if (at < 0) return;
      continue;
    }
    const item = isString ? chunkAt(bytes, at, end) : { start: at, end: at + 1 + argumentBytes(info) };
    if (item === undefined || item.end > end) return;
    out.bytes(bytes, at, item.end);
    at = item.end;
  }
}

// Makes text and byte strings that come in chunks (CBOR's indefinite length) whole, so that everything after can
// take spans. It copies the items one by one without knowing how they nest. Called by record-tape.ts when a record
// has such strings, which canonical records never do.

import type { ByteWriter } from '../byte-writer.ts';
import { majors } from './cbor-cursor.ts';

const unknownLength = 31;
const breakByte = 0xff;

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

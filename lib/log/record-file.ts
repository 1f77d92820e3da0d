// LevelDB's files of records (MANIFEST and its .log), as they lie on the disk: pages of 32 KiB, records of up to a page, each with a
// CRC-32C. Finds the whole records and says where there is none; what a record means is for its reader. Pure.

import { maskedCrc32c } from './crc32c.ts';

export const pageBytes = 32_768;
const headerBytes = 7;
const types = { full: 1, first: 2, middle: 3, last: 4 } as const;

/** The records of a file that are whole, and where it is damaged. What is cut off at the end is none: a stop does that. */
export interface RecordFile {
  readonly records: readonly Uint8Array[];
  /** Offsets of pages' rests that are no records. */
  readonly damages: readonly number[];
  readonly isCutOff: boolean;
  /** Behind the last whole record: where to go on when there is more. */
  readonly end: number;
}

/**
 * Reads a file as LevelDB does: behind what is no record it goes on with the next page.
 * @param bytes of the file from the beginning of a page on. @param from where in them a record begins.
 */
export function readRecords(bytes: Uint8Array, from = 0): RecordFile {
  let readTo = from;
  const records: Uint8Array[] = [];
  const damages: number[] = [];
  const end = lastNonZero(bytes) + 1;
  let isCut = false;
  let pieces: Uint8Array[] = [];
  for (let at = from; at < end; ) {
    const pageEnd = Math.min(bytes.length, at - (at % pageBytes) + pageBytes);
    const left = pageBytes - (at % pageBytes);
    if (left < headerBytes) {
      at += left;
      continue;
    }
    const piece = readPiece(bytes, at, pageEnd);
    if (piece === undefined) {
      // A record that the end of the file cuts off was being written when its writer stopped.
      isCut = isCutOff(bytes, at);
      if (!isCut) damages.push(at);
      pieces = [];
      at = pageEnd;
      continue;
    }
    at += headerBytes + piece.data.length;
    if (piece.type === types.full || piece.type === types.first) pieces = [];
    pieces.push(piece.data);
    if (piece.type === types.full || piece.type === types.last) {
      records.push(pieces.length === 1 ? piece.data : Buffer.concat(pieces));
      readTo = at;
      pieces = [];
    }
  }
  return { records, damages, isCutOff: isCut, end: readTo };
}

function readPiece(
  bytes: Uint8Array,
  at: number,
  pageEnd: number,
): { type: number; data: Uint8Array } | undefined {
  if (pageEnd - at < headerBytes) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset + at, headerBytes);
  const length = view.getUint16(4, true);
  const type = view.getUint8(6);
  const end = at + headerBytes + length;
  if (type < types.full || type > types.last || end > pageEnd) return undefined;
  if (view.getUint32(0, true) !== maskedCrc32c(bytes, at + 6, end)) return undefined;
  return { type, data: bytes.subarray(at + headerBytes, end) };
}

/** Whether what begins at `at` goes on behind the end of the file. */
function isCutOff(bytes: Uint8Array, at: number): boolean {
  if (bytes.length - at < headerBytes) return true;
  const length = bytes[at + 4] | (bytes[at + 5] << 8);
  return at - (at % pageBytes) + pageBytes > bytes.length && at + headerBytes + length > bytes.length;
}

function lastNonZero(bytes: Uint8Array): number {
  let at = bytes.length - 1;
  while (at >= 0 && bytes[at] === 0) at--;
  return at;
}

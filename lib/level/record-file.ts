// LevelDB's files of records (MANIFEST and its .log), as they lie on the disk: pages of 32 KiB, records of up to a page, each with a
// CRC-32C. Finds the whole records and says where there is none; what a record means is for its reader. Pure.

import { maskedCrc32c } from './crc32c.ts';

export const pageBytes = 32_768;
/** CRC-32C, length, type. */
export const headerBytes = 7;
const diskPageBytes = 4096;
/** So many zeros at the end of a page are hardly what was written. */
export const zerosMin = 16;
export const types = { full: 1, first: 2, middle: 3, last: 4 } as const;

/** Where a file has no record that it should have. */
export interface RecordDamage {
  readonly offset: number;
  /** Whole records in front of it. */
  readonly after: number;
  /** Whether a page of the disk was never written there: a power failure does that. */
  readonly isUnwritten: boolean;
}

/** The records of a file that are whole, and where it is damaged. What is cut off at the end is no damage: a stop does that. */
export interface RecordFile {
  readonly records: readonly Uint8Array[];
  /** Where each begins. */
  readonly offsets: readonly number[];
  /** What is behind one is not read up to the next page: nobody knows where a record begins. */
  readonly damages: readonly RecordDamage[];
  readonly isCutOff: boolean;
  /** Behind the last whole record: where to go on when there is more. */
  readonly end: number;
}

/**
 * Reads a file as LevelDB does: behind what is no record it goes on with the next page, and of a record in pieces it takes all or
 * nothing.
 * @param bytes of the file from the beginning of a page on. @param from where in them a record begins.
 */
export function readRecords(bytes: Uint8Array, from = 0): RecordFile {
  let readTo = from;
  const records: Uint8Array[] = [];
  const offsets: number[] = [];
  const damages: RecordDamage[] = [];
  const end = lastNonZero(bytes) + 1;
  let isCut = false;
  /** Of the record that is being read; undefined between records. */
  let pieces: Uint8Array[] | undefined;
  let startedAt = from;
  /** Behind a damage the rest of a record comes without its beginning. */
  let isBehindDamage = false;
  const damage = (offset: number, isUnwritten: boolean): void => {
    damages.push({ offset, after: records.length, isUnwritten });
    isBehindDamage = true;
    pieces = undefined;
  };
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
      if (!isCut) damage(at, isUnwritten(bytes, at, pageEnd, end));
      pieces = undefined;
      at = pageEnd;
      continue;
    }
    const { type, data } = piece;
    const isStart = type === types.full || type === types.first;
    if (isStart) {
      // The first LevelDB wrote an empty beginning where only a header had room, and then another one, as we did once.
      const isEmpty = pieces?.length === 1 && pieces[0].length === 0 && at % pageBytes === 0;
      if (pieces !== undefined && !isEmpty) damage(startedAt, false);
      pieces = [];
      startedAt = at;
      isBehindDamage = false;
    } else if (pieces === undefined && !isBehindDamage) damage(at, false);
    at += headerBytes + data.length;
    pieces?.push(data);
    if (pieces === undefined || (type !== types.full && type !== types.last)) continue;
    records.push(pieces.length === 1 ? data : Buffer.concat(pieces));
    offsets.push(startedAt);
    readTo = at;
    pieces = undefined;
  }
  return { records, offsets, damages, isCutOff: isCut || pieces !== undefined, end: readTo };
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

/**
 * Whether a page of the disk, into which the record at `at` reaches, ends in zeros: its rest was in memory when the power failed, and
 * a later page was not. Behind `zerosFrom` the file is nothing but zeros: few of them may lie in front of a page's end.
 */
function isUnwritten(bytes: Uint8Array, at: number, end: number, zerosFrom: number): boolean {
  const length = at + headerBytes <= end ? bytes[at + 4] | (bytes[at + 5] << 8) : 0;
  const recordEnd = Math.min(end, at + headerBytes + length);
  for (let from = at; from < recordEnd; from += diskPageBytes - (from % diskPageBytes)) {
    const to = Math.min(bytes.length, from - (from % diskPageBytes) + diskPageBytes);
    let zerosAt = to;
    while (zerosAt > from && bytes[zerosAt - 1] === 0) zerosAt--;
    const isRun = zerosAt === from || to - zerosAt >= zerosMin || to >= zerosFrom;
    if (zerosAt < Math.min(to, recordEnd) && isRun) return true;
  }
  return false;
}

function lastNonZero(bytes: Uint8Array): number {
  let at = bytes.length - 1;
  while (at >= 0 && bytes[at] === 0) at--;
  return at;
}

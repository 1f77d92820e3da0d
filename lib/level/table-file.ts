// LevelDB's tables (.ldb) as they lie on the disk. LevelDB as it is built for Node takes what they say for granted, and ends the process by
// an assertion where that makes no sense: it has to be looked at before. Pure; table-check.ts reads the files.
//
//   blocks of entries, one without entries, the index (last key of a block, its offset and size), footer of 48 bytes
//   a block: entries (bytes shared with the key before, others, bytes of the value: varints; key; value), restarts (offsets of
//   entries that share nothing, uint32), how many, compression (1 byte), masked CRC-32C of all that
//   a key: user's key, 8 bytes little-endian: sequence * 256 + type (1 is a value, 0 a deletion)

import { maskedCrc32c } from './crc32c.ts';
import { VarintReader } from './varints.ts';

export const footerBytes = 48;
export const trailerBytes = 5;
const tagBytes = 8;
export const magic = Buffer.from('57fb808b247547db', 'hex');

/** First byte of keys whose values nobody but LevelDB has a checksum of: damage there is damage that LevelDB must not see. */
export const vitalKeyByte = 0x61;

/** Bytes that are checked without a pause: a millisecond. */
const bytesAtOnce = 2 ** 20;

/** Something wrong in a file. */
export interface FileDamage {
  readonly offset: number;
  readonly what: string;
  /** Whether LevelDB must not see it; else a value is wrong, which whoever reads it finds by a checksum of ours. */
  readonly isFatal: boolean;
}

/** An entry of a block; keys are LevelDB's, with the tag at the end. */
export interface TableEntry {
  readonly key: Buffer;
  readonly valueAt: number;
  readonly valueBytes: number;
}

/** What the MANIFEST says of a table. */
export interface TableRange {
  readonly smallest: Uint8Array;
  readonly largest: Uint8Array;
}

/**
 * What is wrong with a table. Now and then it yields nothing, so that its caller can let others have the thread.
 * @param bytes of the file, as many as the MANIFEST says.
 */
export function checkTable(bytes: Buffer, range: TableRange): Iterable<FileDamage | undefined> {
  const fatal = (offset: number, what: string): FileDamage[] => [{ offset, what, isFatal: true }];
  const footerAt = bytes.length - footerBytes;
  if (footerAt < 0 || !bytes.subarray(-magic.length).equals(magic))
    return fatal(Math.max(0, footerAt), 'no footer');
  const footer = new VarintReader(bytes, footerAt, bytes.length - magic.length);
  const [metaAt, metaBytes, indexAt, indexBytes] = [
    footer.number(),
    footer.number(),
    footer.number(),
    footer.number(),
  ];
  if (!isChecked(bytes, indexAt, indexBytes)) return fatal(footerAt, 'the index is damaged');
  const index = readEntries(bytes, indexAt, indexBytes);
  if (index === undefined) {
    // What another program has had LevelDB compress cannot be looked into; its checksum is right.
    if (bytes[indexAt + indexBytes] === 1) return [];
    return fatal(footerAt, 'the index is damaged');
  }
  if (!areFiltersChecked(bytes, metaAt, metaBytes)) return fatal(footerAt, 'the filter is damaged');
  return checkBlocks(bytes, index, range);
}

/** The blocks that an index names. */
function* checkBlocks(
  bytes: Buffer,
  index: readonly TableEntry[],
  { smallest, largest }: TableRange,
): Generator<FileDamage | undefined> {
  let lastKey: Buffer | undefined;
  let pausedAt = 0;
  for (const { key, valueAt, valueBytes } of index) {
    const [at, size] = handleAt(bytes, valueAt, valueBytes);
    if (at - pausedAt > bytesAtOnce) {
      pausedAt = at;
      yield undefined;
    }
    const entries = readEntries(bytes, at, size);
    if (isCompressed(bytes, at, size)) {
      lastKey = undefined;
      continue;
    }
    const isRight =
      entries?.[0] !== undefined &&
      isBetween(entries, lastKey, key) &&
      compareKeys(entries[0].key, Buffer.from(smallest)) >= 0 &&
      compareKeys((entries.at(-1) as TableEntry).key, Buffer.from(largest)) <= 0;
    if (!isRight) yield { offset: at, what: 'a block has no right entries', isFatal: true };
    else if (!isChecked(bytes, at, size))
      yield { offset: at, what: 'a block has a wrong checksum', isFatal: hasVital(entries) };
    lastKey = isRight ? entries.at(-1)?.key : key;
  }
}

/** Offset and bytes of a block, as another has them. */
function handleAt(bytes: Buffer, at: number, length: number): [number, number] {
  const handle = new VarintReader(bytes, at, at + length);
  return [handle.number(), handle.number()];
}

/** Whether the block that names filters is right, and so are they: by a wrong one LevelDB does not find what is there. */
function areFiltersChecked(bytes: Buffer, at: number, size: number): boolean {
  if (!isChecked(bytes, at, size)) return false;
  return (readEntries(bytes, at, size) ?? []).every(({ valueAt, valueBytes }) =>
    isChecked(bytes, ...handleAt(bytes, valueAt, valueBytes)),
  );
}

/** Whether a value without a checksum of its reader's is in a block: such keys are the first of all. */
function hasVital([first]: readonly TableEntry[]): boolean {
  return first.key[0] === vitalKeyByte;
}

/** Whether keys rise, from `after` on, and not beyond that of the index. */
function isBetween(entries: readonly TableEntry[], after: Buffer | undefined, indexKey: Buffer): boolean {
  let last = after;
  for (const { key } of entries) {
    if (key.length < tagBytes || (last !== undefined && compareKeys(last, key) >= 0)) return false;
    last = key;
  }
  return last !== undefined && compareKeys(last, indexKey) <= 0;
}

/** LevelDB's order: by user's key, the newest first. */
export function compareKeys(one: Buffer, other: Buffer): number {
  const ends = [one.length - tagBytes, other.length - tagBytes];
  const order = one.compare(other, 0, ends[1], 0, ends[0]);
  if (order !== 0) return order;
  const [oneTag, otherTag] = [one.readBigUInt64LE(ends[0]), other.readBigUInt64LE(ends[1])];
  return oneTag === otherTag ? 0 : oneTag > otherTag ? -1 : 1;
}

/** Whether the block of `size` bytes at `at` has the checksum that is behind it. */
function isChecked(bytes: Buffer, at: number, size: number): boolean {
  const end = at + size + 1;
  return end + 4 <= bytes.length && bytes.readUInt32LE(end) === maskedCrc32c(bytes, at, end);
}

/** Whether it is a block that LevelDB has compressed, with a right checksum: ours are none (database.ts). */
function isCompressed(bytes: Buffer, at: number, size: number): boolean {
  return bytes[at + size] === 1 && isChecked(bytes, at, size);
}

/** The entries of a block; undefined when it has none, or they do not fit. */
function readEntries(bytes: Buffer, at: number, size: number): TableEntry[] | undefined {
  const end = at + size;
  // Nothing is compressed by LevelDB: see database.ts.
  if (!(end + trailerBytes <= bytes.length) || size < 8 || bytes[end] !== 0) return undefined;
  const restarts = bytes.readUInt32LE(end - 4);
  const entriesEnd = end - 4 - 4 * restarts;
  // Of a table that is mended nothing may be left.
  if (restarts === 1 && entriesEnd === at) return [];
  if (restarts === 0 || entriesEnd <= at) return undefined;
  const entries: TableEntry[] = [];
  let restart = 0;
  const reader = new VarintReader(bytes, at, entriesEnd);
  while (!reader.isAtEnd) {
    const isRestart = restart < restarts && bytes.readUInt32LE(entriesEnd + 4 * restart) === reader.at - at;
    const entry = readEntry(reader, isRestart ? undefined : entries.at(-1)?.key);
    if (entry === undefined) return undefined;
    if (isRestart) restart++;
    entries.push(entry);
  }
  return restart === restarts ? entries : undefined;
}

function readEntry(reader: VarintReader, before: Buffer | undefined): TableEntry | undefined {
  const [shared, others, valueBytes] = [reader.number(), reader.number(), reader.number()];
  if (!(shared <= (before?.length ?? 0))) return undefined;
  const rest = reader.take(others);
  const valueAt = reader.at;
  if (rest === undefined || reader.take(valueBytes) === undefined) return undefined;
  const key = before === undefined ? Buffer.from(rest) : Buffer.concat([before.subarray(0, shared), rest]);
  return key.length < tagBytes ? undefined : { key, valueAt, valueBytes };
}

/** The user's part of a key. */
export function userKeyOf(key: Uint8Array): Uint8Array {
  return key.subarray(0, key.length - tagBytes);
}

/** A block of a table that is whole. */
export interface WholeBlock {
  readonly at: number;
  readonly size: number;
  readonly entries: readonly TableEntry[];
}

/** Blocks of a table that are whole, found without its index: what is left of a damaged one. */
export function* wholeBlocks(bytes: Buffer): Generator<WholeBlock> {
  for (let at = 0; at < bytes.length - trailerBytes; ) {
    const size = sizeOfBlock(bytes, at);
    if (size === undefined || !isChecked(bytes, at, size)) {
      // A block begins with a key that shares nothing.
      const next = bytes.indexOf(0, at + 1);
      if (next === -1) return;
      at = next;
      continue;
    }
    yield { at, size, entries: readEntries(bytes, at, size) ?? [] };
    at += size + trailerBytes;
  }
}

/** Entries of a block of LevelDB's for one restart. */
const restartInterval = 16;

/** Bytes of the block of entries that seems to begin at `at`: its restarts begin with four zeros, which no entry does. */
function sizeOfBlock(bytes: Buffer, at: number): number | undefined {
  const reader = new VarintReader(bytes, at);
  let before: Buffer | undefined;
  for (let count = 0; reader.at + 8 <= bytes.length; count++) {
    if (count > 0 && bytes.readUInt32LE(reader.at) === 0) {
      const restarts = Math.ceil(count / restartInterval);
      const end = reader.at + 4 * restarts + 4;
      return end <= bytes.length && bytes.readUInt32LE(end - 4) === restarts ? end - at : undefined;
    }
    const entry = readEntry(reader, before);
    if (entry === undefined) return undefined;
    before = entry.key;
  }
  return undefined;
}

// LevelDB's tables (.ldb) as they lie on the disk. LevelDB as it is built for Node takes what they say for granted, and ends the process by
// an assertion where that makes no sense: it has to be looked at before. Pure; table-check.ts reads the files.
//
//   blocks of entries, one without entries, the index (last key of a block, its offset and size), footer of 48 bytes
//   a block: entries (bytes shared with the key before, others, bytes of the value: varints; key; value), restarts (offsets of
//   entries that share nothing, uint32), how many, compression (1 byte), masked CRC-32C of all that
//   a key: user's key, 8 bytes little-endian: sequence * 256 + type (1 is a value, 0 a deletion)

import { descriptionKey } from './block-format.ts';
import { maskedCrc32c } from './crc32c.ts';
import { VarintReader } from './varints.ts';

const footerBytes = 48;
const trailerBytes = 5;
const tagBytes = 8;
const magic = Buffer.from('57fb808b247547db', 'hex');

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
 * What is wrong with a table. @param bytes of the file, as many as the MANIFEST says.
 * @param withValues whether the checksums of blocks are compared, too: every byte is looked at then.
 */
export function checkTable(bytes: Buffer, range: TableRange, withValues: boolean): FileDamage[] {
  const fatal = (offset: number, what: string): FileDamage[] => [{ offset, what, isFatal: true }];
  const footerAt = bytes.length - footerBytes;
  if (footerAt < 0 || !bytes.subarray(-magic.length).equals(magic))
    return fatal(Math.max(0, footerAt), 'no footer');
  const footer = new VarintReader(bytes, footerAt, bytes.length - magic.length);
  const [, , indexAt, indexBytes] = [footer.number(), footer.number(), footer.number(), footer.number()];
  const index = isChecked(bytes, indexAt, indexBytes) ? readEntries(bytes, indexAt, indexBytes) : undefined;
  if (index === undefined) {
    // What another program has had LevelDB compress cannot be looked into; its checksum is right.
    if (isCompressed(bytes, indexAt, indexBytes)) return [];
    return fatal(footerAt, 'the index is damaged');
  }
  const damages: FileDamage[] = [];
  let lastKey: Buffer | undefined;
  for (const { key, valueAt, valueBytes } of index) {
    const handle = new VarintReader(bytes, valueAt, valueAt + valueBytes);
    const [at, size] = [handle.number(), handle.number()];
    const entries = readEntries(bytes, at, size);
    const isRight = entries !== undefined && isBetween(entries, lastKey, key);
    if (isCompressed(bytes, at, size)) {
      lastKey = undefined;
      continue;
    }
    if (!isRight) damages.push(...fatal(at, 'a block has no right entries'));
    else if ((withValues || at === 0) && !isChecked(bytes, at, size))
      damages.push({ offset: at, what: 'a block has a wrong checksum', isFatal: hasDescription(entries) });
    if (at === 0 && entries?.[0].key.equals(range.smallest) === false)
      damages.push(...fatal(at, 'it begins with another key than the MANIFEST says'));
    lastKey = isRight ? entries.at(-1)?.key : key;
  }
  if (damages.length === 0 && lastKey?.equals(range.largest) === false)
    return fatal(footerAt, 'it ends with another key than the MANIFEST says');
  return damages;
}

/** Whether the log's description is in a block: the first key of all, and the one value without a checksum of ours. */
function hasDescription([first]: readonly TableEntry[]): boolean {
  return first.key[0] === descriptionKey[0];
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
function compareKeys(one: Buffer, other: Buffer): number {
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

/** Blocks of a table that are whole, without its index: what is left of a damaged one. */
export function* wholeEntries(bytes: Buffer): Generator<TableEntry> {
  for (let at = 0; at < bytes.length - trailerBytes; ) {
    const size = sizeOfBlock(bytes, at);
    if (size === undefined || !isChecked(bytes, at, size)) {
      // A block begins with a key that shares nothing.
      const next = bytes.indexOf(0, at + 1);
      if (next === -1) return;
      at = next;
      continue;
    }
    yield* readEntries(bytes, at, size) ?? [];
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

// How a block lies in the database: a few values under keys that sort by time, so that a write only ever appends to
// the end of the key space and LevelDB moves tables down its levels without rewriting them. Pure; block-store.ts and
// journal.ts do the I/O.
//
//   b <lastTimeUs, 8 bytes big-endian> 0   head: numbers, checksums, upstream positions, columns, collections
//   b <lastTimeUs, 8 bytes big-endian> 1   JSON messages, in the block store as one zstd frame
//   b <lastTimeUs, 8 bytes big-endian> 2   zstd messages
//   b <lastTimeUs, 8 bytes big-endian> 3   segment-index.ts, of the segment that ends with this block
//   b <lastTimeUs, 8 bytes big-endian> 4   the segment's events without a collection, as one packed block
//   b <lastTimeUs, 8 bytes big-endian> 5   subject-columns.ts, of a block whose events point at something
//   b <lastTimeUs, 8 bytes big-endian> 6   subject-filter.ts, of the segment
//   c <toUs, 8 bytes big-endian>             coverage-format.ts, a row of the coverage ledger
//   a format                                this description's version and the log's DID hash key
//
// Version 2 added parts 5 and 6, version 3 rows of the coverage ledger, version 4 sync events and the bit of those that only the
// first wire shows; heads kept their version. Version 5 added heads of version 2, which have a column of verdicts behind the others; a
// block without verdicts has one of version 1, as before. Version 6 added the compressed values of the journal (journal-value.ts). A
// log of an earlier version is read, and becomes one of version 6.
//
// Head, little-endian: 88 fixed bytes, then the columns widest first so that each is aligned, then a UTF-8 JSON text
// with collections and positions, in the journal also the block's rows of the coverage ledger, then nothing. Its own CRC-32 covers all bytes after the CRC field.

import { crc32 } from 'node:zlib';
import type { ByteWriter } from '../byte-writer.ts';
import type { CoverageRow } from '../event/coverage.ts';
import { damaged } from '../level/database-errors.ts';
import { vitalKeyByte } from '../level/table-file.ts';
import type { Block, BlockIndex, SubjectColumns, UpstreamPositions } from './block.ts';
import { readSubjects, writeSubjects } from './subject-columns.ts';

/** Version of a log as a whole. A log of a later one is refused. */
export const formatVersion = 6;
/** Versions of heads: without verdicts, and with them. */
const headVersions = { plain: 1, withVerdicts: 2 } as const;
/** Key of the description value, which has no checksum of ours. */
export const descriptionKey = Buffer.of(vitalKeyByte, ...Buffer.from('format'));

/** The description value; of a later format anything. @throws CodedError `LOG_CORRUPT` when it makes no sense. */
export function parseDescription(value: Uint8Array): { format: number; didHashKey: string } {
  try {
    const description = JSON.parse(Buffer.from(value).toString());
    if (description.format > formatVersion || /^[0-9a-f]{16}$/.test(description.didHashKey))
      return description;
  } catch {
    // Said below.
  }
  throw damaged('the description of the log makes no sense');
}

export const parts = {
  head: 0,
  json: 1,
  zstd: 2,
  segment: 3,
  withoutCollection: 4,
  subjects: 5,
  subjectFilter: 6,
} as const;
/** The highest of them. */
export const lastPart = parts.subjectFilter;
export type Part = (typeof parts)[keyof typeof parts];
/** Those that a segment has, at the key of its last block; its index first. */
export const segmentParts: readonly Part[] = [parts.segment, parts.withoutCollection, parts.subjectFilter];

const keyPrefix = 0x62;
const keyBytes = 10;
const headBytes = 88;
/** timeUs 8, didHash 8, jsonEnd 4, zstdEnd 4, collection 2, kindAndOperation 1. */
const columnBytesPerEvent = 27;

/** Key of one part of the block whose last event is at `lastTimeUs`. Ends of ranges may use any integer >= 0. */
export function blockKey(lastTimeUs: number, part: Part): Buffer {
  const key = Buffer.allocUnsafe(keyBytes);
  key[0] = keyPrefix;
  key.writeBigUInt64BE(BigInt(lastTimeUs), 1);
  key[9] = part;
  return key;
}

/** After every block key. */
export const blockKeysEnd = Buffer.from([keyPrefix + 1]);

/** `lastTimeUs` and part of a block key; undefined for any other key. */
export function readBlockKey(key: Uint8Array): { lastTimeUs: number; part: number } | undefined {
  if (key.length !== keyBytes || key[0] !== keyPrefix) return undefined;
  const view = new DataView(key.buffer, key.byteOffset, keyBytes);
  return { lastTimeUs: Number(view.getBigUint64(1)), part: key[9] };
}

/** Everything stored before a block since the log was created, so that sizes of ranges are differences. */
export interface LogOffset {
  readonly events: number;
  /** Values' bytes: heads and payloads. */
  readonly bytes: number;
}

/** How a block is linked to what comes before it in the log. */
export interface BlockLink {
  /** `lastTimeUs` of the block before this one; 0 for the first. What follows a missing block is found out by it. */
  readonly previousUs: number;
  readonly before: LogOffset;
  /** End of the newest segment before this block; 0 when there is none. */
  readonly segmentUs: number;
}

/** What a head says, apart from the payloads. */
export interface BlockHead extends BlockLink {
  /** `before` of the next block. */
  readonly after: LogOffset;
  readonly index: BlockIndex;
  readonly positions: UpstreamPositions;
  readonly dictionaryId: number;
  /** Of the JSON part as stored. */
  readonly jsonBytes: number;
  readonly zstdBytes: number;
  /** Of the subjects as stored; 0 when there are none. */
  readonly subjectBytes: number;
  readonly jsonCrc: number;
  readonly zstdCrc: number;
  /** In the journal, if the block has any; the store has them under keys of their own. */
  readonly coverage: readonly CoverageRow[] | undefined;
}

/** The head value of a block whose JSON messages are stored as `storedJson`, and its subjects as `storedSubjects`. */
export function writeHead(
  block: Block,
  storedJson: Uint8Array,
  link: BlockLink,
  storedSubjects?: Uint8Array,
): Buffer {
  const { index } = block;
  const { count } = index;
  const text = Buffer.from(
    JSON.stringify({
      collections: index.collections,
      positions: Object.fromEntries(block.positions),
      stream: index.stream,
      coverage: block.coverage,
    }),
  );
  const { verdict } = index;
  const columnBytes = count * columnBytesPerEvent + (verdict?.length ?? 0);
  const bytes = Buffer.alloc(headBytes + columnBytes + text.length);
  bytes.writeUInt32LE(verdict === undefined ? headVersions.plain : headVersions.withVerdicts, 4);
  bytes.writeUInt32LE(count, 8);
  bytes.writeUInt32LE(text.length, 12);
  bytes.writeDoubleLE(index.firstTimeUs, 16);
  bytes.writeDoubleLE(index.lastTimeUs, 24);
  bytes.writeUInt32LE(storedJson.length, 32);
  bytes.writeUInt32LE(block.zstd.length, 36);
  bytes.writeUInt32LE(crc32(storedJson), 40);
  bytes.writeUInt32LE(crc32(block.zstd), 44);
  bytes.writeUInt32LE(block.dictionaryId, 48);
  bytes.writeUInt32LE(storedSubjects?.length ?? 0, 52);
  bytes.writeDoubleLE(link.before.bytes, 56);
  bytes.writeDoubleLE(link.before.events, 64);
  bytes.writeDoubleLE(link.segmentUs, 72);
  bytes.writeDoubleLE(link.previousUs, 80);
  let at = headBytes;
  for (const column of [
    index.timeUs,
    index.didHash,
    index.jsonEnd,
    index.zstdEnd,
    index.collection,
    index.kindAndOperation,
    ...(verdict === undefined ? [] : [verdict]),
  ]) {
    bytes.set(new Uint8Array(column.buffer, column.byteOffset, column.byteLength), at);
    at += column.byteLength;
  }
  bytes.set(text, at);
  bytes.writeUInt32LE(crc32(bytes.subarray(4)), 0);
  return bytes;
}

/**
 * Reads a head value. The columns are views of one copy of `bytes`.
 * @throws CodedError `LOG_CORRUPT` when checksum, version or lengths do not fit.
 */
export function readHead(bytes: Uint8Array): BlockHead {
  // A copy at offset 0 of its own memory: typed-array columns need their natural alignment.
  const memory = new Uint8Array(bytes.length);
  memory.set(bytes);
  const view = new DataView(memory.buffer);
  if (bytes.length < headBytes || crc32(memory.subarray(4)) !== view.getUint32(0, true)) {
    throw damaged(`a block head of ${bytes.length} bytes has a wrong checksum`);
  }
  const version = view.getUint32(4, true);
  const hasVerdicts = version === headVersions.withVerdicts;
  if (version !== headVersions.plain && !hasVerdicts)
    throw damaged(`a block head has format ${version}, and none that is known`);
  const count = view.getUint32(8, true);
  const textBytes = view.getUint32(12, true);
  const columnBytes = count * (columnBytesPerEvent + (hasVerdicts ? 1 : 0));
  if (bytes.length !== headBytes + columnBytes + textBytes) {
    throw damaged(`a block head of ${bytes.length} bytes does not fit ${count} events`);
  }
  let at = headBytes;
  const take = (bytesPerEvent: number): number => {
    const start = at;
    at += count * bytesPerEvent;
    return start;
  };
  const { buffer } = memory;
  const columns = {
    timeUs: new Float64Array(buffer, take(8), count),
    didHash: new Uint32Array(buffer, take(8), count * 2),
    jsonEnd: new Uint32Array(buffer, take(4), count),
    zstdEnd: new Uint32Array(buffer, take(4), count),
    collection: new Uint16Array(buffer, take(2), count),
    kindAndOperation: new Uint8Array(buffer, take(1), count),
    ...(hasVerdicts && { verdict: new Uint8Array(buffer, take(1), count) }),
  };
  const text = readHeadText(Buffer.from(buffer, at, textBytes).toString());
  const before = { bytes: view.getFloat64(56, true), events: view.getFloat64(64, true) };
  const jsonBytes = view.getUint32(32, true);
  const zstdBytes = view.getUint32(36, true);
  const subjectBytes = view.getUint32(52, true);
  const storedBytes = bytes.length + jsonBytes + zstdBytes + subjectBytes;
  return {
    before,
    segmentUs: view.getFloat64(72, true),
    previousUs: view.getFloat64(80, true),
    after: { bytes: before.bytes + storedBytes, events: before.events + count },
    index: {
      count,
      firstTimeUs: view.getFloat64(16, true),
      lastTimeUs: view.getFloat64(24, true),
      ...columns,
      collections: text.collections,
      stream: text.stream,
    },
    positions: new Map(Object.entries(text.positions)),
    dictionaryId: view.getUint32(48, true),
    jsonBytes,
    zstdBytes,
    subjectBytes,
    jsonCrc: view.getUint32(40, true),
    zstdCrc: view.getUint32(44, true),
    coverage: text.coverage,
  };
}

/** What a head has as text. */
interface HeadText extends Pick<BlockIndex, 'collections' | 'stream'>, Pick<BlockHead, 'coverage'> {
  readonly positions: Record<string, number>;
}

/** Nothing within is checked. @throws CodedError `LOG_CORRUPT` for anything of another form. */
function readHeadText(text: string): HeadText {
  try {
    const parsed = JSON.parse(text);
    if (Array.isArray(parsed.collections) && Object.getPrototypeOf(parsed.positions) === Object.prototype)
      return parsed;
  } catch {
    // Said below.
  }
  throw damaged(`the text of a block head makes no sense: ${text.slice(0, 100)}`);
}

/** @throws CodedError `LOG_CORRUPT` when `payload` is missing or is not what the head was written with. */
export function checkPayload(head: BlockHead, part: Part, payload: Uint8Array | undefined): Uint8Array {
  const [length, crc, name] =
    part === parts.json ? [head.jsonBytes, head.jsonCrc, 'JSON'] : [head.zstdBytes, head.zstdCrc, 'zstd'];
  if (payload === undefined || payload.length !== length || crc32(payload) !== crc) {
    throw damaged(`the ${name} part of block ${head.index.lastTimeUs} is missing or has a wrong checksum`);
  }
  return payload;
}

/**
 * The subjects of a block, from the value stored for them.
 * @throws CodedError `LOG_CORRUPT` when it is missing or is not what the head was written with.
 */
export function readSubjectsOf(head: BlockHead, value: Uint8Array | undefined): SubjectColumns | undefined {
  if (head.subjectBytes === 0) return undefined;
  if (value?.length !== head.subjectBytes)
    throw damaged(`the subjects of block ${head.index.lastTimeUs} are missing or have a wrong length`);
  return readSubjects(value, head.index.count);
}

/** A whole block as one value: head length, head, JSON part, zstd part, subjects. */
export function packBlock(block: Block, storedJson: Uint8Array, link: BlockLink): Buffer {
  return Buffer.concat(packedParts(block, storedJson, link));
}

/** The same, into a buffer that is used again: nothing of a block's size is left for collections. */
export function packBlockInto(out: ByteWriter, block: Block, storedJson: Uint8Array, link: BlockLink): void {
  for (const part of packedParts(block, storedJson, link)) out.bytes(part);
}

function packedParts(block: Block, storedJson: Uint8Array, link: BlockLink): Uint8Array[] {
  const subjects = storedSubjectsOf(block);
  const head = writeHead(block, storedJson, link, subjects);
  const headLength = Buffer.allocUnsafe(4);
  headLength.writeUInt32LE(head.length);
  const packed = [headLength, head, storedJson, block.zstd];
  return subjects === undefined ? packed : [...packed, subjects];
}

/** What is stored of a block's subjects. */
export function storedSubjectsOf({ index }: Block): Buffer | undefined {
  return index.subjects === undefined ? undefined : writeSubjects(index.subjects);
}

/**
 * The parts of a packed block, as views of `value`, with subjects in the head's index.
 * @throws CodedError `LOG_CORRUPT`.
 */
export function unpackBlock(value: Uint8Array): { head: BlockHead; json: Uint8Array; zstd: Uint8Array } {
  if (value.length < 4) throw damaged(`a packed block of ${value.length} bytes is cut off`);
  const headEnd = 4 + new DataView(value.buffer, value.byteOffset).getUint32(0, true);
  const head = readHead(value.subarray(4, headEnd));
  const jsonEnd = headEnd + head.jsonBytes;
  const zstdEnd = jsonEnd + head.zstdBytes;
  if (value.length > zstdEnd + head.subjectBytes)
    throw damaged(`a packed block of ${value.length} bytes is too long`);
  const subjects = readSubjectsOf(head, value.subarray(zstdEnd));
  return {
    head: { ...head, index: { ...head.index, subjects } },
    json: checkPayload(head, parts.json, value.subarray(headEnd, jsonEnd)),
    zstd: checkPayload(head, parts.zstd, value.subarray(jsonEnd, zstdEnd)),
  };
}

// Subject columns as values: stored, read, joined, and asked for one event. Pure.
//
// Stored, little-endian: CRC-32 of all that follows, count of events, count of subjects, 4 bytes of zero, two doubles
// (`createdFromUs`, `createdThroughUs`), `path`, `subjectHashes`, and for each event the number of its subjects as a byte.

import { crc32 } from 'node:zlib';
import { subjectInts } from '../event/subject.ts';
import { damaged } from '../level/database-errors.ts';
import { type SubjectColumns, startOf } from './block.ts';

const fixedBytes = 32;
const subjectBytes = 4 * subjectInts;

/** The stored form; {@link readSubjects} is its inverse. */
export function writeSubjects({
  createdFromUs,
  createdThroughUs,
  path,
  ends,
  subjectHashes,
}: SubjectColumns): Buffer {
  const count = path.length;
  const bytes = Buffer.alloc(fixedBytes + count * 4 + subjectHashes.byteLength + count);
  bytes.writeUInt32LE(count, 4);
  bytes.writeUInt32LE(subjectHashes.length / subjectInts, 8);
  bytes.writeDoubleLE(createdFromUs, 16);
  bytes.writeDoubleLE(createdThroughUs, 24);
  bytes.set(new Uint8Array(path.buffer, path.byteOffset, path.byteLength), fixedBytes);
  const subjectsAt = fixedBytes + count * 4;
  bytes.set(
    new Uint8Array(subjectHashes.buffer, subjectHashes.byteOffset, subjectHashes.byteLength),
    subjectsAt,
  );
  const countsAt = subjectsAt + subjectHashes.byteLength;
  for (let event = 0; event < count; event++) bytes[countsAt + event] = ends[event] - startOf(ends, event);
  bytes.writeUInt32LE(crc32(bytes.subarray(4)), 0);
  return bytes;
}

/** Columns of `count` events, in memory of their own. @throws CodedError `LOG_CORRUPT`. */
export function readSubjects(bytes: Uint8Array, count: number): SubjectColumns {
  const memory = new Uint8Array(bytes.length);
  memory.set(bytes);
  const view = new DataView(memory.buffer);
  if (bytes.length < fixedBytes || crc32(memory.subarray(4)) !== view.getUint32(0, true)) {
    throw damaged(`subjects of ${bytes.length} bytes have a wrong checksum`);
  }
  const total = view.getUint32(8, true);
  const countsAt = fixedBytes + count * 4 + total * subjectBytes;
  if (view.getUint32(4, true) !== count || bytes.length !== countsAt + count) {
    throw damaged(`subjects of ${bytes.length} bytes do not fit ${count} events`);
  }
  const ends = new Uint32Array(count);
  let end = 0;
  for (let event = 0; event < count; event++) {
    end += memory[countsAt + event];
    ends[event] = end;
  }
  if (end !== total) throw damaged(`subjects of ${count} events count ${end} subjects of ${total}`);
  return {
    createdFromUs: view.getFloat64(16, true),
    createdThroughUs: view.getFloat64(24, true),
    path: new Uint32Array(memory.buffer, fixedBytes, count),
    ends,
    subjectHashes: new Uint32Array(memory.buffer, fixedBytes + count * 4, total * subjectInts),
  };
}

/** The columns of blocks with `counts` events as those of one block; undefined when no block has any. */
export function joinSubjects(
  parts: readonly (SubjectColumns | undefined)[],
  counts: readonly number[],
): SubjectColumns | undefined {
  const present = parts.filter((part) => part !== undefined);
  if (present.length === 0) return undefined;
  const count = counts.reduce((sum, one) => sum + one, 0);
  const path = new Uint32Array(count);
  const ends = new Uint32Array(count);
  const ints = present.reduce((sum, { subjectHashes }) => sum + subjectHashes.length, 0);
  const subjectHashes = new Uint32Array(ints);
  let at = 0;
  let end = 0;
  for (const [block, part] of parts.entries()) {
    const next = at + counts[block];
    if (part === undefined) ends.fill(end, at, next);
    else {
      path.set(part.path, at);
      for (let event = 0; at + event < next; event++) ends[at + event] = part.ends[event] + end;
      subjectHashes.set(part.subjectHashes, end * subjectInts);
      end += part.subjectHashes.length / subjectInts;
    }
    at = next;
  }
  return {
    createdFromUs: Math.min(...present.map(({ createdFromUs }) => createdFromUs)),
    createdThroughUs: Math.max(...present.map(({ createdThroughUs }) => createdThroughUs)),
    path,
    ends,
    subjectHashes,
  };
}

/** The subjects of one event, as a view. */
export function subjectHashesOf({ ends, subjectHashes }: SubjectColumns, event: number): Uint32Array {
  return subjectHashes.subarray(startOf(ends, event) * subjectInts, ends[event] * subjectInts);
}

/** The same columns with subjects for some of the events that have none. */
export function withSubjectHashes(
  columns: SubjectColumns,
  added: ReadonlyMap<number, Uint32Array>,
): SubjectColumns {
  const ends = columns.ends.slice();
  const ints = [...added.values()].reduce((sum, list) => sum + list.length, columns.subjectHashes.length);
  const subjectHashes = new Uint32Array(ints);
  let copied = 0;
  let moved = 0;
  for (let event = 0; event < ends.length; event++) {
    const list = added.get(event);
    if (list !== undefined) {
      const start = startOf(columns.ends, event) * subjectInts;
      subjectHashes.set(columns.subjectHashes.subarray(copied, start), copied + moved);
      subjectHashes.set(list, start + moved);
      copied = start;
      moved += list.length;
    }
    ends[event] += moved / subjectInts;
  }
  subjectHashes.set(columns.subjectHashes.subarray(copied), copied + moved);
  return { ...columns, ends, subjectHashes };
}

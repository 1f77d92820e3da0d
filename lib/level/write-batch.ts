// The batches in LevelDB's write-ahead log, a record each: what one call of `put`, `del` or `batch` changed. Pure.
//
//   sequence of the first change (8 bytes little-endian), how many (4), and each: 1 and key and value, or 0 and key; both with
//   their length in front

import type { ByteWriter } from '../byte-writer.ts';
import { VarintReader, writeVarint } from './varints.ts';

const headerBytes = 12;
const types = { deletion: 0, value: 1 } as const;

/** A change, as the database takes it. */
export type Change =
  | { readonly type: 'put'; readonly key: Uint8Array; readonly value: Uint8Array }
  | { readonly type: 'del'; readonly key: Uint8Array };

/** See the file comment. */
export interface WriteBatch {
  readonly sequence: bigint;
  readonly changes: readonly Change[];
}

/** Undefined when it makes no sense. */
export function readBatch(record: Uint8Array): WriteBatch | undefined {
  if (record.length < headerBytes) return undefined;
  const view = new DataView(record.buffer, record.byteOffset, headerBytes);
  const changes: Change[] = [];
  const reader = new VarintReader(record, headerBytes);
  while (!reader.isAtEnd) {
    const type = reader.number();
    const key = reader.string();
    if (key === undefined) return undefined;
    if (type === types.deletion) changes.push({ type: 'del', key });
    else {
      const value = type === types.value ? reader.string() : undefined;
      if (value === undefined) return undefined;
      changes.push({ type: 'put', key, value });
    }
  }
  return changes.length === view.getUint32(8, true)
    ? { sequence: view.getBigUint64(0, true), changes }
    : undefined;
}

/** Appends a batch of one change that puts `value`. */
export function writePut(out: ByteWriter, sequence: number, key: Uint8Array, value: Uint8Array): void {
  out.reserve(headerBytes);
  out.buffer.writeBigUInt64LE(BigInt(sequence), out.length);
  out.buffer.writeUInt32LE(1, out.length + 8);
  out.length += headerBytes;
  out.byte(types.value);
  for (const bytes of [key, value]) {
    writeVarint(out, bytes.length);
    out.bytes(bytes);
  }
}

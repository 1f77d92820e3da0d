// How rows of the coverage ledger lie in the block store, apart from blocks, so that they are listed without reading heads:
// written in the same batch as the block that they came with, deleted with its events. Until a block is in the store, its rows
// are in the head that the journal has (block-format.ts).
//
//   c <toUs, 8 bytes big-endian>   CRC-32 of the rest, little-endian; the row as UTF-8 JSON

import { crc32 } from 'node:zlib';
import { type CoverageRow, isCoverageRow } from '../event/coverage.ts';
import type { Database } from '../level/database.ts';
import { damaged } from '../level/database-errors.ts';
import { damagedRowsMax } from './coverage-ledger.ts';

const keyPrefix = 0x63;
const keyBytes = 9;
/** Rows behind those in memory that are looked through for damages: a second at an opening. */
const olderRowsMax = 262_144;

/** Of a row `log_damaged` that stands for rows which are lost themselves. */
export const lostRowsDetail = 'coverage rows';

/** Key of the row whose place is `toUs`. Ends of ranges may use any integer >= 0. */
export function coverageKey(toUs: number): Buffer {
  const key = Buffer.allocUnsafe(keyBytes);
  key[0] = keyPrefix;
  key.writeBigUInt64BE(BigInt(toUs), 1);
  return key;
}

/** After every row. */
export const coverageKeysEnd = Buffer.from([keyPrefix + 1]);

/** The place in the key of a row; undefined for any other key. */
export function readCoverageKey(key: Uint8Array): number | undefined {
  if (key.length !== keyBytes || key[0] !== keyPrefix) return undefined;
  return Number(new DataView(key.buffer, key.byteOffset, keyBytes).getBigUint64(1));
}

/** The stored form; {@link readCoverage} is its inverse. */
export function writeCoverage({ replacesUs: _, ...row }: CoverageRow): Buffer {
  const text = Buffer.from(JSON.stringify(row));
  const bytes = Buffer.allocUnsafe(4 + text.length);
  bytes.set(text, 4);
  bytes.writeUInt32LE(crc32(text), 0);
  return bytes;
}

/** @throws CodedError `LOG_CORRUPT`. */
export function readCoverage(toUs: number, value: Uint8Array): CoverageRow {
  const text = value.subarray(4);
  const isWhole =
    value.length > 4 && crc32(text) === new DataView(value.buffer, value.byteOffset, 4).getUint32(0, true);
  const row: unknown = isWhole ? JSON.parse(Buffer.from(text).toString()) : undefined;
  if (!isCoverageRow(row) || row.toUs !== toUs)
    throw damaged(`the row ${toUs} of the coverage ledger has a wrong checksum or form`);
  return row;
}

type Write =
  | { readonly type: 'put'; readonly key: Buffer; readonly value: Uint8Array }
  | { readonly type: 'del'; readonly key: Buffer };

/** What the batch of a block has for its rows. */
export function coverageWrites(rows: readonly CoverageRow[] = []): Write[] {
  return rows.flatMap((row) => {
    const put = { type: 'put' as const, key: coverageKey(row.toUs), value: writeCoverage(row) };
    const { replacesUs } = row;
    return replacesUs === undefined ? [put] : [{ type: 'del' as const, key: coverageKey(replacesUs) }, put];
  });
}

/** Rows of the reason `log_damaged` up to the one that `throughKey` is of, oldest first, as many as a ledger keeps. */
async function olderDamages(db: Database, fromUs: number, throughKey: Uint8Array): Promise<CoverageRow[]> {
  const rows: CoverageRow[] = [];
  const range = { gt: coverageKey(fromUs), lte: throughKey, reverse: true, limit: olderRowsMax };
  for await (const [key, value] of db.iterator(range)) {
    // Most are not, and need not be parsed.
    if (!Buffer.from(value.buffer, value.byteOffset, value.length).includes('log_damaged')) continue;
    try {
      const row = readCoverage(readCoverageKey(key) ?? 0, value);
      if (row.reason === 'log_damaged' && rows.push(row) === damagedRowsMax) break;
    } catch {
      // The ledger is not complete there anyway.
    }
  }
  return rows.reverse();
}

/**
 * The newest `rowsMax` rows after `fromUs`, oldest first and behind the older ones of damages, and the place of the newest that is left out, 0 when none is. A damaged
 * one is left out, and the ledger is not complete up to there: that is no reason to give up the events.
 */
export async function loadCoverage(
  db: Database,
  fromUs: number,
  rowsMax: number,
): Promise<{ rows: CoverageRow[]; droppedUs: number }> {
  const range = { gt: coverageKey(fromUs), lt: coverageKeysEnd, reverse: true, limit: rowsMax + 1 };
  const entries = await db.iterator(range).all();
  const rows = entries.length > rowsMax ? await olderDamages(db, fromUs, entries[rowsMax][0]) : [];
  let droppedUs = entries.length > rowsMax ? (readCoverageKey(entries[rowsMax][0]) ?? 0) : 0;
  for (const [key, value] of entries.slice(0, rowsMax).reverse()) {
    const toUs = readCoverageKey(key) ?? 0;
    try {
      const row = readCoverage(toUs, value);
      rows.push(row);
      if (row.detail === lostRowsDetail && row.reason === 'log_damaged') droppedUs = toUs;
    } catch {
      droppedUs = toUs;
    }
  }
  return { rows, droppedUs };
}

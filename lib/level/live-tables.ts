// The tables of a LevelDB database that is open, as its MANIFEST has them: read once, then followed as LevelDB writes it, so that a
// table is known before anything can be read from it. Says which of them a read would touch. Checks none: table-guard.ts.

import { closeSync, fstatSync, openSync, readFileSync, readSync } from 'node:fs';
import { join } from 'node:path';
import { firstPast } from '../binary-search.ts';
import { readFailure } from './database-errors.ts';
import { pageBytes, readRecords } from './record-file.ts';
import { applyEdit, isMissing, type LiveTable, manifestName } from './table-check.ts';
import { userKeyOf } from './table-file.ts';

/** A table, with the keys as users of LevelDB know them. */
export interface KeyedTable extends LiveTable {
  readonly fromKey: Uint8Array;
  readonly toKey: Uint8Array;
}

/** See the file comment. Made once the database is open: each opening begins a MANIFEST of its own. */
export class LiveTables {
  readonly #location: string;
  readonly #tables = new Map<number, LiveTable>();
  /** Of each level, by keys; those of level 0 overlap. */
  #levels: KeyedTable[][] = [];
  #file: number | undefined;
  /** Bytes of the MANIFEST that have been read, and those that were there. */
  #readTo = 0;
  #bytes = 0;

  constructor(location: string) {
    this.#location = location;
  }

  get all(): KeyedTable[] {
    return this.#levels.flat();
  }

  /**
   * Reads what LevelDB has added. Synchronous: it is a look at a file's length but for every compaction of LevelDB's.
   * @throws CodedError `LOG_READ_FAILED`, `LOG_FILES_EXHAUSTED`.
   */
  refresh(): void {
    try {
      this.#refresh();
    } catch (error) {
      throw readFailure(`cannot read what ${this.#location} has of tables`, error);
    }
  }

  /** Adds those that a look for one key reads. */
  addOf(key: Uint8Array, touched: Set<KeyedTable>): void {
    for (let level = 0; level < this.#levels.length; level++) {
      const tables = this.#levels[level];
      if (level === 0) {
        for (const table of tables) if (isIn(key, table)) touched.add(table);
        continue;
      }
      const table = tables[firstEndingAt(tables, key)];
      if (table !== undefined && isIn(key, table)) touched.add(table);
    }
  }

  /**
   * Those that an iterator over a range may read: it sets out in every table of level 0, and in each other level it looks at the next
   * one behind the range. Two on each side, for those that are mended may be empty.
   */
  *ofRange(fromKey: Uint8Array, toKey: Uint8Array): Generator<KeyedTable> {
    for (const [level, tables] of this.#levels.entries()) {
      if (level === 0) yield* tables;
      else {
        const first = firstEndingAt(tables, fromKey);
        let end = first;
        while (end < tables.length && Buffer.compare(tables[end].fromKey, toKey) <= 0) end++;
        yield* tables.slice(Math.max(0, first - 2), end + 2);
      }
    }
  }

  close(): void {
    if (this.#file !== undefined) closeSync(this.#file);
    this.#file = undefined;
  }

  #refresh(): void {
    this.#file ??= openManifest(this.#location);
    const file = this.#file;
    if (file === undefined) return;
    const { size } = fstatSync(file);
    if (size === this.#bytes) return;
    const base = this.#readTo - (this.#readTo % pageBytes);
    const bytes = Buffer.alloc(size - base);
    const length = readSync(file, bytes, 0, bytes.length, base);
    this.#bytes = size;
    const { records, end } = readRecords(bytes.subarray(0, length), this.#readTo - base);
    this.#readTo = base + end;
    for (const record of records) applyEdit(record, this.#tables);
    if (records.length > 0) this.#sort();
  }

  #sort(): void {
    this.#levels = [];
    for (const table of this.#tables.values()) {
      while (this.#levels.length <= table.level) this.#levels.push([]);
      const keys = { fromKey: userKeyOf(table.smallest), toKey: userKeyOf(table.largest) };
      this.#levels[table.level].push({ ...table, ...keys });
    }
    for (const level of this.#levels) level.sort((one, other) => Buffer.compare(one.fromKey, other.fromKey));
  }
}

function openManifest(location: string): number | undefined {
  try {
    const name = manifestName(readFileSync(join(location, 'CURRENT'), 'latin1'));
    return name === undefined ? undefined : openSync(join(location, name), 'r');
  } catch (error) {
    // A new database: it is looked at again by the next read. Any other error must not pass for one without tables.
    if (isMissing(error)) return undefined;
    throw error;
  }
}

function isIn(key: Uint8Array, { fromKey, toKey }: KeyedTable): boolean {
  return Buffer.compare(fromKey, key) <= 0 && Buffer.compare(key, toKey) <= 0;
}

/** Index of the first table of a level that ends at `key` or behind it. */
function firstEndingAt(tables: readonly KeyedTable[], key: Uint8Array): number {
  return firstPast({ tables, key }, 0, tables.length, endsAt, 0);
}

function endsAt(
  { tables, key }: { readonly tables: readonly KeyedTable[]; readonly key: Uint8Array },
  index: number,
): boolean {
  return Buffer.compare(tables[index].toKey, key) >= 0;
}

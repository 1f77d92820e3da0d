// Stands between a LevelDB database and who reads it: a table is read only when it has been checked in full since its file last changed,
// and not too long ago. LevelDB as it is built for Node compares no checksums, and ends the process by what makes no sense.
// Each thread that has the database open has one. What is to be done about a damage is for the log's writer (table-watch.ts).

import { statSync } from 'node:fs';
import { join } from 'node:path';
import type { CodedError } from '../errors.ts';
import { damaged, readFailure } from './database-errors.ts';
import { type KeyedTable, LiveTables } from './live-tables.ts';
import type { Redo } from './redo.ts';
import { type DatabaseDamage, type LiveTable, readManifest, tableDamages, tableName } from './table-check.ts';

/** How long a check is believed of a file that has not changed: bits rot without a trace. */
export const checkedMsMax = 3_600_000;
/** And of one that is damaged: a disk that could not read it once may do so again. */
export const damagedMsMax = 1000;
/** How long a look at files is believed: what was damaged in such a moment is met as if it had been a moment later. */
export const lookedMsMax = 2;
/** Memory for a table's bytes that is kept between checks; larger ones come rarely. */
const keptBytesMax = 4 * 2 ** 20;

/** Tables that are remembered without a look at which of them are left; later twice as many as were left, and these. */
const prunedTablesMin = 1000;

const noMemory = Buffer.alloc(0);

/** That a table was right: its number, size, times and inode then, and when that was by the wall clock. */
export type TableStamp = readonly [
  number: number,
  bytes: number,
  mtimeMs: number,
  ctimeMs: number,
  inode: number,
  checkedMs: number,
];

/** Called once for each damage. */
export type DamageReport = (damage: DatabaseDamage, table: KeyedTable) => void;

/** See the file comment. */
export class TableGuard {
  readonly location: string;
  /** Of tables that are not right the worst, by their number. */
  readonly damages = new Map<number, DatabaseDamage>();
  /** What has to be written again when the database is opened. */
  redo: Redo | undefined;
  readonly #report: DamageReport;
  readonly #known = new Map<number, TableStamp>();
  /** When each was looked at, by `performance.now()`. */
  readonly #lookedMs = new Map<number, number>();
  #prunedAt = prunedTablesMin;
  #refreshedMs = Number.NEGATIVE_INFINITY;
  /** Why the last check of a table came to nothing: nothing is known of it, and it is not read. */
  readonly #failures = new Map<number, CodedError>();
  readonly #mended = new Set<number>();
  readonly #checks = new Map<number, Promise<void>>();
  #tables: LiveTables;
  #turn: Promise<void> = Promise.resolve();
  #memory = noMemory;

  /** @param stamps of tables that are known to be right. */
  constructor(location: string, stamps: readonly TableStamp[], report: DamageReport = () => {}) {
    this.location = location;
    this.#report = report;
    this.#tables = new LiveTables(location);
    for (const stamp of stamps) this.#known.set(stamp[0], stamp);
  }

  /** Of the tables that are right, as far as they are known and still there; none when that cannot be looked at. */
  get stamps(): TableStamp[] {
    let tables: readonly KeyedTable[];
    try {
      tables = this.tables();
    } catch {
      return [];
    }
    return tables.flatMap(({ number }) => {
      const known = this.#known.get(number);
      return known === undefined || this.damages.has(number) ? [] : [known];
    });
  }

  /** As the MANIFEST has them now. */
  tables(): KeyedTable[] {
    this.#tables.refresh();
    return this.#tables.all;
  }

  /** The database is closed: the next one has a MANIFEST of its own. */
  closed(): void {
    this.#tables.close();
    this.#lookedMs.clear();
    this.#refreshedMs = Number.NEGATIVE_INFINITY;
    this.#tables = new LiveTables(this.location);
  }

  /**
   * Before values are read: a promise only when something has to be checked.
   * @throws CodedError `LOG_CORRUPT`; `LOG_READ_FAILED`, `LOG_FILES_EXHAUSTED` when that cannot be done now.
   */
  admitKeys(keys: readonly Uint8Array[]): Promise<void> | undefined {
    this.#refresh();
    const touched = new Set<KeyedTable>();
    for (const key of keys) this.#tables.addOf(key, touched);
    return this.#admit(touched);
  }

  /** Before an iterator goes over a range, or LevelDB compacts it. @throws CodedError as {@link admitKeys}. */
  admitRange(fromKey: Uint8Array, toKey: Uint8Array): Promise<void> | undefined {
    this.#refresh();
    return this.#admit(new Set(this.#tables.ofRange(fromKey, toKey)));
  }

  /** Whether a table has been checked as it is, at most `ageMsMax` ago. */
  isKnown({ number }: LiveTable, ageMsMax = checkedMsMax): boolean {
    const known = this.#known.get(number);
    if (known === undefined) return false;
    const nowMs = performance.now();
    if (nowMs - (this.#lookedMs.get(number) ?? Number.NEGATIVE_INFINITY) > lookedMsMax) {
      if (!this.#isUnchanged(known)) {
        this.#known.delete(number);
        return false;
      }
      this.#lookedMs.set(number, nowMs);
    }
    // A clock that was set makes no check younger.
    const believedMs = this.damages.has(number) ? damagedMsMax : ageMsMax;
    return Math.abs(Date.now() - known[5]) <= believedMs;
  }

  /** Checks a table, whatever is known of it. Never rejects: what cannot be checked is not known, and is refused. */
  check(table: KeyedTable): Promise<void> {
    let check = this.#checks.get(table.number);
    if (check === undefined) {
      check = this.#turn
        .then(() => this.#check(table))
        .finally(() => {
          this.#checks.delete(table.number);
          if (this.#checks.size === 0 && this.#memory.length > keptBytesMax) this.#memory = noMemory;
        });
      this.#checks.set(table.number, check);
      this.#turn = check;
    }
    return check;
  }

  /**
   * Checks all tables that changed since they were.
   * @throws CodedError `LOG_CORRUPT` of the MANIFEST: nothing goes on without it. Else what {@link admitKeys} throws of a table that
   * cannot be checked.
   * @param checked waited for after each of them.
   */
  async checkUnknown(checked?: () => Promise<void>): Promise<void> {
    const manifest = await readManifest(this.location);
    if (manifest !== undefined && manifest.damages.length > 0) throw damageError(manifest.damages[0]);
    for (const table of this.#unknown()) {
      await this.#checkOrThrow(table);
      await checked?.();
    }
  }

  /** Of the tables that {@link checkUnknown} would check. */
  get unknownBytes(): number {
    return this.#unknown().reduce((sum, { bytes }) => sum + bytes, 0);
  }

  /** Checks those that are damaged once more, before anything is done about it. @throws CodedError as {@link checkUnknown}. */
  async checkDamaged(): Promise<void> {
    if (this.damages.size === 0) return;
    for (const table of this.tables()) if (this.damages.has(table.number)) await this.#checkOrThrow(table);
  }

  /** Another thread has found it damaged. */
  distrust(number: number): void {
    this.#known.delete(number);
  }

  /** Whether it has been mended since start. */
  isMended({ number }: LiveTable): boolean {
    return this.#mended.has(number);
  }

  /** Forgets tables that LevelDB has deleted. */
  prune(): void {
    const live = new Set(this.tables().map(({ number }) => number));
    for (const map of [this.#known, this.#lookedMs, this.#failures, this.damages])
      for (const number of map.keys()) if (!live.has(number)) map.delete(number);
  }

  /** It has another file now. */
  mended(number: number): void {
    this.#mended.add(number);
    this.damages.delete(number);
    this.#known.delete(number);
  }

  #refresh(): void {
    const nowMs = performance.now();
    if (nowMs - this.#refreshedMs <= lookedMsMax) return;
    this.#tables.refresh();
    this.#refreshedMs = nowMs;
  }

  #admit(tables: ReadonlySet<KeyedTable>): Promise<void> | undefined {
    const unknown: KeyedTable[] = [];
    for (const table of tables) if (!this.isKnown(table)) unknown.push(table);
    if (unknown.length === 0) {
      this.#refuse(tables);
      return undefined;
    }
    return Promise.all(unknown.map((table) => this.check(table))).then(() => this.#refuse(tables));
  }

  #refuse(tables: Iterable<KeyedTable>): void {
    if (this.damages.size === 0 && this.#failures.size === 0) return;
    for (const { number } of tables) {
      const failure = this.#failures.get(number);
      if (failure !== undefined) throw failure;
      const damage = this.damages.get(number);
      if (damage !== undefined) throw damageError(damage);
    }
  }

  #unknown(): KeyedTable[] {
    return this.tables().filter((table) => !this.isKnown(table, Number.POSITIVE_INFINITY));
  }

  async #checkOrThrow(table: KeyedTable): Promise<void> {
    await this.check(table);
    const failure = this.#failures.get(table.number);
    if (failure !== undefined) throw failure;
  }

  async #check(table: KeyedTable): Promise<void> {
    const { number } = table;
    this.#failures.delete(number);
    try {
      await this.#checkFile(table);
    } catch (error) {
      this.#known.delete(number);
      this.#failures.set(
        number,
        readFailure(`cannot check ${join(this.location, tableName(number))}`, error),
      );
    }
  }

  async #checkFile(table: KeyedTable): Promise<void> {
    const { number, bytes } = table;
    const file = this.#stampOf(number);
    // LevelDB says so of a table that is missing, and most are: it has replaced them.
    if (file === undefined) return;
    if (this.#memory.length < bytes) this.#memory = Buffer.allocUnsafeSlow(bytes);
    let found: DatabaseDamage | undefined;
    for await (const damage of tableDamages(this.location, table, this.#memory)) {
      if (found === undefined || (damage.isFatal && !found.isFatal)) found = damage;
    }
    this.#known.set(number, file);
    if (this.#known.size >= this.#prunedAt) {
      this.prune();
      this.#prunedAt = 2 * this.#known.size + prunedTablesMin;
    }
    const isNew = !this.damages.has(number);
    if (found === undefined) this.damages.delete(number);
    else this.damages.set(number, found);
    // Told once, not again by every check.
    if (found !== undefined && isNew) this.#report(found, table);
  }

  #isUnchanged(stamp: TableStamp): boolean {
    try {
      const now = this.#stampOf(stamp[0]);
      return now === undefined || this.#isSame(stamp, now);
    } catch {
      // The check that follows says why.
      return false;
    }
  }

  #isSame(one: TableStamp, other: TableStamp): boolean {
    return one[1] === other[1] && one[2] === other[2] && one[3] === other[3] && one[4] === other[4];
  }

  #stampOf(number: number): TableStamp | undefined {
    const file = statSync(join(this.location, tableName(number)), { throwIfNoEntry: false });
    return file && [number, file.size, file.mtimeMs, file.ctimeMs, file.ino, Date.now()];
  }
}

/** `LOG_CORRUPT`, with file and offset. */
export function damageError({ path, offset, what }: DatabaseDamage): Error {
  return damaged(`${path}, at offset ${offset}: ${what}`);
}

// A LevelDB database that holds nothing which cannot be had again: one that is damaged is begun anew, when it is opened and while it is
// open, in a folder that may hold other files. LevelDB would end the process by a damaged table, so none is read before it was
// checked (table-guard.ts), and all are looked at in turn, for LevelDB's own compactions. What is in it is its owner's.

import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { CodedError } from '../errors.ts';
import { type Database, openDatabase } from './database.ts';
import { databaseDamages } from './table-check.ts';
import { checkedMsMax, TableGuard } from './table-guard.ts';
import type { Change } from './write-batch.ts';

const databaseFiles = /^(CURRENT|LOCK|LOG(\.old)?|MANIFEST-\d+|\d+\.(log|ldb|sst|dbtmp)|redo)$/;
/** As of table-watch.ts: so many tables are looked at every so often, and one is checked, of so many bytes a second. */
const roundMs = 1000;
const looksPerRound = 100;
const bytesPerSecond = 2 * 2 ** 20;
const renewedMs = checkedMsMax / 2;

/** See the file comment. */
export class CacheDatabase {
  /** How often it was begun anew since it was opened. */
  renewals = 0;
  readonly #location: string;
  readonly #writeBufferBytes: number;
  #db: Database;
  #guard: TableGuard;
  readonly #timer: NodeJS.Timeout;
  #round: Promise<void> | undefined;
  #renewal: Promise<void> | undefined;
  /** False while it is begun anew, and after that has failed: who needs it then tries again. Asked in the turn in which it is used. */
  #isOpen = true;
  #nextTable = 0;
  #restsUntilMs = 0;
  #isClosed = false;

  private constructor(location: string, writeBufferBytes: number, db: Database) {
    this.#location = location;
    this.#writeBufferBytes = writeBufferBytes;
    this.#db = db;
    this.#guard = new TableGuard(location, []);
    this.#timer = setInterval(() => {
      this.#round ??= this.#goRound()
        // Who reads is told why.
        .catch(() => undefined)
        .finally(() => (this.#round = undefined));
    }, roundMs).unref();
  }

  /**
   * Opens the database in `location`, or makes it.
   * @throws CodedError `LOG_` codes: in use, no access, a disk that fails.
   */
  static async open(location: string, writeBufferBytes: number): Promise<CacheDatabase> {
    return new CacheDatabase(location, writeBufferBytes, await openOrRenew(location, writeBufferBytes));
  }

  /** @throws CodedError, or what Level throws: it cannot be read now. What is damaged is gone. */
  get(key: Uint8Array): Promise<Uint8Array | undefined> {
    return this.#use((db) => db.get(key), [key]);
  }

  /** In the order of the keys. @throws as {@link get}. */
  getMany(keys: Uint8Array[]): Promise<(Uint8Array | undefined)[]> {
    return this.#use((db) => db.getMany(keys), keys);
  }

  /** @throws what Level throws: nothing is to be written any more. */
  batch(changes: Change[]): Promise<void> {
    return this.#use((db) => db.batch(changes));
  }

  /** About what it takes on the disk, in bytes, between two keys. */
  approximateSize(from: Uint8Array, to: Uint8Array): Promise<number> {
    return this.#use((db) => db.approximateSize(from, to));
  }

  /** Looks at tables as it does once a second; resolves when that is done. For tests. */
  async look(): Promise<void> {
    await this.#round;
    await this.#goRound();
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    clearInterval(this.#timer);
    await this.#round;
    await this.#renewal?.catch(() => undefined);
    this.#guard.closed();
    await this.#db.close();
  }

  /**
   * Calls `use` in the turn in which the database is open and the tables that hold `keys` are known to be right; once more after it was
   * begun anew meanwhile, because of what `use` met or of another.
   */
  async #use<Value>(use: (db: Database) => Promise<Value>, keys: readonly Uint8Array[] = []): Promise<Value> {
    for (;;) {
      while (!this.#isOpen) await this.#renew();
      const guard = this.#guard;
      try {
        if (keys.length > 0) await guard.admitKeys(keys);
        if (guard === this.#guard && this.#isOpen) return await use(this.#db);
      } catch (error) {
        if (this.#isClosed) throw error;
        if (guard !== this.#guard || !this.#isOpen) continue;
        const code = (error as { code?: unknown }).code;
        if (code !== 'LOG_CORRUPT' && code !== 'LEVEL_CORRUPTION') throw error;
        await this.#renew();
      }
    }
  }

  #renew(): Promise<void> {
    this.#renewal ??= this.#beginAnew().finally(() => (this.#renewal = undefined));
    return this.#renewal;
  }

  async #beginAnew(): Promise<void> {
    if (this.#isClosed) throw new CodedError('LOG_CLOSED', `${this.#location} is closed`);
    if (this.#isOpen) this.renewals++;
    this.#isOpen = false;
    await this.#db.close();
    this.#guard.closed();
    await removeDatabase(this.#location);
    this.#db = await openDatabase(this.#location, { writeBufferBytes: this.#writeBufferBytes });
    this.#guard = new TableGuard(this.#location, []);
    this.#isOpen = true;
  }

  async #goRound(): Promise<void> {
    if (!this.#isOpen) return;
    const guard = this.#guard;
    const tables = guard.tables();
    const first = this.#nextTable;
    const end = first + Math.min(looksPerRound, tables.length);
    this.#nextTable = tables.length === 0 ? 0 : end % tables.length;
    for (let at = first; at < end && performance.now() >= this.#restsUntilMs; at++) {
      const table = tables[at % tables.length];
      if (guard.isKnown(table, renewedMs)) continue;
      await guard.check(table);
      this.#restsUntilMs = performance.now() + (table.bytes / bytesPerSecond) * 1000;
    }
    if (guard.damages.size > 0 && guard === this.#guard && this.#isOpen) await this.#renew();
  }
}

async function openOrRenew(location: string, writeBufferBytes: number): Promise<Database> {
  try {
    for await (const damage of databaseDamages(location))
      throw new CodedError('LOG_CORRUPT', `${location}: ${JSON.stringify(damage)}`);
    return await openDatabase(location, { writeBufferBytes });
  } catch (error) {
    if (!(error instanceof CodedError) || !['LOG_CORRUPT', 'LOG_OPEN_FAILED'].includes(error.code))
      throw error;
    await removeDatabase(location);
    return openDatabase(location, { writeBufferBytes });
  }
}

/** Removes LevelDB's files, and ours beside them, from a folder that may have others. */
export async function removeDatabase(location: string): Promise<void> {
  for (const name of await readdir(location)) {
    if (databaseFiles.test(name)) await rm(join(location, name), { recursive: true, force: true });
  }
}

// A part of what is kept for proofs, of some time: a LevelDB database of its own, which is written once, in the order of keys, and goes
// as a whole. So LevelDB moves its tables down as they are and never rewrites them, and nothing is deleted in it. A table is checked
// before it is read (level/table-guard.ts); one that is damaged costs its rows. Which segments there are is proof-store.ts.

import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { bytesOf, type Database, flushDatabase, openDatabase, takeRedo } from '../level/database.ts';
import { readManifest } from '../level/table-check.ts';
import { damageError, TableGuard } from '../level/table-guard.ts';
import { tablesMost } from '../open-files.ts';

const writeBufferBytes = 4 * 1024 * 1024;
/** A row has 5 KB: smaller tables would only be more files. */
const tableBytes = 8 * 1024 * 1024;
const keyBytes = 8;
/** A row of an event that is not the first of its commit: the key of the first. */
const aliasBytes = keyBytes;

/** A row: blocks of a commit, or where they are. */
export interface ProofRow {
  readonly type: 'put';
  readonly key: Uint8Array;
  readonly value: Uint8Array;
}

/** Keys sort by time. */
export function keyOfTime(timeUs: number): Buffer {
  const key = Buffer.allocUnsafe(keyBytes);
  key.writeUIntBE(Math.floor(timeUs / 2 ** 32), 0, 4);
  key.writeUInt32BE(timeUs % 2 ** 32, 4);
  return key;
}

/** The name of its folder: the time of its first row, so that names sort, too. */
export function segmentName(fromUs: number): string {
  return String(fromUs).padStart(16, '0');
}

/** The time of a name; undefined of other files. */
export function timeOfSegment(name: string): number | undefined {
  return /^\d{16}$/.test(name) ? Number(name) : undefined;
}

/** See the file comment. It is open while somebody needs it. */
export class ProofSegment {
  readonly fromUs: number;
  /** On the disk: while it is written, of rows; then of files. */
  bytes = 0;
  readonly #location: string;
  readonly #guard: TableGuard;
  #opening: Promise<Database> | undefined;
  #isRemoved = false;
  #readers = 0;

  constructor(folder: string, fromUs: number) {
    this.fromUs = fromUs;
    this.#location = join(folder, segmentName(fromUs));
    this.#guard = new TableGuard(this.#location, []);
  }

  get isOpen(): boolean {
    return this.#opening !== undefined;
  }

  /** Whether somebody reads it now. */
  get isRead(): boolean {
    return this.#readers > 0;
  }

  /** Looks at what is there. */
  async measure(): Promise<void> {
    this.bytes = await bytesOf(this.#location).catch(() => 0);
  }

  /** Opens it: it takes a while behind a kill. @throws CodedError `LOG_` codes. */
  async open(): Promise<void> {
    await this.#open();
  }

  /** All of the rows, or none. @throws what LevelDB says: nothing is to be written to it any more. */
  async append(rows: ProofRow[]): Promise<void> {
    const db = await this.#open();
    await db.batch(rows);
    for (const { value } of rows) this.bytes += keyBytes + value.length;
  }

  /** The blocks of the commit whose event has that time. @throws CodedError `LOG_` codes; what LevelDB says. */
  async blocksAt(timeUs: number): Promise<Uint8Array | undefined> {
    this.#readers++;
    try {
      const value = await this.#get(keyOfTime(timeUs));
      return value?.length === aliasBytes ? await this.#get(value) : value;
    } finally {
      this.#readers--;
    }
  }

  /** Nothing more is written. */
  async seal(): Promise<void> {
    if (this.#opening === undefined) return;
    await flushDatabase(await this.#opening);
    await this.close();
    await this.measure();
  }

  async close(): Promise<void> {
    const opening = this.#opening;
    this.#opening = undefined;
    if (opening === undefined) return;
    await (await opening).close();
    this.#guard.closed();
  }

  /** Takes it off the disk. */
  async remove(): Promise<void> {
    this.#isRemoved = true;
    await this.close().catch(() => undefined);
    await rm(this.#location, { recursive: true, force: true });
  }

  async #get(key: Uint8Array): Promise<Uint8Array | undefined> {
    if (this.#isRemoved) return undefined;
    const db = await this.#open();
    await this.#guard.admitKeys([key]);
    return db.get(key);
  }

  #open(): Promise<Database> {
    if (this.#opening !== undefined) return this.#opening;
    const opening = this.#openNow();
    this.#opening = opening;
    opening.catch(() => {
      if (this.#opening === opening) this.#opening = undefined;
    });
    return opening;
  }

  async #openNow(): Promise<Database> {
    const location = this.#location;
    const guard = this.#guard;
    const damage = (await readManifest(location))?.damages[0];
    if (damage !== undefined) throw damageError(damage);
    guard.redo = await takeRedo(location, async ({ damages: [damage] }) => {
      if (damage !== undefined) throw damageError(damage);
    });
    return openDatabase(location, { writeBufferBytes, tableBytes, tablesMax: tablesMost, guard });
  }
}

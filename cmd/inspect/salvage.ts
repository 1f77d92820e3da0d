// What is whole in the files of a LevelDB database, however damaged it is: read without LevelDB, from its tables and its logs. Values stay
// on the disk until they are asked for. What a value means is for repair.ts.

import { closeSync, openSync, readdirSync, readSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { readReadable, readSteadily } from '../../lib/level/file-bytes.ts';
import { readRecords } from '../../lib/level/record-file.ts';
import { readManifest, tableName } from '../../lib/level/table-check.ts';
import { wholeBlocks } from '../../lib/level/table-file.ts';
import { writeAheadPaths } from '../../lib/level/write-ahead-log.ts';
import { readBatch } from '../../lib/level/write-batch.ts';

/** The logs of an opening that is not done are newer than what it had put into tables already, whatever their numbers. */
const redoSequences = 2n ** 60n;

/** Of one key, the newest: where its value lies, or the value itself; neither when it was deleted. */
interface Found {
  readonly sequence: bigint;
  readonly isDeleted: boolean;
  readonly file: string;
  readonly at: number;
  readonly bytes: number;
  readonly value?: Uint8Array | undefined;
}

/** Keys as text of one character for a byte, which sorts as LevelDB sorts. */
export class Salvage {
  readonly #found = new Map<string, Found>();
  readonly #open = new Map<string, number>();
  /** The last key of each table that counts, as the MANIFEST has it: nothing else may be left of what is lost. */
  readonly lastKeys: Buffer[] = [];

  /** Reads all files of the database in `location`, if it is there. */
  static async read(location: string): Promise<Salvage> {
    const salvage = new Salvage();
    for (const name of await tablesOf(location, salvage.lastKeys)) {
      const path = join(location, name);
      salvage.#takeTable(path, await readAll(path));
    }
    for (const path of await writeAheadPaths(location)) {
      const sequences = dirname(path) === location ? 0n : redoSequences;
      for (const record of readRecords(await readAll(path)).records) salvage.#takeBatch(record, sequences);
    }
    return salvage;
  }

  /** Those that are not deleted, in order. */
  keys(): string[] {
    return [...this.#found].flatMap(([key, { isDeleted }]) => (isDeleted ? [] : [key])).sort();
  }

  get(key: Uint8Array): Uint8Array | undefined {
    const found = this.#found.get(Buffer.from(key).toString('latin1'));
    if (found === undefined || found.isDeleted) return undefined;
    if (found.value !== undefined) return found.value;
    let file = this.#open.get(found.file);
    if (file === undefined) {
      this.close();
      file = openSync(found.file, 'r');
      this.#open.set(found.file, file);
    }
    const bytes = Buffer.alloc(found.bytes);
    readSync(file, bytes, 0, bytes.length, found.at);
    return bytes;
  }

  close(): void {
    for (const file of this.#open.values()) closeSync(file);
    this.#open.clear();
  }

  #takeTable(file: string, bytes: Buffer): void {
    for (const { key, valueAt, valueBytes } of [...wholeBlocks(bytes)].flatMap(({ entries }) => entries)) {
      const tag = key.readBigUInt64LE(key.length - 8);
      const name = key.toString('latin1', 0, key.length - 8);
      const isDeleted = (tag & 0xffn) === 0n;
      this.#take(name, { sequence: tag >> 8n, isDeleted, file, at: valueAt, bytes: valueBytes });
    }
  }

  #takeBatch(record: Uint8Array, sequences: bigint): void {
    const batch = readBatch(record);
    let sequence = sequences + (batch?.sequence ?? 0n);
    for (const change of batch?.changes ?? []) {
      const value = change.type === 'put' ? change.value : undefined;
      const found = { sequence, isDeleted: value === undefined, file: '', at: 0, bytes: 0, value };
      this.#take(Buffer.from(change.key).toString('latin1'), found);
      sequence++;
    }
  }

  #take(key: string, found: Found): void {
    const known = this.#found.get(key);
    if (known === undefined || known.sequence < found.sequence) this.#found.set(key, found);
  }
}

/** All bytes that the disk gives back, and zeros in place of the others. */
async function readAll(path: string): Promise<Buffer> {
  try {
    return await readSteadily(path);
  } catch {
    return readReadable(path, statSync(path).size);
  }
}

/** Those that count, if that is known; else all. */
async function tablesOf(location: string, lastKeys: Buffer[]): Promise<string[]> {
  let names: string[];
  try {
    names = readdirSync(location).sort();
  } catch {
    return [];
  }
  const manifest = await readManifest(location);
  const isKnown =
    manifest !== undefined &&
    manifest.damages.length === 0 &&
    !manifest.isCutOff &&
    manifest.tables.length > 0;
  const live = new Set(isKnown ? manifest.tables.map(({ number }) => tableName(number)) : []);
  for (const { largest } of isKnown ? manifest.tables : [])
    lastKeys.push(Buffer.from(largest.subarray(0, -8)));
  return names.filter((name) => /^\d+\.ldb$/.test(name) && (!isKnown || live.has(name)));
}

// Looks at the tables of a LevelDB database before LevelDB does, which would end the process by what is damaged: see table-file.ts.
// Reads the MANIFEST for the tables that count: others are left from a stop, and LevelDB deletes them. Changes nothing.

import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { setImmediate as immediately } from 'node:timers/promises';
import { readFailure } from './database-errors.ts';
import { readSteadily, steadily } from './file-bytes.ts';
import { readRecords } from './record-file.ts';
import { checkTable, type FileDamage, type TableRange } from './table-file.ts';
import { VarintReader } from './varints.ts';

/** A damage, and the file that it is in. */
export interface DatabaseDamage extends FileDamage {
  readonly path: string;
}

/** What a MANIFEST says of a table. */
export interface LiveTable extends TableRange {
  readonly number: number;
  readonly level: number;
  readonly bytes: number;
}

/** Kinds of what a MANIFEST's record has. */
const tags = {
  comparator: 1,
  logNumber: 2,
  nextFile: 3,
  lastSequence: 4,
  compactPointer: 5,
  deletedFile: 6,
  newFile: 7,
  previousLog: 9,
} as const;

/** The name of a table. */
export function tableName(number: number): string {
  return `${String(number).padStart(6, '0')}.ldb`;
}

/** The damages of the database in `location`, as they are found: reads every byte of its tables. */
export async function* databaseDamages(location: string): AsyncGenerator<DatabaseDamage> {
  const manifest = await readManifest(location);
  if (manifest === undefined) return;
  if (manifest.damages.length > 0) yield* manifest.damages;
  else {
    const memory = Buffer.allocUnsafeSlow(Math.max(0, ...manifest.tables.map(({ bytes }) => bytes)));
    for (const table of manifest.tables) yield* tableDamages(location, table, memory);
  }
}

/** Which write-ahead logs hold what no table does: those of `log` and above, and `previous`. */
export interface LogNumbers {
  log: number;
  previous: number;
}

/** What {@link readManifest} finds. */
export interface Manifest {
  readonly tables: readonly LiveTable[];
  readonly logs: Readonly<LogNumbers>;
  readonly damages: readonly DatabaseDamage[];
  readonly isCutOff: boolean;
}

/**
 * The tables and logs that count, and what is wrong with the MANIFEST; undefined when LevelDB itself says that it has none.
 * @throws CodedError `LOG_READ_FAILED`, `LOG_FILES_EXHAUSTED`: nothing is known.
 */
export async function readManifest(location: string): Promise<Manifest | undefined> {
  let path = join(location, 'CURRENT');
  let bytes: Buffer;
  try {
    const name = manifestName((await readSteadily(path)).toString('latin1'));
    if (name === undefined) return undefined;
    path = join(location, name);
    bytes = await readSteadily(path);
  } catch (error) {
    if (isMissing(error)) return undefined;
    if (!isUnreadable(error)) throw readFailure(`cannot read ${path}`, error);
    return { tables: [], logs: { log: 0, previous: 0 }, damages: [unreadable(path, error)], isCutOff: false };
  }
  const { records, offsets, damages, isCutOff } = readRecords(bytes);
  const found = damages.map(({ offset }) => ({ path, offset, what: 'a record is damaged', isFatal: true }));
  const tables = new Map<number, LiveTable>();
  const logs: LogNumbers = { log: 0, previous: 0 };
  for (const [at, record] of records.entries()) {
    if (!applyEdit(record, tables, logs))
      found.push({ path, offset: offsets[at], what: 'a record makes no sense', isFatal: true });
  }
  return { tables: [...tables.values()], logs, damages: found, isCutOff };
}

/** What CURRENT has; undefined when it makes no sense. */
export function manifestName(current: string): string | undefined {
  const name = current.trimEnd();
  return /^MANIFEST-\d+$/.test(name) ? name : undefined;
}

const codeOf = (error: unknown): unknown => (error as NodeJS.ErrnoException).code;

/** Whether there is no such file; any other error says nothing of that. */
export function isMissing(error: unknown): boolean {
  return codeOf(error) === 'ENOENT' || codeOf(error) === 'ENOTDIR';
}

/** A bad sector: LevelDB has tables mapped into memory, where that is a signal. */
function isUnreadable(error: unknown): boolean {
  return codeOf(error) === 'EIO';
}

function unreadable(path: string, error: unknown): DatabaseDamage {
  return { path, offset: 0, what: `it cannot be read: ${(error as Error).message}`, isFatal: true };
}

/** Whether a record of a MANIFEST makes sense; changes `tables` and `logs` as it says. */
export function applyEdit(record: Uint8Array, tables: Map<number, LiveTable>, logs?: LogNumbers): boolean {
  const reader = new VarintReader(record);
  while (!reader.isAtEnd) {
    const tag = reader.number();
    if (tag === tags.comparator) reader.string();
    else if (tag === tags.compactPointer) {
      reader.number();
      reader.string();
    } else if (tag === tags.deletedFile) {
      reader.number();
      tables.delete(reader.number());
    } else if (tag === tags.newFile) {
      const [level, number, bytes] = [reader.number(), reader.number(), reader.number()];
      const [smallest, largest] = [reader.string(), reader.string()];
      if (smallest === undefined || largest === undefined) return false;
      tables.set(number, { number, level, bytes, smallest, largest });
    } else if (tag >= tags.logNumber && tag <= tags.previousLog) {
      const number = reader.number();
      if (logs !== undefined && tag === tags.logNumber) logs.log = number;
      if (logs !== undefined && tag === tags.previousLog) logs.previous = number;
    } else return false;
  }
  return true;
}

/**
 * What is wrong with a table. @param memory for its bytes, as many as it has at least.
 * @throws CodedError `LOG_READ_FAILED`, `LOG_FILES_EXHAUSTED`: nothing is known.
 */
export async function* tableDamages(
  location: string,
  table: LiveTable,
  memory: Buffer,
): AsyncGenerator<DatabaseDamage> {
  const path = join(location, tableName(table.number));
  let bytes: Buffer | undefined;
  try {
    bytes = await steadily(() => readStart(path, memory.subarray(0, table.bytes)));
  } catch (error) {
    if (!isUnreadable(error)) throw readFailure(`cannot read ${path}`, error);
    yield unreadable(path, error);
    return;
  }
  // LevelDB says so of a table that is missing.
  if (bytes === undefined) return;
  if (bytes.length < table.bytes)
    yield { path, offset: bytes.length, what: 'it is cut off here', isFatal: true };
  else {
    for (const damage of checkTable(bytes, table)) {
      if (damage === undefined) await immediately();
      else yield { path, ...damage };
    }
  }
}

/** The first bytes of a file, as many as `memory` has and it; undefined when it is not there. */
async function readStart(path: string, memory: Buffer): Promise<Buffer | undefined> {
  const file = await open(path).catch((error: unknown) => {
    if (!isMissing(error)) throw error;
  });
  if (file === undefined) return undefined;
  try {
    const { bytesRead } = await file.read(memory, 0, memory.length, 0);
    return memory.subarray(0, bytesRead);
  } finally {
    await file.close();
  }
}

// The two LevelDB databases of a log as files: opens them, says where they are, and waits until the disk has room for
// them again. What they hold is block-format.ts. The only importer of classic-level.

import { existsSync, readdirSync } from 'node:fs';
import { open, readdir, stat, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { ClassicLevel } from 'classic-level';
import { CodedError } from '../errors.ts';
import { damaged, databaseFailure } from './log-errors.ts';

/** Folders of the databases within the data directory. */
export const storeFolder = 'blocks';
export const journalFolder = 'journal';

/** Bytes that must fit before the log goes on: LevelDB's recovery writes its logs and a table again. */
const probeBytes = 32 * 1024 * 1024;
const probeName = 'space-probe';
const probeIntervalMs = 1000;

/** Before all keys of a log. */
const noKey = Buffer.from([0]);

/** A LevelDB database of bytes to bytes. */
export type Database = ClassicLevel<Uint8Array, Uint8Array>;

/** Whether there is a database in `location`: every one has this file, which names its newest description. */
export function isDatabase(location: string): boolean {
  return existsSync(join(location, 'CURRENT'));
}

/** Whether there are remains of a database, which LevelDB would delete if it were to start a new one there. */
function hasTables(location: string): boolean {
  return existsSync(location) && readdirSync(location).some((name) => /^MANIFEST-|\.ldb$|\.sst$/.test(name));
}

/** How to open one. */
export interface DatabaseOptions {
  /** Tables kept open. Default: LevelDB's own 1,000. */
  readonly tablesMax?: number | undefined;
  /** LevelDB's memtable; twice this can be in memory while one is written out. */
  readonly writeBufferBytes: number;
  /** Of a table; LevelDB's own 2 MiB by default. */
  readonly tableBytes?: number;
  /** Default true; without it not even the directory is made. */
  readonly createIfMissing?: boolean;
  /** Whether several threads of this process have it open at a time; they all have to say so. Default false. */
  readonly shared?: boolean;
}

/**
 * Opens the database in `location`.
 * @throws CodedError `LOG_LOCKED` when another process has it open, `LOG_CORRUPT`, `LOG_MISSING` when it is absent and not to be
 * created, else `LOG_OPEN_FAILED`.
 */
export async function openDatabase(
  location: string,
  { writeBufferBytes, tableBytes, tablesMax, createIfMissing = true, shared = false }: DatabaseOptions,
): Promise<Database> {
  // LevelDB makes the directory and a lock in it before it looks for a database.
  if (!isDatabase(location)) {
    if (hasTables(location)) throw damaged(`${location} has tables and no CURRENT file`);
    if (!createIfMissing)
      throw new CodedError('LOG_MISSING', `there is no log in ${location}: check --data-dir`);
  }
  const db: Database = new ClassicLevel(location, {
    keyEncoding: 'view',
    valueEncoding: 'view',
    writeBufferSize: writeBufferBytes,
    maxFileSize: tableBytes,
    ...(tablesMax === undefined ? {} : { maxOpenFiles: tablesMax }),
    // Payloads are zstd already, or are about to be rewritten: snappy would only cost time.
    compression: false,
    createIfMissing,
    multithreading: shared,
  });
  try {
    await db.open();
    return db;
  } catch (cause) {
    if ((cause as { cause?: { code?: string } }).cause?.code === 'LEVEL_LOCKED') {
      const what = `the log in ${location} is in use: stop the other process that has it open`;
      throw databaseFailure('LOG_LOCKED', what, cause);
    }
    throw databaseFailure('LOG_OPEN_FAILED', `cannot open the log in ${location}`, cause);
  }
}

/** Bytes of a database's files, those of a name. */
export async function bytesOf(location: string, name = /./): Promise<number> {
  let bytes = 0;
  for (const file of await readdir(location)) {
    if (!name.test(file)) continue;
    // LevelDB deletes them when it likes.
    bytes += await stat(join(location, file)).then(
      ({ size }) => size,
      () => 0,
    );
  }
  return bytes;
}

/**
 * Memory that LevelDB has for it: the cache of blocks of its tables and what is not in tables yet. It does not count the indexes of
 * tables that are open, iterators, and tables that are mapped into memory. 0 while it is not open.
 */
export function databaseBytesOf(db: Database): number {
  return db.status === 'open' ? Number(db.getProperty('leveldb.approximate-memory-usage')) : 0;
}

/** Has LevelDB write its memtable to a table. */
export async function flushDatabase(db: Database): Promise<void> {
  // Of a range without keys, there is nothing else to compact.
  await db.compactRange(noKey, noKey);
}

/**
 * Resolves when the directory takes {@link probeBytes}, or when `isCancelled`. It asks by writing: free bytes say nothing
 * of quotas.
 */
export async function waitForSpace(directory: string, isCancelled: () => boolean): Promise<void> {
  while (!isCancelled() && !(await hasSpace(directory))) await delay(probeIntervalMs);
}

/** Whether the directory takes {@link probeBytes}. */
export async function hasSpace(directory: string): Promise<boolean> {
  const path = join(directory, probeName);
  const chunk = Buffer.alloc(1024 * 1024, 1);
  try {
    // Node 22 does not know `await using`.
    const file = await open(path, 'w');
    try {
      for (let written = 0; written < probeBytes; written += chunk.length) await file.write(chunk);
      await file.sync();
    } finally {
      await file.close();
    }
    return true;
  } catch {
    return false;
  } finally {
    await unlink(path).catch(() => undefined);
  }
}

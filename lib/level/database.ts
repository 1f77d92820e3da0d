// A LevelDB database of bytes: opens it, checked, asks for its lock, and waits until the disk has room for it again. What it holds is for
// who opens it. The only importer of classic-level.

import { existsSync, readdirSync, statSync } from 'node:fs';
import { link, mkdtemp, open, readdir, rm, stat, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { ClassicLevel } from 'classic-level';
import { CodedError } from '../errors.ts';
import { damaged, databaseFailure, readFailure } from './database-errors.ts';
import { Redo } from './redo.ts';
import { damageError, TableGuard } from './table-guard.ts';
import { readStamps } from './table-stamps.ts';
import type { WriteAhead } from './write-ahead-log.ts';
import { orderWrites } from './write-order.ts';

/** Bytes that must fit before the log goes on: LevelDB's recovery writes its logs and a table again. */
const probeBytes = 32 * 1024 * 1024;
const probeName = 'space-probe';
const probeIntervalMs = 1000;

/** Of blocks of tables: values are larger than those, and are read once by each replay, so that more would hold what nobody asks for. */
const cacheBytes = 2 * 1024 * 1024;

/** Before all keys of a log. */
const noKey = Buffer.from([0]);

/** A LevelDB database of bytes to bytes. Whoever reads while a daemon runs asks `guard` before; what has none was checked as a whole. */
export type Database = ClassicLevel<Uint8Array, Uint8Array> & { readonly guard?: TableGuard | undefined };

/**
 * Whether there is a database in `location`: every one has this file, which names its newest description.
 * @throws CodedError `LOG_READ_FAILED`: what cannot be looked at must not pass for none.
 */
export function isDatabase(location: string): boolean {
  const path = join(location, 'CURRENT');
  try {
    return statSync(path, { throwIfNoEntry: false }) !== undefined;
  } catch (error) {
    throw readFailure(`cannot look at ${path}`, error);
  }
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
  /** Stands before reads; with it tables are not looked at here: who has it sees to that. */
  readonly guard?: TableGuard | undefined;
}

/**
 * Opens the database in `location`.
 * @throws CodedError `LOG_LOCKED` when another process has it open, `LOG_CORRUPT`, `LOG_MISSING` when it is absent and not to be
 * created, else `LOG_OPEN_FAILED`.
 */
export async function openDatabase(
  location: string,
  { writeBufferBytes, tableBytes, tablesMax, createIfMissing = true, shared = false, guard }: DatabaseOptions,
): Promise<Database> {
  // LevelDB makes the directory and a lock in it before it looks for a database. And a new one in its place, if its file cannot be
  // looked at: so it is told that there is one.
  const isNew = !isDatabase(location);
  if (isNew) {
    if (hasTables(location)) throw damaged(`${location} has tables and no CURRENT file`);
    if (!createIfMissing)
      throw new CodedError('LOG_MISSING', `there is no log in ${location}: check --data-dir`);
  }
  const redo = guard === undefined ? await refuseDamage(location) : guard.redo;
  const level = new ClassicLevel<Uint8Array, Uint8Array>(location, {
    keyEncoding: 'view',
    valueEncoding: 'view',
    writeBufferSize: writeBufferBytes,
    maxFileSize: tableBytes,
    cacheSize: cacheBytes,
    ...(tablesMax === undefined ? {} : { maxOpenFiles: tablesMax }),
    // Payloads are zstd already, or are about to be rewritten: snappy would only cost time.
    compression: false,
    createIfMissing: createIfMissing && isNew,
    multithreading: shared,
  });
  const db: Database = Object.assign(level, { guard });
  orderWrites(db);
  try {
    await db.open();
  } catch (cause) {
    throw openingFailure(location, cause);
  }
  try {
    await redo?.writeTo(db);
  } catch (error) {
    await db.close();
    throw error;
  }
  if (guard !== undefined) guard.redo = undefined;
  return db;
}

function openingFailure(location: string, cause: unknown): CodedError {
  if ((cause as { cause?: { code?: string } }).cause?.code === 'LEVEL_LOCKED') {
    const what = `the log in ${location} is in use: stop the other process that has it open`;
    return databaseFailure('LOG_LOCKED', what, cause);
  }
  const error = databaseFailure('LOG_OPEN_FAILED', `cannot open the log in ${location}`, cause);
  // What LevelDB finds wrong by itself: its own notes, or files that are gone.
  if (!/corruption|missing files/i.test(error.message)) return error;
  const message = `${error.message}: stop the daemon, run "slipstream inspect repair", which sets aside what is damaged, and start it again`;
  return new CodedError('LOG_OPEN_FAILED', message, { cause });
}

/**
 * LevelDB would end the process by what makes no sense in its files.
 * @throws CodedError `LOG_CORRUPT`, `LOG_LOCKED`: what another process is writing looks damaged.
 */
async function refuseDamage(location: string): Promise<Redo | undefined> {
  const guard = new TableGuard(location, await readStamps(location));
  await checkClosed(guard);
  const damage = [...guard.damages.values()].find(({ isFatal }) => isFatal);
  guard.closed();
  if (damage !== undefined) throw damageError(damage);
  return takeRedo(location, async ({ damages: [damage] }) => {
    if (damage !== undefined) throw damageError(damage);
  });
}

/**
 * {@link Redo.take}, of a database that may be there and may be open elsewhere.
 * @throws CodedError `LOG_LOCKED`; as {@link Redo.take}.
 */
export async function takeRedo(
  location: string,
  found: (writeAhead: WriteAhead) => Promise<void>,
): Promise<Redo | undefined> {
  if (!isDatabase(location)) return undefined;
  // By this process, too, of which the system does not know: LevelDB asks for the lock before it refuses to open what is there.
  await new ClassicLevel(location, { createIfMissing: false, errorIfExists: true }).open().catch((cause) => {
    const failure = openingFailure(location, cause);
    if (failure.code === 'LOG_LOCKED') throw failure;
  });
  return whileLocked(location, () => Redo.take(location, found));
}

/**
 * Checks what has changed of a database that is not open here.
 * @param checked as of `TableGuard.checkUnknown`. @throws CodedError `LOG_CORRUPT` of its MANIFEST, `LOG_LOCKED`.
 */
export async function checkClosed(guard: TableGuard, checked?: () => Promise<void>): Promise<void> {
  try {
    await guard.checkUnknown(checked);
    if (guard.damages.size > 0) await refuseLocked(guard.location);
  } catch (error) {
    await refuseLocked(guard.location);
    throw error;
  }
}

/**
 * Asks for the lock of a database without opening it. Must not be called where this process has it open: the system would take that
 * lock away.
 * @throws CodedError `LOG_LOCKED`.
 */
export function refuseLocked(location: string): Promise<void> {
  return whileLocked(location, async () => {});
}

/** Holds the lock of a database without opening it: an empty one that has the same lock file is opened beside it. */
async function whileLocked<T>(location: string, work: () => Promise<T>): Promise<T> {
  const lock = join(location, 'LOCK');
  if (!existsSync(lock)) return work();
  let beside: string | undefined;
  let db: ClassicLevel | undefined;
  try {
    try {
      beside = await mkdtemp(join(location, 'lock-'));
      await link(lock, join(beside, 'LOCK'));
      db = new ClassicLevel(beside);
      await db.open();
    } catch (cause) {
      throw openingFailure(location, cause);
    }
    return await work();
  } finally {
    await db?.close();
    if (beside !== undefined) await rm(beside, { recursive: true, force: true }).catch(() => {});
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

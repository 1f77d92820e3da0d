// Opens LevelDB databases and turns their failures into coded errors. The only importer of classic-level.

import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { ClassicLevel } from 'classic-level';
import { CodedError } from '../errors.ts';
import { damaged, detailOf } from './damage.ts';

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
  /** LevelDB's memtable; twice this can be in memory while one is written out. */
  readonly writeBufferBytes: number;
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
  { writeBufferBytes, createIfMissing = true, shared = false }: DatabaseOptions,
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

/** What the system says when there is no room: for us (a full disk) or for our user (a quota). */
const outOfSpace = /no space left on device|disk quota exceeded|ENOSPC|EDQUOT/i;

/**
 * The error of a failed write. `LOG_DISK_FULL` can be retried once there is room and the log has been reopened: LevelDB
 * leaves half a record behind, so nothing more may be written before.
 */
export function writeFailure(what: string, cause: unknown): CodedError {
  const error = databaseFailure('LOG_WRITE_FAILED', what, cause);
  if (!outOfSpace.test(error.message)) return error;
  const message = `${error.message}: free some space, or lower --retention-bytes; the daemon goes on by itself`;
  return new CodedError('LOG_DISK_FULL', message, { cause, retryable: true });
}

/** A coded error that ends with what the database said, which `cause` alone would hide from a log line. */
export function databaseFailure(code: string, what: string, cause: unknown): CodedError {
  return new CodedError(code, `${what}: ${detailOf(cause)}`, { cause });
}

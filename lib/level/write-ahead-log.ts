// LevelDB's write-ahead logs (`.log`) of a database that is closed: what was written and is in no table yet. LevelDB itself takes a log
// that it cannot open, or read, for one that ends there, goes on with the rest, and deletes it. So they are read here: all that is
// whole, where something is damaged, and between which keys something is missing then. Changes nothing; redo.ts writes it again.

import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { CodedError } from '../errors.ts';
import { readFailure } from './database-errors.ts';
import { readSteadily } from './file-bytes.ts';
import { readRecords, zerosMin } from './record-file.ts';
import { type DatabaseDamage, isMissing, readManifest } from './table-check.ts';
import { type Change, readBatch } from './write-batch.ts';

/**
 * Within a database's folder: the logs of an opening that is not done, of which what LevelDB has of logs beside it is a part; or what a
 * RedoLog has for the next opening, beside which LevelDB's hold nothing that is wanted.
 */
export const redoFolder = 'redo';

/** See {@link readWriteAhead}. */
export interface WriteAhead {
  /** The oldest first. */
  readonly paths: readonly string[];
  /** Those of each batch that is whole, the oldest first. */
  readonly batches: readonly (readonly Change[])[];
  readonly damages: readonly DatabaseDamage[];
  /** Batches in front of each damage. */
  readonly after: readonly number[];
  /** When one of them was written last, in milliseconds since 1970; 0 without any. */
  readonly writtenMs: number;
  /** Whether anything is missing: by a damage, or because a power failure took it. */
  readonly isLossy: boolean;
}

/** Whether a file's name is that of a log. */
export function isLogName(name: string): boolean {
  return /^\d+\.log$/.test(name);
}

/**
 * The logs that count, the oldest first; of an opening that is not done those that it began with.
 * @throws CodedError `LOG_READ_FAILED`, `LOG_FILES_EXHAUSTED`.
 */
export async function writeAheadPaths(location: string): Promise<string[]> {
  const redo = join(location, redoFolder);
  const logs = { log: 0, previous: 0, ...(await readManifest(location))?.logs };
  for (const folder of [redo, location]) {
    try {
      const names = (await readdir(folder)).filter(isLogName);
      const counting = names.filter((name) => {
        const number = Number.parseInt(name, 10);
        return folder === redo || number >= logs.log || number === logs.previous;
      });
      if (counting.length === 0 && folder === redo) continue;
      return counting
        .sort((one, other) => Number.parseInt(one, 10) - Number.parseInt(other, 10))
        .map((name) => join(folder, name));
    } catch (error) {
      if (!isMissing(error)) throw readFailure(`cannot look into ${folder}`, error);
    }
  }
  return [];
}

/**
 * Reads all of them into memory: LevelDB begins a new one when a memtable is full, and has two memtables at most; a RedoLog is kept
 * small by its owner.
 * @throws CodedError `LOG_READ_FAILED`, `LOG_FILES_EXHAUSTED`: nothing is known of what they hold.
 */
export async function readWriteAhead(location: string): Promise<WriteAhead> {
  const paths = await writeAheadPaths(location);
  const batches: Change[][] = [];
  const damages: DatabaseDamage[] = [];
  const after: number[] = [];
  let [writtenMs, isLossy] = [0, false];
  for (const path of paths) {
    let bytes: Buffer;
    try {
      bytes = await readSteadily(path);
      writtenMs = Math.max(writtenMs, (await stat(path)).mtimeMs);
    } catch (error) {
      const advice =
        'the disk does not give back what was stored; "slipstream inspect repair" keeps what can be read';
      throw readFailure(`cannot read ${path} (${advice})`, error);
    }
    const { records, offsets, damages: found, end } = readRecords(bytes);
    const first = batches.length;
    const unread: number[] = [];
    for (const [at, record] of records.entries()) {
      const batch = readBatch(record);
      if (batch === undefined) unread.push(at);
      // What it was is not known, but its place is.
      batches.push([...(batch?.changes ?? [])]);
    }
    if (found.length > 0 || isZeroed(bytes.subarray(end))) isLossy = true;
    for (const { offset, after: count, isUnwritten } of found) {
      // A power failure takes what was not synced; what is behind the gap is dealt with by who opens the log.
      if (isUnwritten) continue;
      damages.push({ path, offset, what: 'a record is damaged', isFatal: true });
      after.push(first + count);
    }
    for (const at of unread) {
      damages.push({ path, offset: offsets[at], what: 'a record makes no sense', isFatal: true });
      after.push(first + at);
    }
  }
  return { paths, batches, damages, after, writtenMs, isLossy };
}

/** Whether what is behind the last whole record is more than a write that was broken off. */
function isZeroed(rest: Uint8Array): boolean {
  return rest.length >= zerosMin && rest.subarray(-zerosMin).every((byte) => byte === 0);
}

/** What is wrong with them: that they cannot be read, too. @throws CodedError `LOG_FILES_EXHAUSTED`. */
export async function writeAheadDamages(location: string): Promise<readonly DatabaseDamage[]> {
  try {
    return (await readWriteAhead(location)).damages;
  } catch (error) {
    if (!(error instanceof CodedError) || error.retryable) throw error;
    return [{ path: location, offset: 0, what: error.message, isFatal: true }];
  }
}

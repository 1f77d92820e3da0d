// A log as files in a data directory: its two databases, what stands beside them, and what is damaged of them. Clears the way for a new
// log, too: the files of the old one are deleted, or kept aside, when nothing has them open.

import { existsSync } from 'node:fs';
import { access, constants, mkdir, readdir, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { CodedError } from '../errors.ts';
import { isDatabase } from '../level/database.ts';
import { databaseFailure } from '../level/database-errors.ts';
import { type DatabaseDamage, databaseDamages } from '../level/table-check.ts';
import { writeAheadDamages } from '../level/write-ahead-log.ts';

/** Folders of the databases within the data directory. */
export const storeFolder = 'blocks';
export const journalFolder = 'journal';

/** What the system says of a folder that is closed to this user. */
const closedCodes = ['EACCES', 'EPERM', 'EROFS'];

/** Where a repair has a whole log, while it puts it in the place of the damaged one. */
export const repairedFolder = 'repair-finished';

/** The name of a folder, in the data directory, for what is damaged and set aside now. */
export function asideName(): string {
  return `damaged-${new Date().toISOString().replace(/[:.]/g, '-')}`;
}

/**
 * What is not there yet is made later. Without this, the first file that cannot be read is named, which says less.
 * @throws CodedError `LOG_OPEN_FAILED`: it is no folder, or closed to this user.
 */
export async function checkDataDir(dataDir: string): Promise<void> {
  let isFolder = true;
  try {
    isFolder = (await stat(dataDir)).isDirectory();
    if (isFolder) await access(dataDir, constants.R_OK | constants.W_OK | constants.X_OK);
  } catch (cause) {
    const { code = '' } = cause as NodeJS.ErrnoException;
    if (!closedCodes.includes(code)) return;
    const what = `this user may not read and write the data directory ${dataDir} (${code})`;
    const help = "make it this user's, or choose another with --data-dir";
    throw new CodedError('LOG_OPEN_FAILED', `${what}: ${help}`, { cause });
  }
  if (!isFolder)
    throw new CodedError('LOG_OPEN_FAILED', `the data directory ${dataDir} is a file: name a folder`);
}

/** Whether there is a log in `dataDir`. @throws CodedError `LOG_READ_FAILED`. */
export function hasLog(dataDir: string): boolean {
  return isDatabase(join(dataDir, storeFolder));
}

/** @throws CodedError `LOG_WRITE_FAILED`. */
export async function deleteLog(dataDir: string): Promise<void> {
  await eachFile(dataDir, (path) => rm(path, { recursive: true, force: true }));
}

/** Moves it to a folder of the data directory. @param folder its name, which nothing has yet. @throws CodedError `LOG_WRITE_FAILED`. */
export async function setLogAside(dataDir: string, folder: string): Promise<void> {
  await mkdir(join(dataDir, folder), { recursive: true });
  await eachFile(dataDir, (path, name) => rename(path, join(dataDir, folder, name)));
}

/** The two databases, and what is noted of their tables. */
async function eachFile(dataDir: string, act: (path: string, name: string) => Promise<void>): Promise<void> {
  try {
    for (const name of await readdir(dataDir)) {
      const [folder] = name.split('.');
      if (folder === journalFolder || folder === storeFolder) await act(join(dataDir, name), name);
    }
  } catch (cause) {
    throw databaseFailure('LOG_WRITE_FAILED', `cannot clear the log in ${dataDir} away`, cause);
  }
}

/** A repair that was cut off has to be finished: what is in the data directory is not all of a log. @throws CodedError. */
export function refuseUnfinishedRepair(dataDir: string): void {
  if (!existsSync(join(dataDir, repairedFolder))) return;
  throw new CodedError(
    'LOG_OPEN_FAILED',
    `a repair of the log in ${dataDir} was cut off: run "slipstream inspect repair" again, which ends it`,
  );
}

/** All that is wrong with the files of the log in `dataDir`, values included. */
export async function* logDamages(dataDir: string): AsyncGenerator<DatabaseDamage> {
  for (const folder of [storeFolder, journalFolder]) {
    const location = join(dataDir, folder);
    yield* databaseDamages(location);
    yield* await writeAheadDamages(location);
  }
}

// Clears the way for a new log in a data directory: the files of the old one are deleted, or kept aside. Nothing may have them open.

import { mkdir, readdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { isDatabase, journalFolder, storeFolder } from './database.ts';
import { databaseFailure } from './log-errors.ts';

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

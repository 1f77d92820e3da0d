// A LevelDB database that holds nothing which cannot be had again: one that is damaged is begun anew, in a folder that may hold
// other files. What is in it, and how large it may become, is its owner's.

import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { CodedError } from '../errors.ts';
import { type Database, openDatabase } from './database.ts';
import { databaseDamages } from './table-check.ts';

const databaseFiles = /^(CURRENT|LOCK|LOG(\.old)?|MANIFEST-\d+|\d+\.(log|ldb|sst|dbtmp)|redo)$/;

/**
 * Opens the database in `location`, or makes it.
 * @throws CodedError `LOG_` codes: in use, no access, a disk that fails.
 */
export async function openCacheDatabase(location: string, writeBufferBytes: number): Promise<Database> {
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
async function removeDatabase(location: string): Promise<void> {
  for (const name of await readdir(location)) {
    if (databaseFiles.test(name)) await rm(join(location, name), { recursive: true, force: true });
  }
}

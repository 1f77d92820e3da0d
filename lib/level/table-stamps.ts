// What is known of a database's tables from one start to the next, in files beside its folder: which tables have been checked, that an
// opening is not proven yet, and between which keys a table that is being mended loses something, until the coverage ledger has it.
// None is trusted further than it reads: without them everything is checked.

import { existsSync } from 'node:fs';
import { readFile, rename, rm, writeFile } from 'node:fs/promises';
import type { TableStamp } from './table-guard.ts';
import type { LostKeys } from './table-mend.ts';

const version = 1;
const stampNumbers = 6;

const stampsPath = (location: string): string => `${location}.checked`;
const lostPath = (location: string): string => `${location}.lost`;
const markPath = (location: string): string => `${location}.opening`;

/** Those of the database in `location`; none when they cannot be read, or when an opening of it may have ended a process. */
export async function readStamps(location: string): Promise<readonly TableStamp[]> {
  if (existsSync(markPath(location))) return [];
  try {
    const read = JSON.parse(await readFile(stampsPath(location), 'utf8'));
    return read.version === version && read.tables.every(isStamp) ? read.tables : [];
  } catch {
    return [];
  }
}

function isStamp(value: unknown): boolean {
  return Array.isArray(value) && value.length === stampNumbers && value.every(Number.isFinite);
}

/** Never rejects: what cannot be written is checked again. */
export async function writeStamps(location: string, tables: readonly TableStamp[]): Promise<void> {
  const path = stampsPath(location);
  const unfinished = `${path}.new`;
  try {
    await writeFile(unfinished, JSON.stringify({ version, tables }));
    await rename(unfinished, path);
  } catch {
    await rm(unfinished, { force: true }).catch(() => {});
  }
}

/** Another database takes its place. */
export async function forgetTables(location: string): Promise<void> {
  for (const path of [stampsPath(location), markPath(location), lostPath(location)])
    await rm(path, { force: true });
}

/** The database is about to be opened. False when that was noted before. */
export async function markOpening(location: string): Promise<boolean> {
  return writeFile(markPath(location), '', { flag: 'wx' }).then(
    () => true,
    () => false,
  );
}

/** It has been open for a while, and is still there; or was closed. */
export async function unmarkOpening(location: string): Promise<void> {
  await rm(markPath(location), { force: true }).catch(() => {});
}

/** What {@link writeLost} has noted and nobody has forgotten: the process ended before. */
export async function readLost(location: string): Promise<LostKeys[]> {
  try {
    const read: [string, string, LostKeys['endOf']][] = JSON.parse(
      await readFile(lostPath(location), 'utf8'),
    );
    return read.map(([from, to, endOf]) => ({
      fromKey: Buffer.from(from, 'hex'),
      toKey: Buffer.from(to, 'hex'),
      endOf,
    }));
  } catch {
    return [];
  }
}

/** Before a table is mended: rejects when it cannot be noted. */
export async function writeLost(location: string, lost: readonly LostKeys[]): Promise<void> {
  const hex = (key: Uint8Array): string => Buffer.from(key).toString('hex');
  const text = JSON.stringify(lost.map(({ fromKey, toKey, endOf }) => [hex(fromKey), hex(toKey), endOf]));
  const unfinished = `${lostPath(location)}.new`;
  await writeFile(unfinished, text, { flush: true });
  await rename(unfinished, lostPath(location));
}

/** The coverage ledger has it. */
export async function forgetLost(location: string): Promise<void> {
  await rm(lostPath(location), { force: true }).catch(() => {});
}

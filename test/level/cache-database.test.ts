// A database that may be begun anew, with its files damaged while it is open: read unchecked they would end the process.

import { type FileHandle, mkdtemp, open, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { CodedError } from '../../lib/errors.ts';
import { CacheDatabase } from '../../lib/level/cache-database.ts';

/** What opening fails with; a disk does so when it likes. */
const fault: { error: Error | undefined } = vi.hoisted(() => ({ error: undefined }));
vi.mock(import('../../lib/level/database.ts'), async (importOriginal) => {
  const original = await importOriginal();
  return {
    ...original,
    openDatabase: (...parameters) =>
      fault.error === undefined ? original.openDatabase(...parameters) : Promise.reject(fault.error),
  };
});

const writeBufferBytes = 65_536;
const rows = 400;
const keyOf = (row: number) => Buffer.from(`key ${String(row).padStart(6, '0')}`);
let folder: string;
let cache: CacheDatabase;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'slipstream-cache-'));
  cache = await CacheDatabase.open(folder, writeBufferBytes);
  for (let row = 0; row < rows; row++)
    await cache.batch([{ type: 'put', key: keyOf(row), value: Buffer.alloc(1000, row) }]);
});
afterEach(async () => {
  fault.error = undefined;
  await cache.close();
  await rm(folder, { recursive: true });
});

/** Turns over some bytes in the middle of each table, of the oldest first. */
async function damageTables(tablesMax = Number.POSITIVE_INFINITY): Promise<number> {
  const tables = (await readdir(folder)).filter((name) => name.endsWith('.ldb')).slice(0, tablesMax);
  for (const name of tables) {
    const path = join(folder, name);
    let file: FileHandle;
    try {
      file = await open(path, 'r+');
    } catch {
      // LevelDB has replaced it meanwhile.
      continue;
    }
    const { size } = await file.stat();
    for (let at = 1000; at < size; at += 1000) await file.write(Buffer.alloc(40, 0xee), 0, 40, at);
    await file.close();
  }
  return tables.length;
}

test('what was written is there, until a table is damaged: then all is gone, and writing goes on', async () => {
  expect((await cache.get(keyOf(3)))?.[0]).toBe(3);
  expect(await damageTables()).toBeGreaterThan(1);
  expect(await cache.get(keyOf(3))).toBeUndefined();
  expect(cache.renewals).toBe(1);
  await cache.batch([{ type: 'put', key: keyOf(3), value: Buffer.from('again') }]);
  expect(await cache.getMany([keyOf(2), keyOf(3)])).toEqual([undefined, Buffer.from('again')]);
  expect(cache.renewals).toBe(1);
});

test('many readers at once begin it anew once', async () => {
  await damageTables();
  const found = await Promise.all(Array.from({ length: 20 }, (_, row) => cache.get(keyOf(row))));
  expect(found.every((value) => value === undefined)).toBe(true);
  expect(cache.renewals).toBe(1);
});

test('who reads a table that is right, and who writes, while it is begun anew waits for that', async () => {
  // A table that LevelDB replaces just then is no damage.
  while (cache.renewals === 0) {
    await damageTables(1);
    const calls: Promise<unknown>[] = [];
    for (let row = 0; row < rows; row++) {
      calls.push(cache.get(keyOf(row)), cache.getMany([keyOf(row), keyOf(rows - row)]));
      calls.push(cache.batch([{ type: 'put', key: keyOf(rows + row), value: keyOf(row) }]));
      calls.push(cache.approximateSize(keyOf(0), keyOf(row)));
      // Later callers come at another moment of it.
      if (row % 10 === 0) await new Promise(setImmediate);
    }
    await Promise.all(calls);
  }
  expect(cache.renewals).toBe(1);
});

test('after it could not be begun anew, the next that needs it tries again', async () => {
  await damageTables();
  fault.error = new CodedError('LOG_OPEN_FAILED', 'no more files');
  await expect(cache.get(keyOf(3))).rejects.toThrow(fault.error);
  await expect(cache.batch([{ type: 'put', key: keyOf(3), value: keyOf(3) }])).rejects.toThrow(fault.error);
  fault.error = undefined;
  expect(await cache.get(keyOf(3))).toBeUndefined();
  await cache.batch([{ type: 'put', key: keyOf(3), value: keyOf(3) }]);
  expect(await cache.get(keyOf(3))).toEqual(keyOf(3));
});

test('damage that nobody reads is found by looking', async () => {
  await cache.look();
  expect(cache.renewals).toBe(0);
  await damageTables();
  // One table a look at the most.
  await expect
    .poll(async () => {
      await cache.look();
      return cache.renewals;
    })
    .toBe(1);
  expect(await cache.get(keyOf(1))).toBeUndefined();
});

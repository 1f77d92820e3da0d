// A database that may be begun anew, with its files damaged while it is open: read unchecked they would end the process.

import { mkdtemp, open, readdir, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { CacheDatabase } from '../../lib/level/cache-database.ts';

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
  await cache.close();
  await rm(folder, { recursive: true });
});

/** Turns over some bytes in the middle of each table. */
async function damageTables(): Promise<number> {
  const tables = (await readdir(folder)).filter((name) => name.endsWith('.ldb'));
  for (const name of tables) {
    const path = join(folder, name);
    const file = await open(path, 'r+');
    const { size } = await stat(path);
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

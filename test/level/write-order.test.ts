import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ClassicLevel } from 'classic-level';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { openDatabase } from '../../lib/level/database.ts';

let dataDir: string;
beforeEach(() => {
  dataDir = mkdtempSync(join(tmpdir(), 'slipstream-write-order-'));
});
afterEach(() => {
  vi.restoreAllMocks();
  rmSync(dataDir, { recursive: true });
});

const key = (at: number) => Buffer.from([at]);
const full = () => Object.assign(new Error('IO error: No space left on device'), { code: 'LEVEL_IO_ERROR' });
const open = () => openDatabase(join(dataDir, 'database'), { writeBufferBytes: 1 << 20 });

test('nothing is stored behind a deletion that fails, however soon it comes', async () => {
  const deletion = Promise.withResolvers<void>();
  const clear = vi.spyOn(ClassicLevel.prototype, 'clear').mockReturnValueOnce(deletion.promise);
  const put = vi.spyOn(ClassicLevel.prototype, 'put');
  const db = await open();
  await db.put(key(1), key(1));
  const removed = db.clear({ lte: key(1) });
  await vi.waitFor(() => expect(clear).toHaveBeenCalled());
  const appended = db.put(key(2), key(2));
  deletion.reject(full());
  await expect(removed).rejects.toThrow('No space left');
  await expect(appended).rejects.toThrow('No space left');
  await expect(db.put(key(3), key(3), { sync: true })).rejects.toThrow('No space left');
  expect(put).toHaveBeenCalledTimes(1);
  await db.close();
  // Opened again it takes what comes.
  const again = await open();
  await again.put(key(2), key(2));
  expect((await again.keys().all()).map((found) => found[0])).toEqual([1, 2]);
  await again.close();
});

test('writes that wait for their turn are done before the database is closed', async () => {
  const db = await open();
  for (const at of [1, 2, 3]) void db.put(key(at), key(at));
  await db.close();
  const again = await open();
  expect((await again.keys().all()).map((found) => found[0])).toEqual([1, 2, 3]);
  await again.close();
});

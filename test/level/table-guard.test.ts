import { closeSync, mkdtempSync, openSync, readdirSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { damagedMsMax, TableGuard } from '../../lib/level/table-guard.ts';
import { readStamps } from '../../lib/level/table-stamps.ts';
import { BlockStore } from '../../lib/log/block-store.ts';
import { TableWatch } from '../../lib/log/table-watch.ts';
import { compressor, makeLogOfBlocks, withRealFrames } from '../cmd/inspect/sample-log.ts';
import { SampleLog, seededRandom } from '../support/events.ts';

/** Codes of errors that calls on files end with, by the call: `stat`, `open`, `read`. */
const failing = vi.hoisted(() => new Map<string, string>());
vi.mock('node:fs', async (importOriginal) => {
  const fs = await importOriginal<typeof import('node:fs')>();
  const statSync = (...args: Parameters<typeof fs.statSync>) => fail('stat', args[0]) ?? fs.statSync(...args);
  const openSync = (...args: Parameters<typeof fs.openSync>) =>
    fail('openManifest', args[0]) ?? fs.openSync(...args);
  return { ...fs, statSync, openSync };
});
vi.mock('node:fs/promises', async (importOriginal) => {
  const fs = await importOriginal<typeof import('node:fs/promises')>();
  return {
    ...fs,
    readFile: async (...args: Parameters<typeof fs.readFile>) => {
      fail('readFile', args[0]);
      return fs.readFile(...args);
    },
    open: async (...args: Parameters<typeof fs.open>) => {
      fail('open', args[0]);
      const file = await fs.open(...args);
      if (!failing.has('read')) return file;
      return { read: async () => fail('read', args[0]), close: () => file.close() };
    },
  };
});
function fail(call: string, path: unknown): undefined {
  const code = failing.get(call);
  if (code !== undefined && /\.ldb$|CURRENT|MANIFEST/.test(String(path)))
    throw Object.assign(new Error(`${code}: ${call}`), { code });
  return undefined;
}

let dataDir: string;
let location: string;
beforeEach(async () => {
  dataDir = mkdtempSync(join(tmpdir(), 'slipstream-table-guard-'));
  location = join(dataDir, 'blocks');
  await makeLogOfBlocks(dataDir, 3, 30, 0);
  const store = await BlockStore.open(location, compressor);
  await store.flush();
  await store.close();
});
afterEach(() => {
  failing.clear();
  vi.restoreAllMocks();
  rmSync(dataDir, { recursive: true });
});

function damageTable(): void {
  const [name] = readdirSync(location).filter((file) => file.endsWith('.ldb'));
  const table = openSync(join(location, name), 'r+');
  writeSync(table, Buffer.alloc(4096), 0, 4096, 0);
  closeSync(table);
}

const everything = [Buffer.from([0]), Buffer.from([255])] as const;

test.each([
  ['open', 'EMFILE', 'LOG_FILES_EXHAUSTED'],
  ['read', 'ENOMEM', 'LOG_READ_FAILED'],
  ['stat', 'EIO', 'LOG_READ_FAILED'],
])('a table is not taken for right when a check cannot %s it: %s', async (call, code, expected) => {
  damageTable();
  const reported: string[] = [];
  const guard = new TableGuard(location, [], ({ what }) => reported.push(what));
  failing.set(call, code);
  const [table] = guard.tables();
  await guard.check(table);
  expect(guard.isKnown(table)).toBe(false);
  expect(guard.stamps).toEqual([]);
  await expect(guard.admitRange(...everything)).rejects.toMatchObject({ code: expected });
  await expect(guard.checkUnknown()).rejects.toMatchObject({ code: expected });
  expect(reported).toEqual([]);
  // As soon as it can be read it is known for what it is.
  failing.clear();
  await expect(guard.admitRange(...everything)).rejects.toMatchObject({ code: 'LOG_CORRUPT' });
  expect(reported.length).toBe(1);
  guard.closed();
});

test('a known table that cannot be looked at is checked again', async () => {
  const guard = new TableGuard(location, []);
  await guard.admitRange(...everything);
  guard.closed();
  failing.set('stat', 'EIO');
  await expect(guard.admitRange(...everything)).rejects.toMatchObject({ code: 'LOG_READ_FAILED' });
  failing.clear();
  await guard.admitRange(...everything);
  expect(guard.stamps.length).toBe(1);
  guard.closed();
});

test.each([
  ['openManifest', 'EMFILE', 'LOG_FILES_EXHAUSTED'],
  ['readFile', 'EMFILE', 'LOG_FILES_EXHAUSTED'],
  ['readFile', 'EIO', 'LOG_CORRUPT'],
])('a MANIFEST that cannot be read is no database without tables: %s, %s', async (call, code, expected) => {
  failing.set(call, code);
  const guard = new TableGuard(location, []);
  await expect(guard.checkUnknown()).rejects.toMatchObject({ code: expected });
  failing.clear();
  await guard.checkUnknown();
  expect(guard.stamps.length).toBe(1);
  guard.closed();
});

test('rounds, and what another thread distrusts, end nothing when files cannot be looked at', async () => {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
  const watch = await TableWatch.begin(dataDir);
  await watch.opened();
  const [{ number }] = watch.store.tables();
  await watch.opened();
  const check = vi.spyOn(watch.store, 'check');
  for (const [call, code] of [
    ['openManifest', 'EMFILE'],
    ['stat', 'EIO'],
  ]) {
    failing.set(call, code);
    watch.distrust(number);
    vi.advanceTimersByTime(1000);
    // A round ends in between.
    await new Promise((resolve) => setImmediate(resolve));
    failing.clear();
  }
  expect(check).toHaveBeenCalled();
  await check.mock.results[0].value;
  await watch.store.admitRange(...everything);
  await watch.end();
  vi.useRealTimers();
});

test('what could not be read once and can be read again is no damage', async () => {
  vi.useFakeTimers({ toFake: ['Date'] });
  const guard = new TableGuard(location, []);
  failing.set('read', 'EIO');
  await expect(guard.admitRange(...everything)).rejects.toMatchObject({ code: 'LOG_CORRUPT' });
  failing.clear();
  vi.setSystemTime(Date.now() + damagedMsMax + 1);
  await guard.admitRange(...everything);
  expect(guard.damages.size).toBe(0);
  guard.closed();
  vi.useRealTimers();
});

test('a table that is right when it is looked at once more is not mended', async () => {
  const watch = await TableWatch.begin(dataDir);
  await watch.opened();
  failing.set('read', 'EIO');
  for (const guard of [watch.store, watch.journal])
    for (const table of guard.tables()) await guard.check(table);
  failing.clear();
  expect(watch.isMendingDue).toBe(true);
  expect(await watch.mend()).toEqual([]);
  expect(watch.store.damages.size + watch.journal.damages.size).toBe(0);
  expect(readdirSync(dataDir).filter((name) => name.startsWith('damaged-'))).toEqual([]);
  await watch.end();
});

test('rounds leave no table out, whatever each database has', async () => {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
  const watch = await TableWatch.begin(dataDir);
  await watch.opened();
  const looked = new Set<number>();
  const keys = { fromKey: Buffer.of(1), toKey: Buffer.of(2), smallest: Buffer.of(1), largest: Buffer.of(2) };
  const manyTables = (count: number) =>
    Array.from({ length: count }, (_, number) => ({ number, level: 1, bytes: 1, ...keys }));
  vi.spyOn(watch.store, 'tables').mockReturnValue(manyTables(200));
  vi.spyOn(watch.journal, 'tables').mockReturnValue(manyTables(100));
  vi.spyOn(watch.journal, 'isKnown').mockReturnValue(true);
  vi.spyOn(watch.store, 'isKnown').mockImplementation(({ number }) => {
    looked.add(number);
    return true;
  });
  for (let round = 0; round < 2; round++) {
    vi.advanceTimersByTime(1000);
    await new Promise((resolve) => setImmediate(resolve));
  }
  expect(looked.size).toBe(200);
  await watch.end();
  vi.useRealTimers();
});

test('a start that has much to check says so, and when it is killed what it has checked is known', async () => {
  const store = await BlockStore.open(location, compressor);
  const sample = new SampleLog(seededRandom(4), {
    didHashKey: store.didHashKey,
    lastTimeUs: store.lastTimeUs,
  });
  for (let block = 0; block < 20; block++) await store.append(withRealFrames(sample.block(200)), false);
  await store.flush();
  await store.close();
  rmSync(`${location}.checked`, { force: true });
  vi.useFakeTimers({ toFake: ['performance'] });
  const known: number[] = [];
  const { check } = TableGuard.prototype;
  vi.spyOn(TableGuard.prototype, 'check').mockImplementation(async function (this: TableGuard, table) {
    known.push((await readStamps(location)).length);
    vi.advanceTimersByTime(10_000);
    await check.call(this, table);
  });
  const told: number[] = [];
  const watch = await TableWatch.begin(dataDir, undefined, (bytes) => told.push(bytes), 1);
  vi.useRealTimers();
  expect(known.slice(0, 2)).toEqual([0, 1]);
  expect(told[0]).toBeGreaterThan(1000);
  await watch.end();
});

test('a database that cannot be looked at is not begun anew', async () => {
  failing.set('stat', 'EIO');
  await expect(BlockStore.open(location, compressor)).rejects.toMatchObject({
    code: 'LOG_READ_FAILED',
    message: expect.stringContaining('CURRENT'),
  });
});

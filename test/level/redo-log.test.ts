// What is written beside a database: LevelDB itself reads the files, and whatever is cut off, the rest is what came before.

import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ClassicLevel } from 'classic-level';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { openDatabase } from '../../lib/level/database.ts';
import { Redo } from '../../lib/level/redo.ts';
import { RedoLog } from '../../lib/level/redo-log.ts';
import { SeededRandom } from '../../lib/seeded-random.ts';

/** Bytes that the disk still takes, and what it waits for before it says that it has something. */
const disk = vi.hoisted(() => ({ bytesLeft: Number.POSITIVE_INFINITY, syncs: Promise.resolve() }));
vi.mock('node:fs', async (importOriginal) => {
  const fs = await importOriginal<typeof import('node:fs')>();
  const writeSync = (file: number, bytes: Uint8Array, from: number, length: number): number => {
    if (disk.bytesLeft === 0)
      throw Object.assign(new Error('ENOSPC: no space left on device'), { code: 'ENOSPC' });
    const taken = Math.min(length, disk.bytesLeft);
    disk.bytesLeft -= taken;
    return fs.writeSync(file, bytes, from, taken);
  };
  const fdatasync = (file: number, done: (error: Error | null) => void): void => {
    void disk.syncs.then(() => fs.fdatasync(file, done));
  };
  return { ...fs, writeSync, fdatasync, default: { ...fs, writeSync, fdatasync } };
});

let location: string;
beforeEach(() => {
  disk.bytesLeft = Number.POSITIVE_INFINITY;
  location = mkdtempSync(join(tmpdir(), 'slipstream-redo-log-'));
});
afterEach(() => rmSync(location, { recursive: true }));

const folder = () => join(location, 'redo');
const files = () => readdirSync(folder()).sort();
const keyOf = (at: number): Buffer => {
  const key = Buffer.alloc(4);
  key.writeUInt32BE(at);
  return key;
};
const textOf = (at: number, length: number): Buffer => Buffer.alloc(length, `${at}.`);

/** Puts values of these lengths, with the keys 1, 2, … */
async function put(log: RedoLog, lengths: readonly number[], sync = false): Promise<void> {
  for (const [at, length] of lengths.entries()) await log.put(keyOf(at + 1), textOf(at + 1, length), sync);
}

/** Length of each value, once it is checked. */
function lengthsOf(entries: readonly (readonly [Uint8Array, Uint8Array])[]): number[] {
  return entries.map(([key, value], at) => {
    expect(Buffer.from(key)).toEqual(keyOf(at + 1));
    expect(Buffer.compare(value, textOf(at + 1, value.length))).toBe(0);
    return value.length;
  });
}

/** What whoever opens the database has of it. */
async function opened(): Promise<number[]> {
  const db = await openDatabase(location, { writeBufferBytes: 1 << 20 });
  const lengths = lengthsOf(await db.iterator().all());
  await db.close();
  return lengths;
}

/** Of all sizes, many of which end near the end of a page of 32 KiB. */
function someLengths(random: SeededRandom): number[] {
  const lengths: number[] = [];
  for (let bytes = 0; bytes < 400_000; bytes += lengths[lengths.length - 1] + 30) {
    const toPage = 32_768 - (bytes % 32_768);
    const isNear = random.chance(0.5);
    lengths.push(isNear ? Math.max(0, toPage - 45 + random.between(0, 30)) : random.between(0, 70_000));
  }
  return lengths;
}

test('LevelDB reads the files as its own', async () => {
  const seed = String(Date.now());
  for (let round = 0; round < 5; round++) {
    const lengths = someLengths(new SeededRandom(seed, String(round)));
    const log = new RedoLog(location, Number.POSITIVE_INFINITY);
    await put(log, lengths);
    await log.close();
    const own = join(location, `own-${round}`);
    const db = new ClassicLevel<Uint8Array, Uint8Array>(own, { keyEncoding: 'view', valueEncoding: 'view' });
    await db.open();
    await db.close();
    cpSync(join(folder(), files()[0]), join(own, '009999.log'));
    await db.open();
    expect(lengthsOf(await db.iterator().all()), `seed ${seed} ${round}`).toEqual(lengths);
    await db.close();
    rmSync(folder(), { recursive: true });
  }
});

test('the next opening puts it into the database, and so does who has it open', async () => {
  const lengths = [10, 40_000, 0, 7];
  const db = await openDatabase(location, { writeBufferBytes: 1 << 20 });
  const log = new RedoLog(location, 1000);
  await put(log, lengths, true);
  await log.close();
  const killed = join(location, 'killed');
  mkdirSync(killed);
  for (const name of readdirSync(location))
    if (name !== 'killed') cpSync(join(location, name), join(killed, name), { recursive: true });
  const redo = await Redo.ofOpen(location);
  await redo.writeTo(db, keyOf(2));
  expect((await db.keys().all()).map((key) => Buffer.from(key))).toEqual([keyOf(3), keyOf(4)]);
  await db.close();
  expect(readdirSync(location)).not.toContain('redo');
  location = killed;
  expect(await opened()).toEqual(lengths);
  expect(await opened()).toEqual(lengths);
  location = join(killed, '..');
});

test('wherever it is cut off, what came before is there', async () => {
  const lengths = [10, 3000, 31_000, 0, 45_000, 8];
  await (await openDatabase(location, { writeBufferBytes: 1 << 20 })).close();
  const log = new RedoLog(location, Number.POSITIVE_INFINITY);
  const ends: number[] = [];
  for (const [at, length] of lengths.entries()) {
    await log.put(keyOf(at + 1), textOf(at + 1, length), false);
    ends.push(log.bytes);
  }
  await log.close();
  const path = join(folder(), files()[0]);
  const bytes = readFileSync(path);
  expect(ends.at(-1)).toBe(bytes.length);
  const cuts = new Set(ends.flatMap((end) => [end - 1, end, end + 1, end + 6, end + 7, end + 20]));
  for (let at = 0; at < bytes.length; at += 997) cuts.add(at);
  for (const cut of [...cuts].filter((at) => at <= bytes.length)) {
    mkdirSync(folder(), { recursive: true });
    writeFileSync(path, bytes.subarray(0, cut));
    const redo = await Redo.ofOpen(location);
    expect(redo.damages, `cut at ${cut}`).toEqual([]);
    const found: [Uint8Array, Uint8Array][] = [];
    await redo.writeTo({
      batch: async (changes) => {
        for (const change of changes) if (change.type === 'put') found.push([change.key, change.value]);
      },
    });
    expect(lengthsOf(found), `cut at ${cut}`).toEqual(
      lengths.slice(0, ends.filter((end) => end <= cut).length),
    );
  }
});

test('files go when all that they hold has been removed, the newest only when it is full', async () => {
  const log = new RedoLog(location, 100);
  await put(log, [60, 60, 60, 60, 60, 60, 60]);
  expect(files()).toEqual(['000001.log', '000002.log', '000003.log', '000004.log']);
  const { bytes } = log;
  await log.removeTo(keyOf(1));
  expect(log.bytes).toBe(bytes);
  await log.removeTo(keyOf(3));
  expect(files()).toEqual(['000002.log', '000003.log', '000004.log']);
  expect(log.bytes).toBeLessThan(bytes);
  await log.removeTo(keyOf(7));
  expect(files()).toEqual(['000004.log']);
  await log.put(keyOf(8), textOf(8, 60), false);
  await log.removeTo(keyOf(7));
  expect(files()).toEqual(['000004.log']);
  await log.removeTo(keyOf(8));
  expect(files()).toEqual([]);
  expect(log.bytes).toBe(0);
  await log.put(keyOf(9), textOf(9, 60), false);
  expect(files()).toEqual(['000005.log']);
  await log.close();
});

test('a disk that is full in the middle of a value takes nothing more until it is opened again', async () => {
  await (await openDatabase(location, { writeBufferBytes: 1 << 20 })).close();
  const log = new RedoLog(location, 1e6);
  await put(log, [100, 100]);
  disk.bytesLeft = 50;
  const failing = log.put(keyOf(3), textOf(3, 100), false);
  await expect(failing).rejects.toMatchObject({ code: 'ENOSPC' });
  disk.bytesLeft = Number.POSITIVE_INFINITY;
  await expect(log.put(keyOf(4), textOf(4, 100), false)).rejects.toMatchObject({ code: 'ENOSPC' });
  await log.close();
  expect(await opened()).toEqual([100, 100]);
});

test('closing waits for what the disk has not said yet', async () => {
  const { promise, resolve } = Promise.withResolvers<void>();
  disk.syncs = promise;
  const log = new RedoLog(location, 1e6);
  let isClosed = false;
  const stored = put(log, [100], true);
  const closed = log.close().then(() => {
    isClosed = true;
  });
  await new Promise(setImmediate);
  expect(isClosed).toBe(false);
  resolve();
  await Promise.all([stored, closed]);
});

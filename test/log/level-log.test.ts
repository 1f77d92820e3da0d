import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { chmod, cp, mkdir, mkdtemp, readdir, rename, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ClassicLevel } from 'classic-level';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { blockKey } from '../../lib/log/block-format.ts';
import { Journal } from '../../lib/log/journal.ts';
import { LevelLog } from '../../lib/log/level-log.ts';
import type { LevelLogOptions } from '../../lib/log/opened-log.ts';
import { fakeCompressor, SampleLog, seededRandom } from '../support/events.ts';
import { textsAfter } from './log-readers.ts';

const levelLogUrl = new URL('../../lib/log/level-log.ts', import.meta.url).href;

let dataDir: string;
let log: LevelLog;

beforeEach(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'slipstream-log-'));
});
afterEach(async () => {
  await log?.close();
  await rm(dataDir, { recursive: true });
});

async function open(options: Partial<LevelLogOptions> = {}): Promise<LevelLog> {
  log = await LevelLog.open({
    dataDir,
    retentionBytes: 0,
    tailBytesMax: 0,
    fsync: false,
    compressor: fakeCompressor,
    ...options,
  });
  return log;
}

function sampleOf(seed: number): SampleLog {
  return new SampleLog(seededRandom(seed), { didHashKey: log.didHashKey, lastTimeUs: log.lastTimeUs });
}

test('a data directory that is a file, or that this user may not use, says so', async () => {
  const file = join(dataDir, 'file');
  await writeFile(file, '');
  await expect(open({ dataDir: file })).rejects.toThrow(
    /^the data directory .*file is a file: name a folder/,
  );
  const closed = join(dataDir, 'closed');
  await mkdir(closed, { mode: 0 });
  // Root may use everything, so that another user has to try.
  if (process.geteuid?.() === 0) await chmod(dataDir, 0o755);
  const source = `await (await import(${JSON.stringify(levelLogUrl)})).LevelLog.open(${JSON.stringify({ dataDir: closed })})`;
  const user = process.geteuid?.() === 0 ? { uid: 65_534, gid: 65_534 } : {};
  const child = spawnSync(process.execPath, ['--input-type=module', '-e', source], { cwd: '/', ...user });
  await chmod(closed, 0o700);
  const said =
    /CodedError: this user may not read and write the data directory .* \(EACCES\): make it this user's/;
  expect(child.stderr.toString()).toMatch(said);
});

test('upstream positions and statistics are those of the last block, and again after reopening', async () => {
  await open();
  const sample = sampleOf(10);
  for (let made = 0; made < 40; made++) await log.append(sample.block(1 + (made % 7)));
  for (const round of ['first', 'reopened']) {
    expect(log.positions, round).toEqual(new Map([['relay.test', 40]]));
    expect(log.stats(), round).toMatchObject({
      firstTimeUs: sample.events[0].time_us,
      lastTimeUs: sample.events.at(-1)?.time_us,
      storedEvents: sample.events.length,
    });
    await log.close();
    await open();
  }
});

test('a block that does not come after the last one is refused', async () => {
  await open();
  const sample = sampleOf(11);
  const first = sample.block(2);
  await log.append(sample.block(2));
  await expect(log.append(first)).rejects.toMatchObject({ code: 'LOG_ORDER' });
});

test('blocks that are in the journal and in the store, as after a crash between the two writes, come once', async () => {
  await open();
  const sample = sampleOf(13);
  const blocks = Array.from({ length: 50 }, () => sample.block(4));
  for (const block of blocks) await log.append(block);
  await log.close();
  const journal = await Journal.open(join(dataDir, 'journal'));
  let previousUs = 0;
  for (const block of blocks) {
    await journal.append(block, previousUs, false);
    previousUs = block.index.lastTimeUs;
  }
  await journal.close();
  await open();
  expect(await textsAfter(log, 0, 'json')).toEqual(sample.events.map((event) => JSON.stringify(event)));
});

test('a copy has small blocks in memory alone: after a death of the process it ends where its store does', async () => {
  await open({ isCopy: true });
  const sample = sampleOf(19);
  for (let made = 0; made < 100; made++) await log.append(sample.block(3));
  const texts = sample.events.map((event) => JSON.stringify(event));
  expect(await textsAfter(log, 0, 'zstd')).toEqual(texts);
  const { firstTimeUs } = log.stats();
  await log.whileStill(async () => {});
  const stored = 100 - log.replicaStart.uncompacted.length;
  expect(stored).toBeGreaterThan(50);
  expect(stored).toBeLessThan(100);
  const dead = join(dataDir, 'dead');
  for (const name of ['blocks', 'journal'])
    await cp(join(dataDir, name), join(dead, name), { recursive: true });

  // As after a full disk: what only memory has is still there.
  await log.recover();
  expect(await textsAfter(log, 0, 'json')).toEqual(texts);
  const next = sample.block(2);
  await log.append(next);
  await log.close();
  await open({ isCopy: true });
  expect(await textsAfter(log, 0, 'json')).toEqual(sample.events.map((event) => JSON.stringify(event)));
  expect(log.positions).toEqual(next.positions);
  await log.close();

  await open({ dataDir: dead, isCopy: true });
  expect(log).toMatchObject({ lastTimeUs: sample.events[stored * 3 - 1].time_us, lostBlocks: 0 });
  expect(log.stats()).toMatchObject({ firstTimeUs, storedEvents: stored * 3 });
  expect(log.coverage.newest(Number.POSITIVE_INFINITY)).toEqual([]);
  expect([...log.positions.values()]).toEqual([stored]);
});

test('a copy goes on after what a journal has, and with one where each write waits for the disk', async () => {
  await open();
  const sample = sampleOf(20);
  const texts = (): string[] => sample.events.map((event) => JSON.stringify(event));
  await log.append(sample.block(3));
  await log.close();
  await open({ isCopy: true });
  expect(await textsAfter(log, 0, 'json')).toEqual(texts());
  await log.append(sample.block(3));
  await log.recover();
  expect(await textsAfter(log, 0, 'json')).toEqual(texts());
  await log.close();
  await open({ isCopy: true, fsync: true });
  await log.append(sample.block(3));
  await log.close();
  const journal = await Journal.open(join(dataDir, 'journal'));
  const { blocks } = await journal.recover(sample.events[5].time_us, async () => {});
  expect(blocks.map(({ index }) => index.count)).toEqual([3]);
  await journal.close();
  await open();
  expect(await textsAfter(log, 0, 'json')).toEqual(texts());
});

test('a directory in use and a newer format are refused by name', async () => {
  await open();
  await log.append(sampleOf(14).block(300));
  await expect(
    LevelLog.open({ dataDir, retentionBytes: 0, tailBytesMax: 0, fsync: false, compressor: fakeCompressor }),
  ).rejects.toMatchObject({
    code: 'LOG_LOCKED',
  });
  await log.close();

  const db = new ClassicLevel<string, Buffer>(join(dataDir, 'blocks'), { valueEncoding: 'buffer' });
  await db.put('aformat', Buffer.from('{"format":7}'));
  await db.close();
  await expect(open()).rejects.toMatchObject({
    code: 'LOG_NEWER_FORMAT',
    message: expect.stringContaining('format 7'),
  });
  await open({ dataDir: join(dataDir, 'other') });
});

test('blocks behind a gap, as a power failure leaves them, are dropped: in the journal and in the store', async () => {
  for (const [database, size] of [
    ['journal', 3],
    ['blocks', 256],
  ] as const) {
    await open();
    const sample = sampleOf(16);
    const before = sample.events.length;
    for (let made = 0; made < 9; made++) await log.append(sample.block(size));
    const kept = [...sample.events].slice(before, before + 6 * size).at(-1)?.time_us as number;
    const gone = sample.events[before + 7 * size - 1].time_us;
    await log.close();
    const raw = new ClassicLevel<Buffer, Buffer>(join(dataDir, database), { keyEncoding: 'buffer' });
    for (const part of [0, 1, 2, 3] as const) await raw.del(blockKey(gone, part));
    await raw.close();
    await open();
    expect(log.lostBlocks).toBe(2);
    expect(log.lastTimeUs).toBe(kept);
    expect([...log.positions.values()]).toEqual([6]);
    const next = new SampleLog(seededRandom(17), { didHashKey: log.didHashKey, lastTimeUs: log.lastTimeUs });
    await log.append(next.block(size));
    await log.close();
    await open();
    expect(log.lostBlocks).toBe(0);
    expect((await textsAfter(log, 0, 'json')).slice(-size)).toEqual(
      next.events.map((event) => JSON.stringify(event)),
    );
    await log.close();
    await rm(dataDir, { recursive: true });
  }
  await open();
});

test('remains of a database are never taken for a new one', async () => {
  await open();
  await log.append(sampleOf(18).block(300));
  await log.close();
  // Reopening turns LevelDB's log file into a table.
  await open();
  await log.close();
  const description = new ClassicLevel<string, Buffer>(join(dataDir, 'blocks'), { valueEncoding: 'buffer' });
  const value = (await description.get('aformat')) as Buffer;
  await description.del('aformat');
  await description.close();
  await expect(open()).rejects.toMatchObject({
    code: 'LOG_CORRUPT',
    message: expect.stringContaining('no description'),
  });

  const restored = new ClassicLevel<string, Buffer>(join(dataDir, 'blocks'), { valueEncoding: 'buffer' });
  await restored.put('aformat', value);
  await restored.close();
  await rename(join(dataDir, 'blocks', 'CURRENT'), join(dataDir, 'CURRENT'));
  const before = await readdir(join(dataDir, 'blocks'));
  await expect(open()).rejects.toMatchObject({
    code: 'LOG_CORRUPT',
    message: expect.stringContaining('no CURRENT'),
  });
  expect(await readdir(join(dataDir, 'blocks'))).toEqual(before);
  await rename(join(dataDir, 'CURRENT'), join(dataDir, 'blocks', 'CURRENT'));
  await open();
  expect((await textsAfter(log, 0, 'json')).length).toBe(300);
  await log.close();

  const table = (await readdir(join(dataDir, 'blocks'))).find((name) => name.endsWith('.ldb')) as string;
  await truncate(join(dataDir, 'blocks', table), 100);
  await expect(open()).rejects.toMatchObject({ code: expect.stringMatching(/^LOG_(CORRUPT|OPEN_FAILED)$/) });
  await rm(dataDir, { recursive: true });
  await open();
});

test('a directory that cannot be written to, or is no directory, is refused by name', async () => {
  await open();
  await log.close();
  const file = join(dataDir, 'file');
  await writeFile(file, '');
  await expect(open({ dataDir: join(file, 'data') })).rejects.toMatchObject({ code: 'LOG_OPEN_FAILED' });
  // Where a folder cannot be made though its parent is there.
  if (!existsSync('/proc/self')) return;
  await expect(open({ dataDir: '/proc/slipstream/data' })).rejects.toMatchObject({ code: 'LOG_OPEN_FAILED' });
  await open();
});

// The journal's own files beside its database: whatever fails between the two, no block that was stored is lost, and none comes back.

import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, truncateSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { writeFailure } from '../../lib/level/database-errors.ts';
import { writeAheadPaths } from '../../lib/level/write-ahead-log.ts';
import { LevelLog } from '../../lib/log/level-log.ts';
import { compressor, withRealFrames } from '../cmd/inspect/sample-log.ts';
import { SampleLog, seededRandom } from '../support/events.ts';
import { digestsOf, servedDigests } from './damaged-log.ts';

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'slipstream-journal-files-'));
});
afterEach(() => rmSync(root, { recursive: true }));

const open = (folder: string): Promise<LevelLog> =>
  LevelLog.open({ dataDir: folder, retentionBytes: 64 * 2 ** 20, tailBytesMax: 0, fsync: false, compressor });

async function appendBlocks(log: LevelLog, sample: SampleLog, blocks: number, size = 20): Promise<void> {
  for (let made = 0; made < blocks; made++) await log.append(withRealFrames(sample.block(size)));
}

const rowsOf = (log: LevelLog) => log.coverage.newest(Number.POSITIVE_INFINITY);
/** A copy of what a killed process leaves. */
function killed(folder: string): string {
  const copy = `${folder}-killed`;
  cpSync(folder, copy, { recursive: true });
  return copy;
}

test('a start that cannot write out what it has found is refused, and a later one has all of it', async () => {
  const folder = join(root, 'log');
  let log = await open(folder);
  const sample = new SampleLog(seededRandom(5), { didHashKey: log.didHashKey });
  await appendBlocks(log, sample, 1, 256);
  await appendBlocks(log, sample, 5);
  const left = killed(folder);
  await log.close();
  // The table that LevelDB would make cannot be made: it says so of nothing but the next write.
  const tables = Array.from({ length: 40 }, (_, at) =>
    join(left, 'journal', `${String(at).padStart(6, '0')}.ldb`),
  );
  for (const path of tables) mkdirSync(path);
  await expect(open(left)).rejects.toMatchObject({ code: 'LOG_WRITE_FAILED' });
  for (const path of tables) if (existsSync(path)) rmSync(path, { recursive: true });
  log = await open(left);
  await appendBlocks(log, sample, 3);
  const again = killed(left);
  await log.close();
  log = await open(again);
  expect(await servedDigests(log)).toEqual(digestsOf(sample));
  expect(rowsOf(log)).toEqual([]);
  await log.close();
});

test('what is cut off at a start does not come back after a kill', async () => {
  const folder = join(root, 'log');
  let log = await open(folder);
  const sample = new SampleLog(seededRandom(5), { didHashKey: log.didHashKey });
  await appendBlocks(log, sample, 1, 256);
  await appendBlocks(log, sample, 14);
  await log.whileStill(async () => {});
  const left = join(root, 'left');
  mkdirSync(left);
  cpSync(join(folder, 'blocks'), join(left, 'blocks'), { recursive: true });
  await appendBlocks(log, sample, 40);
  cpSync(join(folder, 'journal'), join(left, 'journal'), { recursive: true });
  await log.close();
  // A power failure took the oldest files, and the store's last block with what it had replaced. The rest is more than LevelDB holds in
  // memory, so it comes into a table.
  const files = readdirSync(join(left, 'journal', 'redo')).sort();
  expect(files.length).toBeGreaterThan(2);
  for (const name of files.slice(0, 2)) truncateSync(join(left, 'journal', 'redo', name), 0);
  log = await open(left);
  const { lostBlocks } = log;
  const rows = rowsOf(log);
  await appendBlocks(
    log,
    new SampleLog(seededRandom(6), { didHashKey: log.didHashKey, lastTimeUs: log.clockUs }),
    3,
  );
  const events = await servedDigests(log);
  const again = killed(left);
  await log.close();
  log = await open(again);
  expect({ lostBlocks: log.lostBlocks, rows: rowsOf(log) }).toEqual({ lostBlocks: 0, rows });
  expect(await servedDigests(log)).toEqual(events);
  expect(lostBlocks).toBeGreaterThan(0);
  await log.close();
});

test('a file that somebody deletes stops nothing', async () => {
  const log = await open(root);
  const sample = new SampleLog(seededRandom(5), { didHashKey: log.didHashKey });
  await appendBlocks(log, sample, 10);
  const folder = join(root, 'journal', 'redo');
  for (const name of readdirSync(folder)) rmSync(join(folder, name));
  await appendBlocks(log, sample, 200);
  expect(await servedDigests(log)).toEqual(digestsOf(sample));
  await log.close();
});

test('where no file is, LevelDB’s own logs count', async () => {
  const log = await open(root);
  const sample = new SampleLog(seededRandom(5), { didHashKey: log.didHashKey });
  await appendBlocks(log, sample, 1);
  await log.close();
  const journal = join(root, 'journal');
  const paths = await writeAheadPaths(journal);
  expect(paths.length).toBe(1);
  mkdirSync(join(journal, 'redo'));
  expect(await writeAheadPaths(journal)).toEqual(paths);
  const again = await open(root);
  expect(await servedDigests(again)).toEqual(digestsOf(sample));
  await again.close();
});

test('a quota is a full disk, though Node has no name for it', () => {
  const cause = Object.assign(new Error('UNKNOWN: unknown error, write'), { code: 'UNKNOWN', errno: -122 });
  expect(writeFailure('cannot write', cause)).toMatchObject({ code: 'LOG_DISK_FULL', retryable: true });
});

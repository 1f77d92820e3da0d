import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { repairLog } from '../../cmd/inspect/repair.ts';
import { verifyFiles } from '../../cmd/inspect/verification.ts';
import { openDatabase, takeRedo } from '../../lib/level/database.ts';
import { readRecords } from '../../lib/level/record-file.ts';
import type { DatabaseDamage } from '../../lib/level/table-check.ts';
import { readBatch } from '../../lib/level/write-batch.ts';
import { LevelLog } from '../../lib/log/level-log.ts';
import { compressor, withRealFrames } from '../cmd/inspect/sample-log.ts';
import { digestOf, digestsOf, servedDigests } from '../log/damaged-log.ts';
import { SampleLog, seededRandom } from '../support/events.ts';

/** How often the next readings of logs fail, and how. */
const failing = vi.hoisted(() => ({ code: 'EIO', times: 0 }));
vi.mock('node:fs/promises', async (importOriginal) => {
  const fs = await importOriginal<typeof import('node:fs/promises')>();
  return {
    ...fs,
    readFile: async (...args: Parameters<typeof fs.readFile>) => {
      if (String(args[0]).endsWith('.log') && failing.times-- > 0)
        throw Object.assign(new Error(`${failing.code}: i/o error, read`), { code: failing.code });
      return fs.readFile(...args);
    },
  };
});

let dataDir: string;
beforeEach(() => {
  dataDir = mkdtempSync(join(tmpdir(), 'slipstream-write-ahead-'));
});
afterEach(() => {
  failing.times = 0;
  rmSync(dataDir, { recursive: true });
});

const optionsOf = (onDamage?: (damage: DatabaseDamage) => void) => ({
  dataDir,
  retentionBytes: 0,
  tailBytesMax: 0,
  fsync: false,
  compressor,
  onDamage,
});

const storedBlocks = 6;
const journalBlocks = 4;

/**
 * A log as a killed process leaves it, whose databases have no tables yet: all that they hold is in LevelDB's logs, and the journal's.
 * Returns digests of its events, block by block.
 */
async function makeLog(journalled = journalBlocks, stored = storedBlocks): Promise<string[][]> {
  const log = await LevelLog.open(optionsOf());
  const sample = new SampleLog(seededRandom(5), { didHashKey: log.didHashKey });
  const blocks: string[][] = [];
  for (const size of [...Array(stored).fill(256), ...Array(journalled).fill(20)]) {
    const from = sample.events.length;
    await log.append(withRealFrames(sample.block(size)));
    blocks.push(sample.events.slice(from).map((event) => digestOf(JSON.stringify(event))));
  }
  const dead = `${dataDir}-dead`;
  cpSync(dataDir, dead, { recursive: true });
  await log.close();
  rmSync(dataDir, { recursive: true });
  renameSync(dead, dataDir);
  return blocks;
}

const rowsOf = (log: LevelLog): string[] =>
  log.coverage.between(0, Number.MAX_SAFE_INTEGER).map(({ reason }) => reason);

async function expectWhole(blocks: string[][]): Promise<void> {
  const log = await LevelLog.open(optionsOf());
  expect(await servedDigests(log)).toEqual(blocks.flat());
  expect(rowsOf(log)).toEqual([]);
  await log.close();
}

/** The log file of a database that holds all it has. */
function logOf(database: 'blocks' | 'journal'): string {
  const folder = join(dataDir, database, database === 'journal' ? 'redo' : '');
  const names = readdirSync(folder).filter((name) => name.endsWith('.log'));
  expect(names.length).toBe(1);
  return join(folder, names[0]);
}

/** Changes a byte of a record. Returns the offset of the record. */
function damageRecord(path: string, at: number): number {
  const bytes = readFileSync(path);
  const offset = readRecords(bytes).offsets[at];
  bytes[offset + 7 + 40] ^= 1;
  writeFileSync(path, bytes);
  return offset;
}

/** Changes a byte in each page of 32 KiB. */
function damageAll(path: string): void {
  const bytes = readFileSync(path);
  for (let at = 20; at < bytes.length; at += 32_768) bytes[at] ^= 1;
  writeFileSync(path, bytes);
}

test.each(['blocks', 'journal'] as const)(
  'a log of LevelDB’s that cannot be read is not taken for one that is empty: %s',
  async (database) => {
    const blocks = await makeLog();
    const path = logOf(database);
    // LevelDB opens it, cannot read it, and goes on without.
    renameSync(path, `${path}-kept`);
    mkdirSync(path);
    await expect(LevelLog.open(optionsOf())).rejects.toMatchObject({ code: 'LOG_READ_FAILED' });
    rmdirSync(path);
    renameSync(`${path}-kept`, path);
    await expectWhole(blocks);
  },
);

test('a reading that fails is tried again, and the start fails when it stays so', async () => {
  const blocks = await makeLog();
  failing.times = 2;
  await expectWhole(blocks);
  failing.times = Number.POSITIVE_INFINITY;
  await expect(LevelLog.open(optionsOf())).rejects.toMatchObject({
    code: 'LOG_READ_FAILED',
    message: expect.stringMatching(/\d+\.log .*inspect repair/),
  });
  failing.code = 'EMFILE';
  await expect(LevelLog.open(optionsOf())).rejects.toMatchObject({ code: 'LOG_FILES_EXHAUSTED' });
  failing.times = 0;
  await expectWhole(blocks);
});

test('what LevelDB has open is not taken away from it', async () => {
  const log = await LevelLog.open(optionsOf());
  const names = () => readdirSync(join(dataDir, 'blocks')).filter((name) => !name.startsWith('LOG'));
  const before = names();
  await expect(takeRedo(join(dataDir, 'blocks'), async () => {})).rejects.toMatchObject({
    code: 'LOG_LOCKED',
  });
  expect(names()).toEqual(before);
  await log.close();
});

test('a start that is cut off while it writes again is done again', async () => {
  const blocks = await makeLog();
  for (const database of ['blocks', 'journal']) {
    const location = join(dataDir, database);
    for (const changesMax of [0, 3, Number.POSITIVE_INFINITY]) {
      const redo = await takeRedo(location, async () => {});
      expect(readdirSync(location)).toContain('redo');
      // As LevelDB has it when the process ends before all is written, or right behind that.
      const bare = join(dataDir, 'bare');
      renameSync(join(location, 'redo'), bare);
      const db = await openDatabase(location, { writeBufferBytes: 1 << 20 });
      let changes = 0;
      await expect(
        redo?.writeTo({
          batch: async (batch, options) => {
            await db.batch(batch.slice(0, changesMax), options);
            changes += batch.length;
            throw new Error('ended');
          },
        }),
      ).rejects.toMatchObject({ code: 'LOG_WRITE_FAILED' });
      expect(changes).toBeGreaterThan(3);
      await db.close();
      renameSync(bare, join(location, 'redo'));
    }
  }
  await expectWhole(blocks);
  expect(readdirSync(join(dataDir, 'blocks')).filter((name) => /redo|lock-/.test(name))).toEqual([]);
});

test('a damage in the store’s log costs what was there, and a row says so', async () => {
  const blocks = await makeLog();
  // The first record is the log's description.
  const path = logOf('blocks');
  const offset = damageRecord(path, 3);
  expect((await verifyFiles(dataDir)).map((damage) => [damage.path, damage.offset])).toEqual([
    [path, offset],
  ]);
  const told: DatabaseDamage[] = [];
  const log = await LevelLog.open(optionsOf((damage) => told.push(damage)));
  expect(told).toEqual([{ path, offset, what: 'a record is damaged', isFatal: true }]);
  expect(log.tableDamages).toBe(1);
  const events = await servedDigests(log);
  // What shares its page of 32 KiB is lost with it.
  const isLeft = blocks.map((block) => block.every((digest) => events.includes(digest)));
  expect(isLeft.slice(0, 2)).toEqual([true, true]);
  expect(isLeft[2]).toBe(false);
  expect(isLeft.slice(-journalBlocks - 1)).toEqual(Array(journalBlocks + 1).fill(true));
  expect(events).toEqual(blocks.filter((_, at) => isLeft[at]).flat());
  expect(rowsOf(log)).toEqual(['log_damaged']);
  await log.close();
  const aside = readdirSync(dataDir).filter((name) => name.startsWith('damaged-'));
  expect(readdirSync(join(dataDir, aside[0], 'blocks'))).toEqual([path.split('/').at(-1)]);
  expect(await verifyFiles(dataDir)).toEqual([]);
  const again = await LevelLog.open(optionsOf());
  expect(await servedDigests(again)).toEqual(events);
  expect(rowsOf(again)).toEqual(['log_damaged']);
  await again.close();
});

test('a repair keeps what is whole of damaged logs', async () => {
  const blocks = await makeLog();
  damageRecord(logOf('blocks'), 3);
  expect(await repairLog(dataDir)).toMatchObject({ rows: [{ reason: 'log_damaged' }] });
  const log = await LevelLog.open(optionsOf());
  const events = await servedDigests(log);
  const isLeft = blocks.map((block) => block.every((digest) => events.includes(digest)));
  expect(isLeft.slice(0, 2)).toEqual([true, true]);
  expect(isLeft.slice(-journalBlocks - 1)).toEqual(Array(journalBlocks + 1).fill(true));
  expect(events).toEqual(blocks.filter((_, at) => isLeft[at]).flat());
  expect(rowsOf(log)).toEqual(['log_damaged']);
  await log.close();
});

test('a repair of a log whose opening was cut off has all of it', async () => {
  const blocks = await makeLog();
  for (const database of ['blocks', 'journal']) await takeRedo(join(dataDir, database), async () => {});
  await repairLog(dataDir);
  await expectWhole(blocks);
});

test('what is behind a damage in the journal’s log is cut off, and a row says so', async () => {
  const blocks = await makeLog();
  damageRecord(logOf('journal'), 1);
  const told: DatabaseDamage[] = [];
  const log = await LevelLog.open(optionsOf((damage) => told.push(damage)));
  expect(told.length).toBe(1);
  expect(await servedDigests(log)).toEqual(blocks.slice(0, storedBlocks + 1).flat());
  expect(rowsOf(log)).toEqual(['log_cut']);
  await log.close();
});

/** The last rows' words, and that they cover what is lost and are in front of what comes next. */
async function expectEndNoted(blocks: string[][], left: number, reason: string): Promise<void> {
  const told: DatabaseDamage[] = [];
  const log = await LevelLog.open(optionsOf((damage) => told.push(damage)));
  expect(await servedDigests(log)).toEqual(blocks.slice(0, left).flat());
  const [row, ...others] = log.coverage.between(0, Number.MAX_SAFE_INTEGER);
  expect(others).toEqual([]);
  expect(row).toMatchObject({ reason, fromUs: log.lastTimeUs });
  expect(row.toUs).toBeLessThanOrEqual((Date.now() + 1) * 1000);
  expect(log.clockUs).toBe(row.toUs);
  await log.close();
  const again = await LevelLog.open(optionsOf());
  expect(again.coverage.between(0, Number.MAX_SAFE_INTEGER)).toEqual([row]);
  await again.close();
}

test('a damage at the very end of the journal’s log is a row, too', async () => {
  const blocks = await makeLog(2, 1);
  damageRecord(logOf('journal'), 1);
  await expectEndNoted(blocks, blocks.length - 1, 'log_cut');
});

test('a damage at the very end of the store’s log, with nothing in the journal, is a row', async () => {
  const blocks = await makeLog(0, 2);
  const records = readRecords(readFileSync(logOf('blocks'))).offsets.length;
  damageRecord(logOf('blocks'), records - 1);
  await expectEndNoted(blocks, blocks.length - 1, 'log_cut');
});

test('a damage that takes all there was is a row', async () => {
  const blocks = await makeLog(2, 1);
  for (const database of ['blocks', 'journal'] as const) damageAll(logOf(database));
  await expectEndNoted(blocks, 0, 'log_damaged');
});

test('a power failure that takes all there was is a row: nobody knows how far the relay was read', async () => {
  const blocks = await makeLog(2, 1);
  for (const database of ['blocks', 'journal'] as const) {
    const path = logOf(database);
    writeFileSync(path, Buffer.alloc(readFileSync(path).length));
  }
  await expectEndNoted(blocks, 0, 'log_damaged');
});

test('a power failure that takes the end of a log is none: it comes again from the relay', async () => {
  const blocks = await makeLog(2, 1);
  const path = logOf('journal');
  const bytes = readFileSync(path);
  const { offsets } = readRecords(bytes);
  bytes.fill(0, offsets[1]);
  writeFileSync(path, bytes);
  const log = await LevelLog.open(optionsOf());
  expect(await servedDigests(log)).toEqual(blocks.slice(0, -1).flat());
  expect(rowsOf(log)).toEqual([]);
  await log.close();
});

test('a log that is killed before it has anything has no row', async () => {
  const blocks = await makeLog(0, 0);
  expect(blocks).toEqual([]);
  const path = logOf('blocks');
  writeFileSync(path, readFileSync(path).subarray(0, -20));
  const log = await LevelLog.open(optionsOf());
  expect(rowsOf(log)).toEqual([]);
  await log.close();
});

test('a log that is opened again has from memory what its journal’s log has lost', async () => {
  const log = await LevelLog.open(optionsOf());
  const sample = new SampleLog(seededRandom(5), { didHashKey: log.didHashKey });
  for (let block = 0; block < journalBlocks; block++) await log.append(withRealFrames(sample.block(20)));
  damageRecord(logOf('journal'), 1);
  await log.recover();
  const expected = digestsOf(sample);
  expect(await servedDigests(log)).toEqual(expected);
  await log.close();
  await expectWhole([expected]);
});

test('what is between blocks whose deletion is lost and those that are kept is passed over', async () => {
  const log = await LevelLog.open(optionsOf());
  const sample = new SampleLog(seededRandom(5), { didHashKey: log.didHashKey });
  const blocks: string[][] = [];
  const ends: number[] = [];
  const append = async (count: number) => {
    for (; count > 0; count--) {
      const block = withRealFrames(sample.block(256));
      await log.append(block);
      ends.push(block.index.lastTimeUs);
      blocks.push(sample.events.slice(-256).map((event) => digestOf(JSON.stringify(event))));
    }
  };
  await append(8);
  await log.trim(ends[2]);
  await append(3);
  await log.trim(ends[5]);
  await append(1);
  await log.close();
  const path = logOf('blocks');
  const batches = readRecords(readFileSync(path)).records.map(readBatch);
  const deletion = batches.findIndex((batch) => batch?.changes[0].type === 'del');
  damageRecord(path, deletion);
  const again = await LevelLog.open(optionsOf());
  const events = await servedDigests(again);
  const left = blocks.flatMap((block, at) => (block.every((digest) => events.includes(digest)) ? [at] : []));
  expect(events).toEqual(left.flatMap((at) => blocks[at]));
  // The first two came back; those of the second deletion, which was durable, did not.
  expect(left.slice(0, 3)).toEqual([0, 1, 5]);
  expect(left.at(-1)).toBe(11);
  expect(rowsOf(again)).toContain('log_damaged');
  await again.close();
});

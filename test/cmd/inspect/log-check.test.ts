// Logs that are intact, and what is true of every damage. Single damages are tested with the checks that find them.

import { mkdtemp, open, readdir, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { problemMeanings } from '../../../cmd/inspect/problem.ts';
import { ClosedLog } from '../../../cmd/inspect/reader.ts';
import { blockKey, descriptionKey, formatVersion, parts } from '../../../lib/log/block-format.ts';
import { BlockStore } from '../../../lib/log/block-store.ts';
import { Journal } from '../../../lib/log/journal.ts';
import { LevelLog } from '../../../lib/log/level-log.ts';
import { segmentBlocks } from '../../../lib/log/segment-index.ts';
import { SampleLog, seededRandom } from '../../support/events.ts';
import { blockDamages } from './block-damages.ts';
import { blocks, check, named, useDamagedLog } from './damage.ts';
import { journalDamages } from './journal-damages.ts';
import { bytesIn, contentOf, databases, edit, flip, makeFormat1, rewrite } from './raw-log.ts';
import { compressor, makeLog, makeLogOfBlocks, withoutSubjects, withRealFrames } from './sample-log.ts';
import { segmentDamages } from './segment-damages.ts';
import { storeDamages } from './store-damages.ts';
import { subjectDamages } from './subject-damages.ts';

describe('a log that is intact', () => {
  let dataDir: string;
  beforeEach(async () => {
    dataDir = await mkdtemp(join(tmpdir(), 'slipstream-check-'));
  });
  afterEach(() => rm(dataDir, { recursive: true }));

  test('is clean, with compacted blocks, full ones, empty ones and a journal', async () => {
    const sizes = [3, 0, 40, 300, 1, 0, ...Array.from({ length: 60 }, (_, at) => at % 9), 270, 5, 0, 7];
    const { sample, stored, journalled } = await makeLog(dataDir, 70, sizes);
    expect(stored.length).toBeGreaterThan(3);
    expect(journalled.length).toBe(3);
    const before = await contentOf(dataDir);
    const progress: number[] = [];
    const result = await check(dataDir, { onProgress: (events) => progress.push(events) });
    expect(named(result)).toEqual([]);
    expect(result).toMatchObject({
      blocks: stored.length,
      journalBlocks: 3,
      events: sample.events.length,
      segments: 0,
      steppedBack: [],
    });
    expect(result.unchecked.size).toBe(0);
    expect(progress.at(-1)).toBe(sample.events.length);
    expect(await contentOf(dataDir)).toEqual(before);
  });

  test('is clean when it is empty, when its journal was never made, and after trimming within a segment', async () => {
    await makeLog(dataDir, 71, []);
    expect(await check(dataDir)).toMatchObject({ blocks: 0, events: 0, problems: { total: 0 } });
    await rm(join(dataDir, 'journal'), { recursive: true });
    expect(await check(dataDir)).toMatchObject({ blocks: 0, journalBlocks: 0, problems: { total: 0 } });
    const { stored } = await makeLogOfBlocks(dataDir, 72, 2.5 * segmentBlocks, 2, 2);
    for (const trimmed of [100, segmentBlocks - 1, segmentBlocks, segmentBlocks + 1, 2 * segmentBlocks + 5]) {
      const store = await BlockStore.open(join(dataDir, 'blocks'), compressor);
      await store.trim(stored[trimmed], 0);
      await store.close();
      const result = await check(dataDir);
      expect(named(result), String(trimmed)).toEqual([]);
      expect(result).toMatchObject({
        blocks: stored.length - trimmed,
        segments: [2, 2, 1, 1, 0][[100, 255, 256, 257, 517].indexOf(trimmed)],
      });
    }
  });

  test('is clean while the journal still has what was compacted', async () => {
    const { sample } = await makeLogOfBlocks(dataDir, 73, 0, 0);
    const store = await BlockStore.open(join(dataDir, 'blocks'), compressor);
    const again = new SampleLog(seededRandom(74), { didHashKey: store.didHashKey });
    const journal = await Journal.open(join(dataDir, 'journal'));
    for (let made = 0; made < 4; made++) {
      const block = withRealFrames(again.block(3));
      await store.append(block, false);
      if (made > 1) await journal.append(block, 0, false);
    }
    await journal.close();
    await store.close();
    expect(sample.events).toEqual([]);
    expect(await check(dataDir)).toMatchObject({ problems: { total: 0 }, blocks: 4, journalBlocks: 2 });
    const trimmed = await BlockStore.open(join(dataDir, 'blocks'), compressor);
    await trimmed.trim(trimmed.lastTimeUs, 0);
    await trimmed.close();
    expect(await check(dataDir)).toMatchObject({ problems: { total: 0 }, blocks: 1, journalBlocks: 2 });
  });

  test('says which dictionary is not at hand, and checks all else', async () => {
    const { sample, stored } = await makeLog(dataDir, 75, [300, 4]);
    const result = await check(dataDir, { decompressorOf: () => undefined });
    expect(result.problems.total).toBe(0);
    expect(result.unchecked).toEqual(new Map([[compressor.dictionaryId, sample.events.length]]));
    await edit(dataDir, 'blocks', (db) => flip(db, blockKey(stored[0], parts.zstd), 100));
    expect(named(await check(dataDir, { decompressorOf: () => undefined }))).toEqual([
      `zstd_checksum store ${stored[0]}`,
    ]);
  });

  test('is clean when it is of format 1, and when it has become one of today', async () => {
    const { sample } = await makeLogOfBlocks(dataDir, 77, 2 * segmentBlocks - 3, 3, 3, withoutSubjects);
    await makeFormat1(dataDir);
    const formatOf = async (): Promise<number | undefined> => {
      const reader = await ClosedLog.open(dataDir);
      await reader.close();
      return reader.description?.format;
    };
    expect(await formatOf()).toBe(1);
    expect(await check(dataDir)).toMatchObject({ problems: { total: 0 }, segments: 1, journalBlocks: 3 });
    const options = { dataDir, retentionBytes: 0, tailBytesMax: 0, fsync: false, compressor };
    const log = await LevelLog.open(options);
    const { didHashKey, lastTimeUs } = log;
    const newer = new SampleLog(seededRandom(78), { didHashKey, lastTimeUs, textBytesMax: 10 });
    // The first is compacted with what the journal has, and the others end the segment.
    for (const size of [255, 256, 256, 256, 5])
      await log.append(await log.resolve(withRealFrames(newer.block(size))));
    await log.close();
    expect(await formatOf()).toBe(formatVersion);
    const result = await check(dataDir);
    expect(named(result)).toEqual([]);
    expect(result).toMatchObject({
      events: sample.events.length + newer.events.length,
      segments: 2,
      bytes: (await bytesIn(dataDir, 'blocks')) + (await bytesIn(dataDir, 'journal')),
    });
  });

  test('is not looked into when it is of a later format', async () => {
    await makeLog(dataDir, 79, [3]);
    await edit(dataDir, 'blocks', (db) =>
      db.put(descriptionKey, Buffer.from(`{"format":${formatVersion + 1}}`)),
    );
    await expect(check(dataDir)).rejects.toMatchObject({
      code: 'LOG_NEWER_FORMAT',
      message: expect.stringContaining(
        `has format ${formatVersion + 1}, this version reads those up to ${formatVersion}`,
      ),
    });
  });

  test('notes positions that go back, unless the relay was forgotten in between', async () => {
    const { stored } = await makeLogOfBlocks(dataDir, 76, 6, 0);
    await edit(dataDir, 'blocks', async (db) => {
      await rewrite(db, stored[2], (block) => {
        block.positions = new Map();
      });
      await rewrite(db, stored[5], (block) => {
        block.positions = new Map([['relay.test', 2]]);
      });
    });
    const result = await check(dataDir);
    // The rewritten heads have other lengths than the totals of the blocks behind them say.
    expect(new Set(result.problems.counts.keys())).toEqual(new Set(['block_totals']));
    expect(result.steppedBack).toEqual([{ timeUs: stored[5], relay: 'relay.test', from: 5, to: 2 }]);
  });
});

describe('damage is found', () => {
  const log = useDamagedLog();

  test('whichever bit of whichever value is flipped', async () => {
    const seed = Math.floor(Math.random() * 2 ** 32);
    const random = seededRandom(seed);
    for (let round = 0; round < 8; round++) {
      const name = databases[round % 4 === 0 ? 1 : 0];
      const undo = await edit(log.dataDir, name, async (db) => {
        const keys = await db.keys({ gte: Buffer.from('b') }).all();
        const key = keys[Math.floor(random() * keys.length)];
        const value = (await db.get(key))!;
        await flip(db, key, Math.floor(random() * value.length * 8));
        return { key, value };
      });
      expect(
        (await check(log.dataDir, { listedMax: 5 })).problems.total,
        `seed ${seed}, round ${round}`,
      ).toBeGreaterThan(0);
      await edit(log.dataDir, name, (db) => db.put(undo.key, undo.value));
    }
    expect((await check(log.dataDir)).problems.total, `seed ${seed}`).toBe(0);
  });

  test('a table that LevelDB must not see, before LevelDB does', async () => {
    await edit(log.dataDir, 'blocks', (db) => db.compactRange(Buffer.from('a'), Buffer.from('c')));
    const folder = join(log.dataDir, 'blocks');
    const tables = (await readdir(folder)).filter((file) => file.endsWith('.ldb')).toSorted();
    const sizes = await Promise.all(tables.map(async (file) => (await stat(join(folder, file))).size));
    const largest = sizes.indexOf(Math.max(...sizes));
    const table = await open(join(folder, tables[largest]), 'r+');
    const damage = Buffer.alloc(Math.floor(sizes[largest] / 10), 0xff);
    await table.write(damage, 0, damage.length, Math.floor(sizes[largest] / 10));
    await table.close();
    await expect(check(log.dataDir)).rejects.toMatchObject({
      code: 'LOG_CORRUPT',
      message: expect.stringMatching(`${tables[largest]}, at offset \\d+: `),
    });
  });

  test('problems beyond the bound are counted', async () => {
    await edit(log.dataDir, 'blocks', async (db) => {
      for (const timeUs of log.written.stored) await flip(db, blockKey(timeUs, parts.zstd), 20);
    });
    const { problems } = await check(log.dataDir, { listedMax: 10 });
    expect(problems.listed.length).toBe(10);
    expect(problems.total).toBe(blocks);
    expect(problems.counts).toEqual(new Map([['zstd_checksum', blocks]]));
  });

  test('every name there is', () => {
    const damages = [...blockDamages, ...storeDamages, ...segmentDamages, ...subjectDamages];
    const tested = new Set([
      ...damages.flatMap(({ expected }) => expected.map((name) => name.split(' ')[0])),
      ...journalDamages.flatMap(({ expected }) => expected),
      'read_failed',
    ]);
    expect([...tested].toSorted()).toEqual(Object.keys(problemMeanings).toSorted());
  });
});

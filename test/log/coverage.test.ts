import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ClassicLevel } from 'classic-level';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { checkLog } from '../../cmd/inspect/log-check.ts';
import { ClosedLog } from '../../cmd/inspect/reader.ts';
import { Clock } from '../../lib/event/clock.ts';
import type { CoverageFinding, CoverageRow } from '../../lib/event/coverage.ts';
import { DidHasher } from '../../lib/event/did-hash.ts';
import type { Block } from '../../lib/log/block.ts';
import { BlockBuilder, blockCoverageMax } from '../../lib/log/block-builder.ts';
import { blockKey, descriptionKey } from '../../lib/log/block-format.ts';
import { coverageKey, coverageKeysEnd, writeCoverage } from '../../lib/log/coverage-format.ts';
import {
  CoverageIntake,
  CoverageLedger,
  coverageRowsMax,
  rowKindsMax,
  singleRowsMax,
} from '../../lib/log/coverage-ledger.ts';
import { LevelLog } from '../../lib/log/level-log.ts';
import type { LevelLogOptions } from '../../lib/log/opened-log.ts';
import { fakeCompressor, SampleLog, seededRandom } from '../support/events.ts';
import { openReplica, type ReadLog } from './log-readers.ts';

const gap: CoverageFinding = { reason: 'relay_gap', relay: 'relay.test', fromSeq: 5, toSeq: 9 };
const allUs = Number.MAX_SAFE_INTEGER;

let dataDir: string;
let log: LevelLog;

beforeEach(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'slipstream-coverage-'));
});
afterEach(async () => {
  await log?.close();
  await rm(dataDir, { recursive: true });
});

async function open(options: Partial<LevelLogOptions> = {}): Promise<LevelLog> {
  await log?.close();
  const usual = {
    dataDir,
    retentionBytes: 0,
    tailBytesMax: 1_000_000,
    fsync: false,
    compressor: fakeCompressor,
  };
  log = await LevelLog.open({ ...usual, ...options });
  return log;
}

function sampleOf(seed: number): SampleLog {
  return new SampleLog(seededRandom(seed), {
    didHashKey: log.didHashKey,
    lastTimeUs: log.clockUs,
    textBytesMax: 100,
  });
}

/** Stores blocks of `size` events, each with a row in front of its events; the rows as an oracle has them. */
async function appendCovered(sample: SampleLog, blocks: number, size: number): Promise<CoverageRow[]> {
  const rows: CoverageRow[] = [];
  for (let made = 0; made < blocks; made++) {
    sample.builder.cover({ ...gap, fromSeq: made });
    const block = sample.block(size);
    rows.push(...(block.coverage as CoverageRow[]));
    await log.append(block);
  }
  return rows;
}

function rowsOf(reader: Pick<LevelLog, 'coverage'>): readonly CoverageRow[] {
  return reader.coverage.between(0, allUs);
}

/** Keys of rows in the store, by their place. */
async function storedPlaces(): Promise<number[]> {
  const db = new ClassicLevel<Buffer, Buffer>(join(dataDir, 'blocks'), {
    keyEncoding: 'buffer',
    valueEncoding: 'buffer',
  });
  const keys = await db.keys({ gte: coverageKey(0), lt: coverageKeysEnd }).all();
  await db.close();
  return keys.map((key) => Number(key.readBigUInt64BE(1)));
}

/** Changes the store of a log that is closed. */
async function edited<T>(change: (db: ClassicLevel<Buffer, Buffer>) => Promise<T>): Promise<T> {
  const db = new ClassicLevel<Buffer, Buffer>(join(dataDir, 'blocks'), {
    keyEncoding: 'buffer',
    valueEncoding: 'buffer',
  });
  try {
    return await change(db);
  } finally {
    await db.close();
  }
}

/** What `inspect verify` finds, apart from zstd. */
async function problems(): Promise<string[]> {
  const reader = await ClosedLog.open(dataDir);
  const result = await checkLog(reader, { decompressorOf: () => undefined });
  await reader.close();
  return result.problems.listed.map(({ code, timeUs }) => `${code} ${timeUs}`);
}

describe('rows are where the events are', () => {
  test('in memory, in the journal and in the store, before and after compaction and reopening', async () => {
    for (const size of [3, 40, 300]) {
      await open();
      const before = rowsOf(log).length;
      const rows = await appendCovered(sampleOf(size), 20, size);
      expect(rowsOf(log).slice(before)).toEqual(rows);
      await open();
      expect(rowsOf(log).slice(before)).toEqual(rows);
      expect(log.coverage.between(rows[2].toUs, rows[5].toUs)).toEqual(rows.slice(3, 6));
      expect(log.coverage.nextNotice(rows[2].toUs, allUs)).toEqual(rows[3]);
      expect(log.coverage.nextNotice(rows[2].toUs, rows[3].toUs - 1)).toBeUndefined();
    }
    await log.close();
    expect((await storedPlaces()).length).toBeGreaterThan(30);
    expect(await problems()).toEqual([]);
  });

  test('a block of rows alone is stored, and a row behind the last event belongs to its block', async () => {
    await open();
    const sample = sampleOf(1);
    sample.builder.cover(gap);
    const alone = sample.builder.seal(fakeCompressor);
    await log.append(alone);
    const some = sample.builder.mark();
    await log.append(sample.block(0));
    expect(alone.index.count).toBe(0);
    // The marked place is gone by with the block after it, and two findings do not share one.
    sample.builder.cover(gap, some);
    const other = sample.builder.mark();
    sample.builder.cover(gap, other);
    sample.builder.cover(gap, other);
    const block = sample.block(300);
    sample.builder.cover(gap);
    const next = sample.block(0);
    await log.append(block);
    await log.append(next);
    const places = rowsOf(log).map(({ toUs }) => toUs);
    expect(places).toHaveLength(5);
    expect(new Set(places).size).toBe(5);
    expect(rowsOf(log)[1].fromUs).toBe(some.fromUs);
    let endUs = 0;
    for (const { index, coverage = [] } of [alone, block, next] as Block[]) {
      for (const { toUs } of coverage) expect(toUs > endUs && toUs <= index.lastTimeUs).toBe(true);
      endUs = index.lastTimeUs;
    }
    await open();
    expect(rowsOf(log).map(({ toUs }) => toUs)).toEqual(places);
    expect(log.clockUs).toBe(log.lastTimeUs);
  });

  test('retention takes rows with their events', async () => {
    await open();
    const rows = await appendCovered(sampleOf(2), 12, 256);
    // The row may be the first of its block, a microsecond after the one before.
    const trimmedUs = rows[7].toUs;
    await log.trim(trimmedUs);
    const kept = rows.slice(7);
    expect(rowsOf(log)).toEqual(kept);
    expect(log.oldestUs).toBeLessThanOrEqual(kept[0].toUs);
    await open();
    expect(rowsOf(log)).toEqual(kept);
    await log.close();
    expect(await storedPlaces()).toEqual(kept.map(({ toUs }) => toUs));
    expect(await problems()).toEqual([]);
  });

  test('replicas have the same rows, also when they start later and after a trim', async () => {
    const replicated = await openReplica({ dataDir });
    const both = async (): Promise<void> => {
      replicated.catchUp();
      expect(rowsOf(replicated.reader as unknown as LevelLog)).toEqual(rowsOf(replicated.log));
    };
    const sample = new SampleLog(seededRandom(3), {
      didHashKey: replicated.log.didHashKey,
      textBytesMax: 100,
    });
    const append = async (to: ReadLog, size: number): Promise<void> => {
      sample.builder.cover({ ...gap, reason: 'frame_dropped' });
      await to.append(await to.log.resolve(sample.block(size)));
    };
    for (const size of [3, 0, 300, 20, 256, 4]) await append(replicated, size);
    await both();
    expect(rowsOf(replicated.log)).toMatchObject([{ count: 6 }]);
    await replicated.log.trim(sample.events[310].time_us);
    await both();
    expect(replicated.reader.oldestUs).toBe(replicated.log.oldestUs);
    await replicated.close();
    const again = await openReplica({ dataDir });
    expect(rowsOf(again.reader as unknown as LevelLog)).toEqual(rowsOf(again.log));
    await again.close();
  });
});

describe('the end of the log was lost', () => {
  for (const [database, size] of [
    ['journal', 3],
    ['blocks', 256],
  ] as const) {
    test(`a row says so before ${database} is cut, and stays whatever happens then`, async () => {
      await open();
      const sample = sampleOf(4);
      for (let made = 0; made < 9; made++) {
        if (made === 8) sample.builder.cover(gap);
        await log.append(sample.block(size));
      }
      const endUs = sample.events[6 * size - 1].time_us;
      const lostUs = log.lastTimeUs;
      await log.close();
      const raw = new ClassicLevel<Buffer, Buffer>(join(dataDir, database), { keyEncoding: 'buffer' });
      for (const part of [0, 1, 2, 3] as const)
        await raw.del(blockKey(sample.events[7 * size - 1].time_us, part));
      await raw.close();
      const row = { reason: 'log_cut', relay: '', fromUs: endUs, toUs: lostUs + 1, count: 1 };
      for (let opened = 0; opened < 3; opened++) {
        await open();
        expect(rowsOf(log)).toEqual([row]);
        expect(log.clockUs).toBe(lostUs + 1);
      }
      const next = sampleOf(5);
      const first = next.block(2);
      expect(first.index.firstTimeUs).toBeGreaterThan(lostUs + 1);
      await log.append(first);
      await open();
      expect(rowsOf(log)).toEqual([row]);
      await log.close();
      expect(await problems()).toEqual([]);
    });
  }
});

test('a crash between the row of a cut and the cut leaves one row', async () => {
  await open();
  const sample = sampleOf(11);
  for (let made = 0; made < 9; made++) await log.append(sample.block(256));
  await log.close();
  const gone = sample.events[7 * 256 - 1].time_us;
  const parts = await edited((db) => db.getMany([0, 1, 2, 3, 5].map((part) => blockKey(gone, part as 0))));
  expect(parts.filter((part) => part !== undefined).length).toBeGreaterThan(2);
  await edited((db) =>
    db.batch([0, 1, 2, 3, 5].map((part) => ({ type: 'del', key: blockKey(gone, part as 0) }))),
  );
  // What a start does first, and no more.
  const place = log.lastTimeUs + 1;
  const row: CoverageRow = {
    reason: 'log_cut',
    relay: '',
    fromUs: sample.events[6 * 256 - 1].time_us,
    toUs: place,
    count: 1,
  };
  await edited((db) => db.put(coverageKey(place), writeCoverage(row)));
  for (let opened = 0; opened < 2; opened++) {
    await open();
    expect(log.lostBlocks).toBe(opened === 0 ? 2 : 0);
    expect(rowsOf(log)).toEqual([row]);
  }
});

test('rows are the same after the databases were opened again, for replicas too', async () => {
  const replicated = await openReplica({ dataDir });
  const sample = new SampleLog(seededRandom(12), {
    didHashKey: replicated.log.didHashKey,
    textBytesMax: 100,
  });
  const before: CoverageRow[] = [];
  for (const size of [300, 3, 0, 256, 5]) {
    sample.builder.cover({ ...gap, relay: `relay${size}.test` });
    const block = await replicated.log.resolve(sample.block(size));
    before.push(...(block.coverage ?? []));
    await replicated.append(block);
  }
  await replicated.log.recover();
  replicated.catchUp();
  for (const { coverage } of [replicated.log, replicated.reader])
    expect(coverage.between(0, allUs)).toEqual(before);
  await replicated.close();
});

describe('few rows', () => {
  test('dropped frames of one kind are one row a minute, over blocks, compaction and reopening', async () => {
    await open();
    let nowMs = 1_700_000_000_000;
    const builder = new BlockBuilder(new Clock(0, () => nowMs), new DidHasher(log.didHashKey), new Map());
    const store = async (detail: string): Promise<void> => {
      builder.cover({ reason: 'frame_dropped', relay: 'relay.test', fromSeq: nowMs, toSeq: nowMs, detail });
      await log.append(await log.resolve(builder.seal(fakeCompressor)));
    };
    for (let made = 0; made < 1200; made++) {
      nowMs += 100;
      await store(made % 3 === 0 ? 'bad_car' : 'bad_cbor');
    }
    const expectRows = (): void => {
      expect(rowsOf(log)).toMatchObject([
        { detail: 'bad_car', count: 200, fromSeq: 1_700_000_000_100, toSeq: 1_700_000_059_800 },
        { detail: 'bad_cbor', count: 400, fromSeq: 1_700_000_000_200 },
        { detail: 'bad_car', count: 200 },
        { detail: 'bad_cbor', count: 400, toSeq: 1_700_000_120_000 },
      ]);
    };
    expectRows();
    expect(log.coverageTotals.get('frame_dropped')).toBe(1200);
    await open();
    expectRows();
    await log.close();
    expect(await problems()).toEqual([]);
  });

  test('other reasons are single rows up to a bound a minute, and kinds have one too', () => {
    const intake = new CoverageIntake();
    const ledger = new CoverageLedger();
    let toUs = 1e15;
    const find = (finding: CoverageFinding): void => {
      toUs += 10;
      ledger.add(intake.admit([{ ...finding, fromUs: toUs - 10, toUs, count: 1 }]));
    };
    for (let found = 0; found < 100; found++) find({ ...gap, detail: String(found) });
    const rows = ledger.between(0, allUs);
    expect(rows).toHaveLength(singleRowsMax);
    expect(rows.at(-1)).toMatchObject({ count: 101 - singleRowsMax, toUs });
    for (let found = 0; found < 10_000; found++) find({ ...gap, relay: `relay${found}.test` });
    expect(ledger.between(0, allUs).length).toBeLessThanOrEqual((rowKindsMax + 1) * singleRowsMax);
    const counted = ledger.between(0, allUs).reduce((sum, { count }) => sum + count, 0);
    expect(counted).toBe(10_100);
  });

  test('memory keeps the newest ones and says from where on', () => {
    const ledger = new CoverageLedger();
    const row = (toUs: number): CoverageRow => ({ ...gap, fromUs: toUs - 1, toUs, count: 1 });
    for (let toUs = 10; toUs < 10 + 3 * coverageRowsMax; toUs++) ledger.add([row(toUs)]);
    const rows = ledger.between(0, allUs);
    expect(rows.length).toBeLessThan(1.1 * coverageRowsMax);
    expect(ledger.droppedUs).toBe(rows[0].toUs - 1);
    expect(ledger.newest(2)).toEqual(rows.slice(-2));
  });
});

test('a log from before the ledger opens, goes on, and is of the new format', async () => {
  await open();
  const sample = sampleOf(6);
  for (let made = 0; made < 5; made++) await log.append(sample.block(3));
  await log.close();
  const db = new ClassicLevel<Buffer, Buffer>(join(dataDir, 'blocks'), {
    keyEncoding: 'buffer',
    valueEncoding: 'buffer',
  });
  const description = JSON.parse(String(await db.get(descriptionKey)));
  await db.put(descriptionKey, Buffer.from(JSON.stringify({ ...description, format: 2 })));
  await db.close();
  await open();
  expect(rowsOf(log)).toEqual([]);
  const rows = await appendCovered(sampleOf(7), 2, 300);
  await open();
  expect(rowsOf(log)).toEqual(rows);
});

test('a damaged row is left out and said to be, and verify names it', async () => {
  await open();
  const rows = await appendCovered(sampleOf(8), 3, 300);
  await log.close();
  const { toUs } = rows[1];
  await edited(async (db) => {
    const value = (await db.get(coverageKey(toUs))) as Buffer;
    value[10] ^= 1;
    await db.put(coverageKey(toUs), value);
  });
  expect(await problems()).toEqual([`coverage_damaged ${toUs}`]);
  await open();
  expect(rowsOf(log)).toEqual([rows[0], rows[2]]);
  expect(log.coverage.droppedUs).toBe(toUs);
});

test('bad frames of one kind are one row of a block, and a block is full after so many rows', async () => {
  await open();
  const { builder } = sampleOf(13);
  const bad = (detail: string): void =>
    builder.cover({ reason: 'frame_dropped', relay: 'relay.test', detail, fromSeq: 5, toSeq: 5 });
  for (let frame = 0; frame < 1000; frame++) bad('bad_car');
  expect(builder.isFull).toBe(false);
  const { coverage } = await log.resolve(builder.seal(fakeCompressor));
  expect(coverage).toMatchObject([{ count: 1000 }]);
  expect(log.coverageTotals.get('frame_dropped')).toBe(1000);
  let kinds = 0;
  for (; !builder.isFull; kinds++) bad(`kind ${kinds}`);
  expect(kinds).toBe(blockCoverageMax);
});

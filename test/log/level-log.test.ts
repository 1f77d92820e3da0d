import { mkdtemp, readdir, rename, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ClassicLevel } from 'classic-level';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { firstEventAfter } from '../../lib/log/block.ts';
import { blockKey } from '../../lib/log/block-format.ts';
import { Journal } from '../../lib/log/journal.ts';
import { LevelLog, type LevelLogOptions } from '../../lib/log/level-log.ts';
import { fakeCompressor, payloadsOf, SampleLog, seededRandom, unfake } from '../support/events.ts';

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

/** All payloads after `timeUs`, read as a subscriber reads them. */
async function replay(timeUs: number, encoding: 'json' | 'zstd', bytesMax: number): Promise<string[]> {
  const texts: string[] = [];
  for (;;) {
    const { slices } = await log.read(timeUs, encoding, bytesMax);
    if (slices.length === 0) return texts;
    for (const { index, messages } of slices) {
      const payloads = payloadsOf(messages, encoding === 'json' ? 0x81 : 0x82).slice(
        firstEventAfter(index, timeUs),
      );
      texts.push(
        ...payloads.map((payload) =>
          encoding === 'json' ? Buffer.from(payload).toString() : unfake(payload),
        ),
      );
      timeUs = index.lastTimeUs;
    }
  }
}

test('what is appended is read back from any position in both encodings, and again after reopening', async () => {
  await open();
  const sample = sampleOf(10);
  for (let made = 0; made < 40; made++) await log.append(sample.block(1 + (made % 7)));
  const { didHashKey } = log;
  for (const round of ['first', 'reopened']) {
    for (const from of [0, 1, 50, sample.events.length - 1]) {
      const expected = sample.events.slice(from).map((event) => JSON.stringify(event));
      const after = sample.events[from].time_us - 1;
      expect(await replay(after, 'json', 1), round).toEqual(expected);
      expect(await replay(after, 'zstd', 300_000), round).toEqual(expected);
    }
    expect(log.lastTimeUs).toBe(sample.events.at(-1)?.time_us);
    expect(log.positions).toEqual(new Map([['relay.test', 40]]));
    expect(log.didHashKey).toEqual(didHashKey);
    expect(log.stats()).toMatchObject({
      firstTimeUs: sample.events[0].time_us,
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

test('events stay readable from the journal, through compaction and in the store', async () => {
  await open({ tailBytesMax: 1 });
  const sample = sampleOf(12);
  for (let made = 0; made < 400; made++) {
    await log.append(sample.block(Math.floor(made % 5)));
    if (made % 40 === 0) {
      const expected = sample.events.map((event) => JSON.stringify(event));
      expect(await replay(0, made % 80 === 0 ? 'json' : 'zstd', 100_000)).toEqual(expected);
    }
  }
  await log.close();
  await open();
  expect(await replay(0, 'zstd', 1e9)).toEqual(sample.events.map((event) => JSON.stringify(event)));
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
  expect(await replay(0, 'json', 1e9)).toEqual(sample.events.map((event) => JSON.stringify(event)));
});

test('a directory in use, a newer format and a damaged block are refused by name', async () => {
  await open();
  await log.append(sampleOf(14).block(300));
  await expect(
    LevelLog.open({ dataDir, retentionBytes: 0, tailBytesMax: 0, fsync: false, compressor: fakeCompressor }),
  ).rejects.toMatchObject({
    code: 'LOG_LOCKED',
  });
  await log.close();

  const db = new ClassicLevel<string, Buffer>(join(dataDir, 'blocks'), { valueEncoding: 'buffer' });
  const description = await db.get('aformat');
  await db.put('aformat', Buffer.from('{"format":3}'));
  await db.close();
  await expect(open()).rejects.toMatchObject({
    code: 'LOG_NEWER_FORMAT',
    message: expect.stringContaining('format 3'),
  });

  const raw = new ClassicLevel<Buffer, Buffer>(join(dataDir, 'blocks'), {
    keyEncoding: 'buffer',
    valueEncoding: 'buffer',
  });
  await raw.put(Buffer.from('aformat'), description as Buffer);
  const [[key, json]] = (await raw.iterator({ gte: Buffer.from('b') }).all()).filter(([key]) => key[9] === 1);
  json[5] ^= 1;
  await raw.put(key, json);
  await raw.close();
  await open();
  await expect(log.read(0, 'json', 1e6)).rejects.toMatchObject({ code: 'LOG_CORRUPT' });
  expect((await log.read(0, 'zstd', 1e6)).slices.length).toBe(1);
});

test('events from before a change of dictionary are compressed with the new one', async () => {
  await open();
  const sample = sampleOf(15);
  for (let made = 0; made < 60; made++) await log.append(sample.block(10));
  await log.close();
  const other: typeof fakeCompressor = {
    dictionaryId: 8,
    compress(source, start, end, out) {
      out.bytes(Buffer.from('other dictionary:'));
      out.bytes(source, start, end);
    },
  };
  await open({ compressor: other });
  const texts: string[] = [];
  for (let timeUs = 0; timeUs < log.lastTimeUs; ) {
    for (const { index, messages } of (await log.read(timeUs, 'zstd', 1e6)).slices) {
      texts.push(...payloadsOf(messages, 0x82).map((payload) => `${Buffer.from(payload)}`));
      timeUs = index.lastTimeUs;
    }
  }
  expect(texts).toEqual(sample.events.map((event) => `other dictionary:${JSON.stringify(event)}`));
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
    expect((await replay(0, 'json', 1e9)).slice(-size)).toEqual(
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
  expect((await replay(0, 'json', 1e9)).length).toBe(300);
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
  await open();
});

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ClassicLevel } from 'classic-level';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { firstEventAfter } from '../../lib/log/block-index.ts';
import { LevelLog, type LevelLogOptions } from '../../lib/log/level-log.ts';
import { payloadsOf, SampleLog, seededRandom, unfake } from '../support/events.ts';

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
  log = await LevelLog.open({ dataDir, retentionBytes: 0, tailBytesMax: 0, fsync: false, ...options });
  return log;
}

function sampleOf(seed: number): SampleLog {
  return new SampleLog(seededRandom(seed), { didHashKey: log.didHashKey, lastTimeUs: log.lastTimeUs });
}

/** All payloads after `timeUs`, read as a subscriber reads them. */
async function replay(timeUs: number, encoding: 'json' | 'zstd', bytesMax: number): Promise<string[]> {
  const texts: string[] = [];
  for (;;) {
    const slices = await log.read(timeUs, encoding, bytesMax);
    if (slices.length === 0) return texts;
    for (const { index, frames } of slices) {
      const payloads = payloadsOf(frames, encoding === 'json' ? 0x81 : 0x82).slice(
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
  const { storedBytes } = log.stats();
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
      storedBytes,
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

test('trim deletes by age, keeps the newest block, and readers go on at the oldest that is left', async () => {
  await open();
  let nowMs = 1_700_000_000_000;
  const sample = new SampleLog(seededRandom(12), { didHashKey: log.didHashKey, nowMs: () => nowMs });
  for (let made = 0; made < 600; made++) {
    nowMs += 1000;
    await log.append(sample.block(2));
  }
  const cutUs = sample.events[1000].time_us;
  const trimmed = await log.trim(cutUs);
  expect(trimmed).toMatchObject({ blocks: 500, events: 1000 });
  expect(log.stats().storedEvents).toBe(200);
  expect(log.stats().firstTimeUs).toBe(cutUs);
  expect((await replay(0, 'json', 1e6)).length).toBe(200);
  expect(await log.trim(cutUs)).toEqual({ blocks: 0, events: 0, bytes: 0 });
  await log.trim(Number.MAX_SAFE_INTEGER);
  expect((await replay(0, 'json', 1e6)).length).toBe(2);
  expect(log.positions).toEqual(new Map([['relay.test', 600]]));
});

test('trim deletes the oldest blocks beyond the byte limit', async () => {
  await open({ retentionBytes: 1_000_000 });
  const sample = sampleOf(13);
  for (let made = 0; made < 200; made++) await log.append(sample.block(5));
  expect(log.stats().storedBytes).toBeGreaterThan(1_000_000);
  await log.trim(0);
  expect(log.stats().storedBytes).toBeLessThanOrEqual(1_000_000);
  const left = await replay(0, 'json', 1e6);
  expect(left.length).toBeGreaterThan(10);
  expect(left).toEqual(sample.events.slice(-left.length).map((event) => JSON.stringify(event)));
});

test('a directory in use, a newer format and a damaged block are refused by name', async () => {
  await open();
  await log.append(sampleOf(14).block(3));
  await expect(
    LevelLog.open({ dataDir, retentionBytes: 0, tailBytesMax: 0, fsync: false }),
  ).rejects.toMatchObject({
    code: 'LOG_LOCKED',
  });
  await log.close();

  const db = new ClassicLevel<string, Buffer>(join(dataDir, 'log'), { valueEncoding: 'buffer' });
  const description = await db.get('aformat');
  await db.put('aformat', Buffer.from('{"format":2}'));
  await db.close();
  await expect(open()).rejects.toMatchObject({
    code: 'LOG_NEWER_FORMAT',
    message: expect.stringContaining('format 2'),
  });

  const raw = new ClassicLevel<Buffer, Buffer>(join(dataDir, 'log'), {
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
  expect((await log.read(0, 'zstd', 1e6)).length).toBe(1);
});

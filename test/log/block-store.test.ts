import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { DidHasher } from '../../lib/event/did-hash.ts';
import { Selection } from '../../lib/fanout/selection.ts';
import { openDatabase } from '../../lib/level/database.ts';
import { TableGuard } from '../../lib/level/table-guard.ts';
import { firstEventAfter } from '../../lib/log/block.ts';
import { blockKey, parts } from '../../lib/log/block-format.ts';
import { BlockStore } from '../../lib/log/block-store.ts';
import { segmentBlocks } from '../../lib/log/segment-index.ts';
import {
  fakeCompressor,
  matches,
  payloadsOf,
  randomFilter,
  SampleLog,
  seededRandom,
} from '../support/events.ts';

let location: string;
let store: BlockStore;

beforeEach(async () => {
  location = await mkdtemp(join(tmpdir(), 'slipstream-blocks-'));
  store = await BlockStore.open(location, fakeCompressor);
});
afterEach(async () => {
  await store.close();
  await rm(location, { recursive: true });
});

async function textsFrom(timeUs: number): Promise<string[]> {
  const texts: string[] = [];
  for (let at = timeUs; ; ) {
    const { slices } = await store.stored.read(at, 'json', 1e9);
    if (slices.length === 0) return texts;
    for (const { messages } of slices)
      texts.push(...payloadsOf(messages, 0x81).map((payload) => `${Buffer.from(payload)}`));
    at = slices[slices.length - 1].index.lastTimeUs;
  }
}

test('trim deletes by age, keeps the newest block, and readers go on at the oldest that is left', async () => {
  let nowMs = 1_700_000_000_000;
  const sample = new SampleLog(seededRandom(50), { nowMs: () => nowMs });
  for (let made = 0; made < 600; made++) {
    nowMs += 1000;
    await store.append(sample.block(2), false);
  }
  const full = store.size;
  const cutUs = sample.events[1000].time_us;
  const trimmed = await store.trim(cutUs, 0);
  expect(trimmed).toMatchObject({ blocks: 500, events: 1000 });
  expect(store.size).toEqual({ events: 200, bytes: full.bytes - trimmed.bytes });
  expect(store.firstTimeUs).toBe(cutUs);
  expect(await textsFrom(0)).toEqual(sample.events.slice(1000).map((event) => JSON.stringify(event)));
  expect(await store.trim(cutUs, 0)).toEqual({ blocks: 0, events: 0, bytes: 0 });
  await store.trim(Number.MAX_SAFE_INTEGER, 1);
  expect((await textsFrom(0)).length).toBe(2);
});

test('trim deletes the oldest blocks beyond the byte limit, and the size survives reopening', async () => {
  const sample = new SampleLog(seededRandom(51));
  for (let made = 0; made < 200; made++) await store.append(sample.block(5), false);
  const limit = Math.floor(store.size.bytes / 3);
  await store.trim(0, limit);
  expect(store.size.bytes).toBeLessThanOrEqual(limit);
  expect(store.size.bytes).toBeGreaterThan(limit / 2);
  const left = await textsFrom(0);
  expect(left).toEqual(sample.events.slice(-left.length).map((event) => JSON.stringify(event)));
  const { size, firstTimeUs } = store;
  expect(size.events).toBe(left.length);
  await store.close();
  store = await BlockStore.open(location, fakeCompressor);
  expect(store.size).toEqual(size);
  expect(store.firstTimeUs).toBe(firstTimeUs);
});

test('a trim reads no further than to the first block that stays', async () => {
  const sample = new SampleLog(seededRandom(54));
  const ends: number[] = [];
  for (let made = 0; made < 30; made++) {
    const block = sample.block(1);
    ends.push(block.index.lastTimeUs);
    await store.append(block, false);
  }
  await store.close();
  store = await BlockStore.open(location, fakeCompressor, true);
  const guard = new TableGuard(location, []);
  const db = await openDatabase(location, { writeBufferBytes: 1024 * 1024, shared: true, guard });
  await db.put(blockKey(ends[11], parts.head), Buffer.from('no head'));
  await db.close();
  expect(await store.trim(0, 0)).toEqual({ blocks: 0, events: 0, bytes: 0 });
  expect(await store.trim(ends[10], 0)).toMatchObject({ blocks: 10, events: 10 });
  await expect(store.trim(ends[20], 0)).rejects.toThrow();
});

test('a filtered read finds every wanted event across segments, also after reopening and trimming', async () => {
  const random = seededRandom(52);
  let nowMs = 1_700_000_000_000;
  const sample = new SampleLog(random, { didHashKey: store.didHashKey, nowMs: () => nowMs });
  for (let made = 0; made < 2.5 * segmentBlocks; made++) {
    nowMs += 1000;
    await store.append(sample.block(1 + Math.floor(random() * 3)), false);
  }
  const hasher = new DidHasher(store.didHashKey);
  for (const round of ['first', 'reopened', 'trimmed', 'trimmed and reopened']) {
    for (let query = 0; query < 20; query++) {
      const filter = randomFilter(random);
      const selection = new Selection({ ...filter, maxMessageSizeBytes: 0 }, hasher);
      const after = sample.events[Math.floor(random() * sample.events.length)].time_us;
      const texts: string[] = [];
      for (let timeUs = after; timeUs < store.lastTimeUs; ) {
        const { slices, throughUs } = await store.stored.read(timeUs, 'json', 300_000, selection.readFilter);
        for (const { index, messages } of slices) {
          const encoded = { bytes: messages, ends: index.jsonEnd };
          const batch = selection.cut(index, encoded, firstEventAfter(index, after), index.count);
          texts.push(...payloadsOf(batch.bytes, 0x81).map((payload) => `${Buffer.from(payload)}`));
        }
        expect(throughUs).toBeGreaterThan(timeUs);
        timeUs = throughUs;
      }
      const expected = sample.events
        .filter((event) => event.time_us > after && event.time_us >= store.firstTimeUs)
        .filter((event) => matches({ ...filter, maxMessageSizeBytes: 0 }, event))
        .map((event) => JSON.stringify(event));
      expect(texts, round).toEqual(expected);
    }
    if (round === 'reopened')
      await store.trim(sample.events[Math.floor(sample.events.length * 0.55)].time_us, 0);
    else {
      await store.close();
      store = await BlockStore.open(location, fakeCompressor);
    }
  }
});

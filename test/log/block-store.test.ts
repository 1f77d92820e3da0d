import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { BlockStore } from '../../lib/log/block-store.ts';
import { fakeCompressor, payloadsOf, SampleLog, seededRandom } from '../support/events.ts';

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
    const slices = await store.read(at, 'json', 1e9);
    if (slices.length === 0) return texts;
    for (const { frames } of slices)
      texts.push(...payloadsOf(frames, 0x81).map((payload) => `${Buffer.from(payload)}`));
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

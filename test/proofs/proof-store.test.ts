// The ring of segments on a real disk: what is kept, what goes, and what a damage costs.

import { mkdtemp, open, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { keyOfTime, type ProofRow } from '../../lib/proofs/proof-segment.ts';
import { type ProofLimits, ProofStore } from '../../lib/proofs/proof-store.ts';

const MiB = 2 ** 20;
const startUs = 1_780_000_000_000_000;
let dataDir: string;
let store: ProofStore | undefined;
let nowMs: number;
beforeEach(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'slipstream-proofs-'));
  nowMs = startUs / 1000;
});
afterEach(async () => {
  await store?.close();
  await rm(dataDir, { recursive: true });
});

async function reopened(limits: ProofLimits, lastTimeUs = Number.MAX_SAFE_INTEGER): Promise<ProofStore> {
  await store?.close();
  store = await ProofStore.open(dataDir, limits, lastTimeUs, () => nowMs);
  return store;
}

function bytesAt(timeUs: number, bytes: number): Buffer {
  return Buffer.alloc(bytes, String(timeUs));
}

function rowOf(timeUs: number, bytes = 1000): ProofRow {
  return { type: 'put', key: keyOfTime(timeUs), value: bytesAt(timeUs, bytes) };
}

async function has(timeUs: number, bytes = 1000): Promise<boolean> {
  const { blocks } = await (store as ProofStore).blocksAt(timeUs);
  if (blocks !== undefined) expect(Buffer.from(blocks)).toEqual(bytesAt(timeUs, bytes));
  return blocks !== undefined;
}

const folders = () => readdir(join(dataDir, 'proofs'));

test('rows are there at once and after a restart; an event that is not the first of its commit has its row', async () => {
  const limits = { ageMsMax: 3_600_000, bytesMax: 64 * MiB };
  const { append } = await reopened(limits).then((opened) => ({ append: opened.append.bind(opened) }));
  const alias = { type: 'put', key: keyOfTime(startUs + 6), value: keyOfTime(startUs + 5) } as const;
  expect(await append([rowOf(startUs), rowOf(startUs + 5), alias], startUs, startUs + 6)).toBe(true);
  for (let restarts = 0; restarts < 2; restarts++) {
    expect(await has(startUs)).toBe(true);
    expect(await has(startUs + 5)).toBe(true);
    expect(Buffer.from((await store?.blocksAt(startUs + 6))?.blocks ?? [])).toEqual(
      bytesAt(startUs + 5, 1000),
    );
    expect(await has(startUs + 1)).toBe(false);
    expect(await has(startUs - 1)).toBe(false);
    expect(store?.oldestUs).toBe(startUs);
    await reopened(limits);
  }
  expect(await folders()).toHaveLength(1);
});

test('age: what is older goes, an eighth of the time at a time', async () => {
  const limits = { ageMsMax: 80_000, bytesMax: 64 * MiB };
  await reopened(limits);
  for (let second = 0; second < 200; second++) {
    nowMs = startUs / 1000 + second * 1000;
    const timeUs = startUs + second * 1e6;
    await store?.append([rowOf(timeUs)], timeUs, timeUs);
    // Up to ten seconds more, never less.
    const oldest = Math.max(0, second - 80);
    expect(await has(startUs + oldest * 1e6)).toBe(true);
    if (oldest > 11) expect(await has(startUs + (oldest - 11) * 1e6)).toBe(false);
  }
  expect((await folders()).length).toBeLessThanOrEqual(10);
  nowMs += 3_600_000;
  await reopened(limits, startUs + 199e6);
  expect(await folders()).toEqual([]);
  expect(store?.oldestUs).toBe(Infinity);
});

test('bytes: the oldest go, and what is on the disk stays near the limit', async () => {
  await reopened({ ageMsMax: undefined, bytesMax: 64 * MiB });
  let timeUs = startUs;
  for (let batch = 0; batch < 50; batch++) {
    const fromUs = timeUs;
    const rows = Array.from({ length: 20 }, () => rowOf(timeUs++, 100_000));
    await store?.append(rows, fromUs, timeUs - 1);
  }
  expect(store?.bytes).toBeLessThan(64 * MiB);
  let bytes = 0;
  for (const folder of await folders())
    for (const name of await readdir(join(dataDir, 'proofs', folder)))
      bytes += (await stat(join(dataDir, 'proofs', folder, name))).size;
  // What is written at the time is in LevelDB's log, too.
  expect(bytes).toBeLessThan(72 * MiB);
  expect(await has(timeUs - 1, 100_000)).toBe(true);
  expect(await has(timeUs - 500, 100_000)).toBe(true);
  expect(await has(startUs, 100_000)).toBe(false);
});

test('what another log kept, or nobody wants, goes', async () => {
  const limits = { ageMsMax: undefined, bytesMax: 64 * MiB };
  await reopened(limits);
  await store?.append([rowOf(startUs)], startUs, startUs);
  await reopened(limits, startUs - 1);
  expect(await has(startUs)).toBe(false);
  await store?.close();
  await ProofStore.discard(dataDir);
  expect(await readdir(dataDir)).toEqual([]);
});

test.each([/^MANIFEST/, /^CURRENT/, /\.ldb$/, /\.log$/])(
  'files whose %s is damaged cost their rows, and end nothing',
  async (name) => {
    const limits = { ageMsMax: 80_000, bytesMax: 64 * MiB };
    await reopened(limits);
    for (let second = 0; second < 30; second++) {
      const timeUs = startUs + second * 1e6;
      await store?.append([rowOf(timeUs, 200_000)], timeUs, timeUs);
    }
    await store?.close();
    const [, damaged] = await folders();
    const location = join(dataDir, 'proofs', damaged);
    for (const found of (await readdir(location)).filter((one) => name.test(one))) {
      const { size } = await stat(join(location, found));
      if (size < 1000) await writeFile(join(location, found), 'not what it was');
      const file = await open(join(location, found), 'r+');
      for (let at = 10; at < size; at += 500) await file.write(Buffer.alloc(30, 0xee), 0, 30, at);
      await file.close();
    }
    await reopened(limits);
    for (const second of [0, 5, 22, 29]) expect(await has(startUs + second * 1e6, 200_000)).toBe(true);
    for (const second of [10, 15, 19]) {
      const isThere = await has(startUs + second * 1e6, 200_000);
      // A log of LevelDB is all in tables by then.
      expect(isThere).toBe(name.source.includes('log'));
    }
    const timeUs = startUs + 31e6;
    expect(await store?.append([rowOf(timeUs)], timeUs, timeUs)).toBe(true);
    expect(await has(timeUs)).toBe(true);
  },
);

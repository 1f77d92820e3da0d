import { closeSync, mkdtempSync, openSync, readdirSync, rmSync, statSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { lookedMsMax } from '../../lib/level/table-guard.ts';
import { LevelLog } from '../../lib/log/level-log.ts';
import { fakeCompressor } from '../support/events.ts';
import { ShiftedBlocks } from '../support/shifted-blocks.ts';

const blocks = 2 * 256 + 40;

async function readAll(log: LevelLog): Promise<Set<number>> {
  const found = new Set<number>();
  for (let timeUs = 0; timeUs < log.lastTimeUs; ) {
    const { slices, throughUs } = await log.read(timeUs, 'json', 1e6);
    expect(throughUs).toBeGreaterThan(timeUs);
    for (const { index } of slices) for (const eventUs of index.timeUs) found.add(eventUs);
    timeUs = throughUs;
  }
  return found;
}

test('what is left of segments is read when a table is damaged, or all of one is lost', {
  timeout: 60_000,
}, async () => {
  const dataDir = mkdtempSync(join(tmpdir(), 'slipstream-segments-'));
  // Small tables, so that segments lie in several.
  const options = {
    dataDir,
    retentionBytes: 200e6,
    tailBytesMax: 0,
    fsync: false,
    compressor: fakeCompressor,
  };
  let log = await LevelLog.open({ ...options });
  const made = new ShiftedBlocks(1, 256, log.didHashKey);
  for (let block = 0; block < blocks; block++) await log.append(made.next());
  await log.flush();
  const before = await readAll(log);
  const folder = join(dataDir, 'blocks');
  const tables = readdirSync(folder)
    .filter((name) => name.endsWith('.ldb'))
    .toSorted();
  expect(tables.length).toBeGreaterThan(4);
  for (const [at, name] of tables.entries()) {
    const { size } = statSync(join(folder, name));
    const file = openSync(join(folder, name), 'r+');
    // One is all zeros; of the others a page.
    if (at === 1) writeSync(file, Buffer.alloc(size), 0, size, 0);
    else writeSync(file, Buffer.alloc(4096), 0, 4096, Math.floor(((at + 0.5) / tables.length) * size));
    closeSync(file);
  }
  for (const untilMs = performance.now() + 2 * lookedMsMax; performance.now() < untilMs; );
  await expect(readAll(log)).rejects.toMatchObject({ code: 'LOG_CORRUPT' });
  // Each is mended by the append after it has been found.
  let left = new Set<number>();
  for (let tries = 0; tries <= tables.length && left.size === 0; tries++) {
    await log.append(made.next());
    left = await readAll(log).catch(() => new Set());
  }
  expect(left.size).toBeGreaterThan(before.size / 2);
  expect(left.size).toBeLessThan(before.size);
  await log.close();
  log = await LevelLog.open(options);
  expect(await readAll(log)).toEqual(left);
  expect(log.coverage.newest(100).every(({ reason }) => reason === 'log_damaged')).toBe(true);
  await log.close();
  rmSync(dataDir, { recursive: true });
});

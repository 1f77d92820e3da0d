import { readdirSync, statSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { settings } from '../../lib/config/settings.ts';
import { LevelLog } from '../../lib/log/level-log.ts';
import { fakeCompressor } from '../support/events.ts';
import { ShiftedBlocks } from '../support/shifted-blocks.ts';

/** What a directory may take beyond its limit. */
const ratioMax = 1.15;
const leastBytes = settings['retention-bytes'].min;

/** Bytes of all files in a directory and its folders. */
function sizeOf(directory: string): number {
  let bytes = 0;
  for (const name of readdirSync(directory)) {
    const path = join(directory, name);
    // LevelDB deletes files when it likes.
    const found = statSync(path, { throwIfNoEntry: false });
    bytes += found?.isDirectory() ? sizeOf(path) : (found?.size ?? 0);
  }
  return bytes;
}

test.each([
  ['the smallest limit, small blocks through the journal', leastBytes, 20],
  ['the smallest limit, full blocks', leastBytes, 256],
  ['200 MB, full blocks', 200e6, 256],
])('the directory keeps to its limit, however fast events come: %s', async (_name, limit, events) => {
  const dataDir = await mkdtemp(join(tmpdir(), 'slipstream-size-'));
  const log = await LevelLog.open({
    dataDir,
    retentionBytes: limit,
    tailBytesMax: 0,
    fsync: false,
    compressor: fakeCompressor,
  });
  const blocks = new ShiftedBlocks(1, events, log.didHashKey);
  let most = 0;
  // Nobody trims here: what is stored is enough for it.
  for (let appended = 0; appended < 2 * limit; ) {
    for (let count = 0; count < 5000; count += events) {
      const block = blocks.next();
      await log.append(block);
      appended += block.json.length;
    }
    most = Math.max(most, sizeOf(dataDir));
  }
  expect(most / limit).toBeLessThan(ratioMax);
  expect(most / limit).toBeGreaterThan(0.6);
  expect(log.stats().storedBytes / limit).toBeGreaterThan(0.5);
  await log.close();
  await rm(dataDir, { recursive: true });
});

import { rm } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { blockKey, parts } from '../../../lib/log/block-format.ts';
import { segmentBlocks } from '../../../lib/log/segment-index.ts';
import { check, named, some, testDamages, useDamagedLog } from './damage.ts';
import { edit } from './raw-log.ts';
import { makeLogOfBlocks } from './sample-log.ts';
import { segmentDamages } from './segment-damages.ts';

const log = useDamagedLog();

testDamages(log, some(segmentDamages));

test('no index of the segment that ends with the newest block', async () => {
  const { dataDir } = log;
  await rm(dataDir, { recursive: true });
  const { stored } = await makeLogOfBlocks(dataDir, 81, segmentBlocks, 0, 1);
  await edit(dataDir, 'blocks', (db) => db.del(blockKey(stored[segmentBlocks - 1], parts.segment)));
  expect(named(await check(dataDir))).toEqual([`segment_missing store ${stored[segmentBlocks - 1]}`]);
});

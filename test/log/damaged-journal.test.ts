import { closeSync, mkdtempSync, openSync, readdirSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { CodedError } from '../../lib/errors.ts';
import { lookedMsMax } from '../../lib/level/table-guard.ts';
import { BlockStore } from '../../lib/log/block-store.ts';
import { LevelLog } from '../../lib/log/level-log.ts';
import { compressor, withRealFrames } from '../cmd/inspect/sample-log.ts';
import { SampleLog, seededRandom } from '../support/events.ts';
import { digestsOf, servedDigests } from './damaged-log.ts';

let dataDir: string;
beforeEach(() => {
  dataDir = mkdtempSync(join(tmpdir(), 'slipstream-damaged-journal-'));
});
afterEach(() => {
  vi.restoreAllMocks();
  rmSync(dataDir, { recursive: true });
});

const optionsOf = (folder: string) => ({
  dataDir: folder,
  retentionBytes: 0,
  tailBytesMax: 0,
  fsync: false,
  compressor,
});

/** A log with a few blocks in its journal, a table of which is damaged. */
async function openDamaged(): Promise<{ log: LevelLog; sample: SampleLog }> {
  let log = await LevelLog.open(optionsOf(dataDir));
  const sample = new SampleLog(seededRandom(5), { didHashKey: log.didHashKey });
  await log.append(withRealFrames(sample.block(256)));
  for (let block = 0; block < 5; block++) await log.append(withRealFrames(sample.block(20)));
  // What the journal has from before is in a table.
  await log.close();
  log = await LevelLog.open(optionsOf(dataDir));
  const [name] = readdirSync(join(dataDir, 'journal')).filter((file) => file.endsWith('.ldb'));
  const table = openSync(join(dataDir, 'journal', name), 'r+');
  writeSync(table, Buffer.alloc(4096), 0, 4096, 0);
  closeSync(table);
  for (const untilMs = performance.now() + 2 * lookedMsMax; performance.now() < untilMs; );
  return { log, sample };
}

async function expectWhole(log: LevelLog, sample: SampleLog): Promise<void> {
  const expected = digestsOf(sample);
  expect(await servedDigests(log)).toEqual(expected);
  expect(log.coverage.newest(10)).toEqual([]);
  await log.close();
  const again = await LevelLog.open(optionsOf(dataDir));
  expect(await servedDigests(again)).toEqual(expected);
  await again.close();
}

test('a reopening that nothing prepared keeps the blocks that only a damaged journal has', async () => {
  const { log, sample } = await openDamaged();
  await log.recover();
  await log.append(withRealFrames(sample.block(20)));
  await expectWhole(log, sample);
});

test('a full disk while a damaged journal waits for its mending loses none of its blocks', async () => {
  const { log, sample } = await openDamaged();
  await log.tables.journal.checkUnknown();
  expect(log.tables.isMendingDue).toBe(true);
  const full = new CodedError('LOG_DISK_FULL', 'no space left', { retryable: true });
  vi.spyOn(BlockStore.prototype, 'append').mockRejectedValueOnce(full);
  const block = withRealFrames(sample.block(20));
  await expect(log.append(block)).rejects.toThrow(full);
  await log.recover();
  await log.append(block);
  await expectWhole(log, sample);
});

test('a reopening that fails leaves nothing open', async () => {
  const { log } = await openDamaged();
  vi.spyOn(BlockStore.prototype, 'append').mockRejectedValue(
    new CodedError('LOG_DISK_FULL', 'no space left'),
  );
  await expect(log.recover()).rejects.toThrow('no space left');
  vi.restoreAllMocks();
  const other = await LevelLog.open(optionsOf(dataDir));
  await other.close();
  await log.close();
});

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ClassicLevel } from 'classic-level';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { blockKey, parts } from '../../lib/log/block-format.ts';
import { Journal } from '../../lib/log/journal.ts';
import { withRealFrames } from '../cmd/inspect/sample-log.ts';
import { SampleLog, seededRandom } from '../support/events.ts';

let dataDir: string;
beforeEach(() => {
  dataDir = mkdtempSync(join(tmpdir(), 'slipstream-write-order-'));
});
afterEach(() => {
  vi.restoreAllMocks();
  rmSync(dataDir, { recursive: true });
});

const sample = new SampleLog(seededRandom(5));
const block = () => withRealFrames(sample.block(5));
const full = () => Object.assign(new Error('IO error: No space left on device'), { code: 'LEVEL_IO_ERROR' });

test('nothing is stored behind a deletion that fails, however soon it comes', async () => {
  const deletion = Promise.withResolvers<void>();
  const clear = vi.spyOn(ClassicLevel.prototype, 'clear').mockReturnValueOnce(deletion.promise);
  const put = vi.spyOn(ClassicLevel.prototype, 'put');
  const journal = await Journal.open(join(dataDir, 'journal'));
  const [first, second] = [block(), block()];
  await journal.append(first, 0, false);
  const removed = journal.removeTo(first.index.lastTimeUs);
  await vi.waitFor(() => expect(clear).toHaveBeenCalled());
  const appended = journal.append(second, first.index.lastTimeUs, false);
  deletion.reject(full());
  await expect(removed).rejects.toMatchObject({ code: 'LOG_DISK_FULL' });
  await expect(appended).rejects.toMatchObject({ code: 'LOG_DISK_FULL', retryable: true });
  await expect(journal.append(block(), 0, true)).rejects.toMatchObject({ code: 'LOG_DISK_FULL' });
  expect(put).toHaveBeenCalledTimes(1);
  await journal.close();
  // Opened again it takes what comes.
  const again = await Journal.open(join(dataDir, 'journal'));
  await again.append(second, first.index.lastTimeUs, false);
  const { blocks } = await again.recover(0, async () => {});
  expect(blocks.map(({ index }) => index.lastTimeUs)).toEqual(
    [first, second].map(({ index }) => index.lastTimeUs),
  );
  await again.close();
});

test('writes that wait for their turn are done before the database is closed', async () => {
  const journal = await Journal.open(join(dataDir, 'journal'));
  const blocks = [block(), block(), block()];
  let previousUs = 0;
  for (const one of blocks) {
    void journal.append(one, previousUs, false);
    previousUs = one.index.lastTimeUs;
  }
  await journal.close();
  const db = new ClassicLevel<Uint8Array, Uint8Array>(join(dataDir, 'journal'), { keyEncoding: 'view' });
  const keys = await db.keys().all();
  expect(keys.map((key) => Buffer.from(key))).toEqual(
    blocks.map(({ index }) => blockKey(index.lastTimeUs, parts.head)),
  );
  await db.close();
});

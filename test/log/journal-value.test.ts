// What the journal keeps of a block comes back whole: its zstd messages are made again, and a log of raw values is read as before.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { zstdCompressSync } from 'node:zlib';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { ByteWriter } from '../../lib/byte-writer.ts';
import { unpackBlock } from '../../lib/log/block-format.ts';
import { JournalValues, packedOf } from '../../lib/log/journal-value.ts';
import { LevelLog } from '../../lib/log/level-log.ts';
import { compressor, withRealFrames } from '../cmd/inspect/sample-log.ts';
import { SampleLog, seededRandom } from '../support/events.ts';

let dataDir: string;
beforeEach(() => {
  dataDir = mkdtempSync(join(tmpdir(), 'slipstream-journal-value-'));
});
afterEach(() => rmSync(dataDir, { recursive: true }));

const journalCompressor = {
  dictionaryId: 0,
  compress(source: Uint8Array, start: number, end: number, out: ByteWriter): void {
    out.bytes(zstdCompressSync(source.subarray(start, end)));
  },
};
const options = (journal: typeof journalCompressor | undefined) => ({
  ...{ dataDir, retentionBytes: 0, tailBytesMax: 0, fsync: false, compressor },
  journalCompressor: journal,
});

test.each([
  ['compressed', journalCompressor],
  ['as they are', undefined],
])('blocks of the journal are read back, %s', async (_, journal) => {
  let log = await LevelLog.open(options(journal));
  const sample = new SampleLog(seededRandom(9), { didHashKey: log.didHashKey });
  const blocks = Array.from({ length: 5 }, () => withRealFrames(sample.block(4)));
  for (const block of blocks) await log.append(block);
  await log.close();
  expect(log.stats().storedEvents).toBe(20);
  // Whatever it writes, it reads both.
  log = await LevelLog.open(options(journalCompressor));
  for (const encoding of ['json', 'zstd'] as const) {
    const { slices } = await log.read(0, encoding, 1e9);
    expect(Buffer.concat(slices.map(({ messages }) => messages))).toEqual(
      Buffer.concat(blocks.map((block) => block[encoding])),
    );
  }
  await log.close();
});

test('a value is smaller by its zstd messages and by half of the rest', () => {
  const sample = new SampleLog(seededRandom(3));
  const block = withRealFrames(sample.block(20));
  const link = { previousUs: 0, before: { events: 0, bytes: 0 }, segmentUs: 0 };
  const value = new JournalValues(journalCompressor).write(block, link);
  expect(value.length).toBeLessThan(block.json.length / 2);
  expect(Buffer.from(unpackBlock(packedOf(value)).json)).toEqual(Buffer.from(block.json));
});

test('a damaged value is LOG_CORRUPT', () => {
  const sample = new SampleLog(seededRandom(4));
  const link = { previousUs: 0, before: { events: 0, bytes: 0 }, segmentUs: 0 };
  const value = new JournalValues(journalCompressor).write(withRealFrames(sample.block(20)), link);
  const cut = value.subarray(0, value.length - 20);
  expect(() => unpackBlock(packedOf(cut))).toThrow(expect.objectContaining({ code: 'LOG_CORRUPT' }));
});

// Logs with real zstd, written as the daemon writes them or block by block, for tests of the inspection.

import { join } from 'node:path';
import { ByteWriter } from '../../../lib/byte-writer.ts';
import { chooseCompressor } from '../../../lib/codec/choose-compressor.ts';
import { compressionLevels } from '../../../lib/codec/compressor.ts';
import type { Block } from '../../../lib/log/block.ts';
import { compressEvents } from '../../../lib/log/block-builder.ts';
import { BlockStore } from '../../../lib/log/block-store.ts';
import { Journal } from '../../../lib/log/journal.ts';
import { LevelLog } from '../../../lib/log/level-log.ts';
import { sampleDictionaries } from '../../codec/sample-dictionaries.ts';
import { SampleLog, seededRandom } from '../../support/events.ts';
import { keysIn } from './raw-log.ts';

export const [[, dictionary]] = sampleDictionaries;
export const compressor = await chooseCompressor('auto', dictionary, compressionLevels.default);

/** A block as `SampleLog` makes it, with zstd frames that can be decompressed. */
export function withRealFrames(block: Block): Block {
  const { zstd, zstdEnd } = compressEvents(block.json, block.index.jsonEnd, compressor, new ByteWriter());
  return { ...block, index: { ...block.index, zstdEnd }, zstd, dictionaryId: compressor.dictionaryId };
}

/** A block as format 1 had it. */
export function withoutSubjects(block: Block): Block {
  return { ...block, index: { ...block.index, subjects: undefined } };
}

/** What was written, and what the store and the journal have of it. */
export interface WrittenLog {
  readonly sample: SampleLog;
  /** Keys of the blocks in the store. */
  readonly stored: readonly number[];
  /** In the journal. */
  readonly journalled: readonly Block[];
}

/** Writes a log as the daemon does: blocks of `sizes` events through {@link LevelLog}. */
export async function makeLog(dataDir: string, seed: number, sizes: readonly number[]): Promise<WrittenLog> {
  const options = { dataDir, retentionBytes: 0, tailBytesMax: 0, fsync: false, compressor };
  const log = await LevelLog.open(options);
  const sample = new SampleLog(seededRandom(seed), { didHashKey: log.didHashKey });
  const blocks: Block[] = [];
  for (const size of sizes) {
    const block = withRealFrames(sample.block(size));
    blocks.push(block);
    await log.append(await log.resolve(block));
  }
  await log.close();
  // Opening deletes what the journal still has of blocks that are in the store.
  await (await LevelLog.open(options)).close();
  const stored = await keysIn(dataDir);
  const endUs = stored.at(-1) ?? 0;
  return { sample, stored, journalled: blocks.filter(({ index }) => index.lastTimeUs > endUs) };
}

/**
 * Writes a log of `blocks` small blocks that lie in the store as they are, and of some in the journal.
 * @param changed what is written of each.
 */
export async function makeLogOfBlocks(
  dataDir: string,
  seed: number,
  blocks: number,
  journalBlocks: number,
  eventsMax = 4,
  changed: (block: Block) => Block = (block) => block,
): Promise<WrittenLog> {
  const random = seededRandom(seed);
  const store = await BlockStore.open(join(dataDir, 'blocks'), compressor);
  const journal = await Journal.open(join(dataDir, 'journal'));
  let nowMs = 1_700_000_000_000;
  const sample = new SampleLog(random, {
    didHashKey: store.didHashKey,
    // Every test of a damage checks all of it. Long messages are in `makeLog`.
    textBytesMax: 2_000,
    nowMs: () => {
      nowMs += 10;
      return nowMs;
    },
  });
  const next = (count = 1 + Math.floor(random() * eventsMax)): Block =>
    changed(withRealFrames(sample.block(count)));
  const stored: number[] = [];
  for (let made = 0; made < blocks; made++) {
    // The newest has events enough for every damage.
    const block = made === blocks - 1 ? next(12) : next();
    stored.push(block.index.lastTimeUs);
    await store.append(block, false);
  }
  const journalled = Array.from({ length: journalBlocks }, () => next());
  let previousUs = store.lastTimeUs;
  for (const block of journalled) {
    await journal.append(block, previousUs, false);
    previousUs = block.index.lastTimeUs;
  }
  await journal.close();
  await store.close();
  return { sample, stored, journalled };
}

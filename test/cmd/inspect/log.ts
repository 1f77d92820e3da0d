// Logs for the tests of the inspection, with real zstd, and the tools to damage them: bit by bit, or so that every
// checksum is right and only the meaning is wrong.

import { join } from 'node:path';
import { crc32, zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import { ClassicLevel } from 'classic-level';
import { ByteWriter } from '../../../lib/byte-writer.ts';
import { chooseCompressor } from '../../../lib/codec/choose-compressor.ts';
import { compressionLevels } from '../../../lib/codec/compressor.ts';
import type { Block } from '../../../lib/log/block.ts';
import { compressEvents } from '../../../lib/log/block-builder.ts';
import {
  type BlockHead,
  blockKey,
  descriptionKey,
  parts,
  readBlockKey,
  readHead,
  readSubjectsOf,
  storedSubjectsOf,
  writeHead,
} from '../../../lib/log/block-format.ts';
import { BlockStore } from '../../../lib/log/block-store.ts';
import { Journal } from '../../../lib/log/journal.ts';
import { LevelLog } from '../../../lib/log/level-log.ts';
import { sampleDictionaries } from '../../codec/sample-dictionaries.ts';
import { SampleLog, seededRandom } from '../../support/events.ts';

export const [[, dictionary]] = sampleDictionaries;
export const compressor = await chooseCompressor('auto', dictionary, compressionLevels.default);

export type RawDatabase = ClassicLevel<Buffer, Buffer>;
export const databases = ['blocks', 'journal'] as const;
export type DatabaseName = (typeof databases)[number];

/** A block as `SampleLog` makes it, with frames that zstd can read. */
export function withRealFrames(block: Block): Block {
  const frames = compressEvents(block.json, block.index.jsonEnd, compressor, new ByteWriter());
  const index = { ...block.index, zstdEnd: frames.zstdEnd };
  return { ...block, index, zstd: frames.zstd, dictionaryId: compressor.dictionaryId };
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

/** Makes a log of blocks without subjects what the version that knew none would have left. */
export async function makeFormat1(dataDir: string): Promise<void> {
  await edit(dataDir, 'blocks', async (db) => {
    const description = JSON.parse(String(await db.get(descriptionKey)));
    await db.put(descriptionKey, Buffer.from(JSON.stringify({ ...description, format: 1 })));
    for await (const [key, value] of db.iterator({ gte: blockKey(0, parts.head) })) {
      const part = readBlockKey(key)?.part;
      if (part === parts.subjectFilter) await db.del(key);
      if (part !== parts.segment) continue;
      // Without the two columns of when blocks were made, which are behind that of their times.
      const count = value.readUInt32LE(4);
      const old = Buffer.concat([value.subarray(0, 24 + count * 8), value.subarray(24 + count * 24)]);
      old.writeUInt32LE(0, 12);
      old.writeUInt32LE(crc32(old.subarray(4)), 0);
      await db.put(key, old);
    }
  });
}

/** Opens one of the log's databases as it is. */
export async function edit<T>(
  dataDir: string,
  name: DatabaseName,
  change: (db: RawDatabase) => Promise<T>,
): Promise<T> {
  const options = { keyEncoding: 'buffer', valueEncoding: 'buffer', compression: false };
  const db: RawDatabase = new ClassicLevel(join(dataDir, name), options);
  await db.open();
  try {
    return await change(db);
  } finally {
    await db.close();
  }
}

/** Bytes of the values of blocks, but for the length in front of those in the journal. */
export async function bytesIn(dataDir: string, name: DatabaseName): Promise<number> {
  const values = await edit(dataDir, name, (db) => db.values({ gte: blockKey(0, parts.head) }).all());
  return values.reduce((bytes, value) => bytes + value.length - (name === 'journal' ? 4 : 0), 0);
}

/** Every entry of both databases, as text. */
export async function contentOf(dataDir: string): Promise<string[]> {
  const entries: string[] = [];
  for (const name of databases) {
    await edit(dataDir, name, async (db) => {
      for await (const [key, value] of db.iterator()) {
        entries.push(`${name} ${key.toString('hex')} ${value.toString('base64')}`);
      }
    });
  }
  return entries;
}

/** Times of the blocks in the store. */
async function keysIn(dataDir: string): Promise<number[]> {
  const keys = await edit(dataDir, 'blocks', (db) => db.keys({ gte: blockKey(0, parts.head) }).all());
  return keys.flatMap((key) => {
    const { lastTimeUs, part } = readBlockKey(key)!;
    return part === parts.head ? [lastTimeUs] : [];
  });
}

/** A block of the store, unpacked, to be changed in place. */
export type OpenBlock = { -readonly [field in keyof BlockHead]: BlockHead[field] } & {
  json: Buffer;
  zstd: Buffer;
  /** The JSON part, when it is not to be what `json` compresses to. */
  stored?: Buffer;
};

/** Changes a block of the store so that its checksums are right. */
export async function rewrite(
  db: RawDatabase,
  timeUs: number,
  change: (block: OpenBlock) => void,
  keyUs: number = timeUs,
): Promise<void> {
  const [head, json, zstd, subjects] = await db.getMany(
    [parts.head, parts.json, parts.zstd, parts.subjects].map((part) => blockKey(timeUs, part)),
  );
  const read = readHead(head!);
  const index = { ...read.index, subjects: readSubjectsOf(read, subjects) };
  const block: OpenBlock = { ...read, index, json: zstdDecompressSync(json!), zstd: zstd! };
  change(block);
  const stored = block.stored ?? zstdCompressSync(block.json);
  const storedSubjects = storedSubjectsOf(block);
  await db.put(blockKey(keyUs, parts.head), writeHead(block, stored, block, storedSubjects));
  await db.put(blockKey(keyUs, parts.json), stored);
  await db.put(blockKey(keyUs, parts.zstd), block.zstd);
  if (storedSubjects === undefined) await db.del(blockKey(keyUs, parts.subjects));
  else await db.put(blockKey(keyUs, parts.subjects), storedSubjects);
}

/** Flips one bit of a value. */
export async function flip(db: RawDatabase, key: Buffer, bit: number): Promise<void> {
  const value = Buffer.from((await db.get(key))!);
  value[bit >> 3] ^= 1 << (bit & 7);
  await db.put(key, value);
}

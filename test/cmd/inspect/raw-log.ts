// The databases of a log as they are, for tests of the inspection: what is in them, and changes to it, bit by bit, or so
// that every checksum is right and only the meaning is wrong.

import { join } from 'node:path';
import { crc32, zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import { ClassicLevel } from 'classic-level';
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

export type RawDatabase = ClassicLevel<Buffer, Buffer>;
export const databases = ['blocks', 'journal'] as const;
export type DatabaseName = (typeof databases)[number];

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
export async function keysIn(dataDir: string): Promise<number[]> {
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

/** Makes a log of blocks without subjects what the version that knew none would have left. */
export async function makeFormat1(dataDir: string): Promise<void> {
  await edit(dataDir, 'blocks', async (db) => {
    const description = JSON.parse(String(await db.get(descriptionKey)));
    await db.put(descriptionKey, Buffer.from(JSON.stringify({ ...description, format: 1 })));
    for await (const [key, value] of db.iterator({ gte: blockKey(0, parts.head) })) {
      const part = readBlockKey(key)?.part;
      if (part === parts.subjectFilter) await db.del(key);
      if (part !== parts.segment) continue;
      // Without the two columns of when events were created, which are behind that of their blocks' times.
      const count = value.readUInt32LE(4);
      const old = Buffer.concat([value.subarray(0, 24 + count * 8), value.subarray(24 + count * 24)]);
      old.writeUInt32LE(0, 12);
      old.writeUInt32LE(crc32(old.subarray(4)), 0);
      await db.put(key, old);
    }
  });
}

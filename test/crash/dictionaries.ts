// Dictionaries for daemons that change theirs from life to life, and what readers need to read the frames of each: the package's own,
// and the same under other ids.

import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { zstdDecompressSync } from 'node:zlib';
import { defaultDictionaryPath } from '../../lib/codec/dictionary.ts';

/** Ids for private use, of two bytes. */
const otherIds = [40_011, 40_012] as const;

const own = readFileSync(defaultDictionaryPath());
const known = new Map<number, Buffer>(
  otherIds.map((id) => {
    const bytes = Buffer.from(own);
    bytes.writeUInt32LE(id, 4);
    return [id, bytes] as const;
  }),
);
/** Of the package's own. */
export const ownDictionaryId = own.readUInt32LE(4);
known.set(ownDictionaryId, own);

/** Writes them into a folder. Returns their paths, the package's own among them. */
export function writeDictionaries(folder: string): string[] {
  return [...known].map(([id, bytes]) => {
    const path = join(folder, `${id}.zdict`);
    writeFileSync(path, bytes);
    return path;
  });
}

/** What is in a frame, by Node's own zstd, which had no part in compressing it, and by the dictionary that it names. */
export function decompress(frame: Buffer): Buffer {
  const isSingleSegment = (frame[4] & 0x20) !== 0;
  const id = frame.readUInt16LE(isSingleSegment ? 5 : 6);
  return zstdDecompressSync(frame, { dictionary: known.get(id) ?? own });
}

// A table of LevelDB's without its damaged blocks: the others stay where they are, with an index made again, in a file of the same
// size, as the MANIFEST has it. So LevelDB can go on with it, compact it too, and what was in the damaged blocks is simply not there.
// Pure; table-watch.ts writes the file, log-damage.ts says what is missing.

import { maskedCrc32c } from './crc32c.ts';
import {
  compareKeys,
  footerBytes,
  magic,
  type TableRange,
  trailerBytes,
  userKeyOf,
  type WholeBlock,
  wholeBlocks,
} from './table-file.ts';

/** Keys (of users) between which something is gone; both may still be there. */
export interface LostKeys {
  readonly fromKey: Uint8Array;
  readonly toKey: Uint8Array;
  /**
   * The end of a database, or all that its logs had: nobody knows of what is missing but that it was written before the time of
   * `toKey`. Of all, a power failure may be the cause, which is no reason for a row if the log has anything.
   */
  readonly endOf?: 'store' | 'journal' | 'all' | undefined;
}

/** See {@link mendTable}. */
export interface MendedTable {
  readonly bytes: Buffer;
  readonly lost: readonly LostKeys[];
  /** Whether its first key is still there. */
  readonly hasFirst: boolean;
}

/** A block without entries: one restart at 0. */
const emptyBlock = Buffer.from('0000000001000000', 'hex');

/** What is left of a table. @param bytes as many as the MANIFEST says; what could not be read is zeros. */
export function mendTable(bytes: Buffer, range: TableRange): MendedTable {
  const mended = Buffer.alloc(bytes.length);
  const kept = keptBlocks(bytes, range);
  let index = indexOf(kept);
  let at = roomFor(index.length + emptyBlock.length + 2 * trailerBytes, kept, bytes.length);
  while (at === undefined) {
    kept.pop();
    index = indexOf(kept);
    at = roomFor(index.length + emptyBlock.length + 2 * trailerBytes, kept, bytes.length);
  }
  for (const block of kept) bytes.copy(mended, block.at, block.at, block.at + block.size + trailerBytes);
  const metaAt = writeBlock(mended, at, index);
  writeBlock(mended, metaAt, emptyBlock);
  const footer = Buffer.concat([metaAt, emptyBlock.length, at, index.length].map((number) => varint(number)));
  footer.copy(mended, bytes.length - footerBytes);
  magic.copy(mended, bytes.length - magic.length);
  const hasFirst = kept[0]?.entries[0].key.equals(range.smallest) === true;
  return { bytes: mended, lost: lostBetween(kept, range), hasFirst };
}

/** Whole blocks in the order of keys, and within the table's. */
function keptBlocks(bytes: Buffer, range: TableRange): WholeBlock[] {
  const kept: WholeBlock[] = [];
  let last: Buffer | undefined;
  for (const block of wholeBlocks(bytes)) {
    let before = last;
    const isRight = block.entries.every(({ key }) => {
      const isNext = before === undefined || compareKeys(before, key) < 0;
      before = key;
      return (
        isNext &&
        compareKeys(key, Buffer.from(range.smallest)) >= 0 &&
        compareKeys(key, Buffer.from(range.largest)) <= 0
      );
    });
    if (!isRight || block.entries.length === 0) continue;
    kept.push(block);
    last = before;
  }
  return kept;
}

function lastKeyOf({ entries }: WholeBlock): Buffer {
  return entries[entries.length - 1].key;
}

/** The index of blocks: each entry is a restart, and shares nothing. */
function indexOf(blocks: readonly WholeBlock[]): Buffer {
  if (blocks.length === 0) return emptyBlock;
  const entries: Buffer[] = [];
  const restarts = Buffer.alloc(4 * blocks.length + 4);
  let at = 0;
  for (const [number, block] of blocks.entries()) {
    const key = lastKeyOf(block);
    const handle = Buffer.concat([varint(block.at), varint(block.size)]);
    const entry = Buffer.concat([varint(0), varint(key.length), varint(handle.length), key, handle]);
    restarts.writeUInt32LE(at, 4 * number);
    entries.push(entry);
    at += entry.length;
  }
  restarts.writeUInt32LE(blocks.length, 4 * blocks.length);
  return Buffer.concat([...entries, restarts]);
}

/** Where so many bytes are free: behind a block, or in front of the first. */
function roomFor(size: number, blocks: readonly WholeBlock[], fileBytes: number): number | undefined {
  let at = 0;
  for (const block of blocks) {
    if (block.at - at >= size) return at;
    at = block.at + block.size + trailerBytes;
  }
  return fileBytes - footerBytes - at >= size || blocks.length === 0 ? at : undefined;
}

/** Returns where the next one may begin. */
function writeBlock(bytes: Buffer, at: number, block: Buffer): number {
  block.copy(bytes, at);
  const end = at + block.length;
  // The byte before the checksum says that nothing is compressed.
  bytes[end] = 0;
  bytes.writeUInt32LE(maskedCrc32c(bytes, at, end + 1), end + 1);
  return end + trailerBytes;
}

function varint(number: number): Buffer {
  const bytes: number[] = [];
  let left = number;
  for (; left >= 128; left = Math.floor(left / 128)) bytes.push((left % 128) | 128);
  return Buffer.from([...bytes, left]);
}

/** Between blocks that do not follow each other in the file, before the first and behind the last of the table. */
function lostBetween(kept: readonly WholeBlock[], { smallest, largest }: TableRange): LostKeys[] {
  const lost: LostKeys[] = [];
  let key: Uint8Array = smallest;
  let at = 0;
  for (const block of kept) {
    const first = block.entries[0].key;
    if (block.at !== at) lost.push({ fromKey: userKeyOf(key), toKey: userKeyOf(first) });
    key = lastKeyOf(block);
    at = block.at + block.size + trailerBytes;
  }
  if (Buffer.compare(key, largest) !== 0 || kept.length === 0)
    lost.push({ fromKey: userKeyOf(key), toKey: userKeyOf(largest) });
  return lost;
}

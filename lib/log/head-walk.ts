// Walks the heads of stored blocks, in order, by seeking from one to the next: payloads are not read. For opening and
// trimming; readers go by segments.

import { type BlockHead, blockKey, lastPart, parts, readBlockKey, readHead } from './block-format.ts';
import type { Database } from './database.ts';

/**
 * The heads of the blocks that end at `fromUs` or later, up to `throughUs`. The iterator is closed when the walk ends
 * or is left. @throws CodedError `LOG_CORRUPT`.
 */
export async function* walkHeads(db: Database, fromUs: number, throughUs: number): AsyncGenerator<BlockHead> {
  const iterator = db.iterator({
    gte: blockKey(fromUs, parts.head),
    lte: blockKey(throughUs, lastPart),
  });
  try {
    for (let entry = await iterator.next(); entry !== undefined; entry = await iterator.next()) {
      // A segment may lie behind a block that is gone.
      if (readBlockKey(entry[0])?.part !== parts.head) continue;
      const head = readHead(entry[1]);
      yield head;
      iterator.seek(blockKey(head.index.lastTimeUs + 1, parts.head));
    }
  } finally {
    await iterator.close();
  }
}

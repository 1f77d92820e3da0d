// The heads of stored blocks, found by seeking from one to the next: payloads are not read. For opening and trimming;
// readers go by segment indexes.

import type { Database } from '../level/database.ts';
import { damaged } from '../level/database-errors.ts';
import {
  type BlockHead,
  blockKey,
  blockKeysEnd,
  lastPart,
  parts,
  readBlockKey,
  readHead,
} from './block-format.ts';

/**
 * The heads of the blocks that end at `fromUs` or later, up to `throughUs`. The iterator is closed when the walk ends
 * or is left. @throws CodedError `LOG_CORRUPT`.
 */
export async function* walkHeads(db: Database, fromUs: number, throughUs: number): AsyncGenerator<BlockHead> {
  const iterator = db.iterator({
    gte: blockKey(fromUs, parts.head),
    lte: blockKey(throughUs, lastPart),
  });
  let at = blockKey(fromUs, parts.head);
  const next = async (): Promise<[Uint8Array, Uint8Array] | undefined> => {
    await db.guard?.admitRange(at, at);
    return iterator.next();
  };
  try {
    for (let entry = await next(); entry !== undefined; entry = await next()) {
      // The last block of a segment may be gone, and the segment's index not.
      if (readBlockKey(entry[0])?.part !== parts.head) continue;
      const head = readHead(entry[1]);
      yield head;
      at = blockKey(head.index.lastTimeUs + 1, parts.head);
      iterator.seek(at);
    }
  } finally {
    await iterator.close();
  }
}

/** The head of the newest block. @throws CodedError `LOG_CORRUPT`. */
export async function newestHead(db: Database): Promise<BlockHead | undefined> {
  const range = { gte: blockKey(0, parts.head), lt: blockKeysEnd, reverse: true, limit: 1 };
  const [newest] = await db.keys(range).all();
  const lastTimeUs = newest === undefined ? undefined : readBlockKey(newest)?.lastTimeUs;
  if (lastTimeUs === undefined) return undefined;
  const head = await db.get(blockKey(lastTimeUs, parts.head));
  if (head === undefined) throw damaged(`block ${lastTimeUs} has no head`);
  return readHead(head);
}

/** The head of the oldest block. @throws CodedError `LOG_CORRUPT`. */
export async function oldestHead(db: Database): Promise<BlockHead | undefined> {
  for await (const head of walkHeads(db, 0, Number.MAX_SAFE_INTEGER)) return head;
  return undefined;
}

/** The head of the newest block that ends at `throughUs` or before, if it has one. @throws CodedError `LOG_CORRUPT`. */
export async function headAtOrBefore(db: Database, throughUs: number): Promise<BlockHead | undefined> {
  const range = { gte: blockKey(0, parts.head), lte: blockKey(throughUs, lastPart), reverse: true, limit: 1 };
  await db.guard?.admitRange(range.lte, range.lte);
  const [newest] = await db.keys(range).all();
  const endUs = newest === undefined ? undefined : readBlockKey(newest)?.lastTimeUs;
  const head = endUs === undefined ? undefined : await db.get(blockKey(endUs, parts.head));
  return head === undefined ? undefined : readHead(head);
}

// The newest blocks, stored as they come: small, in a database of their own, until they have been folded into blocks
// worth keeping. Apart from the block store so that what is short-lived never has to be compacted out of what is not.

import type { Block } from './block.ts';
import { blockKey, blockKeysEnd, checkPayload, parts, readHead, writeHead } from './block-format.ts';
import { type Database, databaseFailure, openDatabase } from './database.ts';

/** LevelDB's memtable for the journal: most entries are deleted again before it is full. */
const writeBufferBytes = 8 * 1024 * 1024;
const noPlace = { before: { events: 0, bytes: 0 }, chapterUs: 0 };

/** A durable queue of blocks. One value per block: head length, head, JSON frames, zstd frames. */
export class Journal {
  readonly #db: Database;
  readonly #location: string;

  private constructor(db: Database, location: string) {
    this.#db = db;
    this.#location = location;
  }

  /** @throws CodedError `LOG_LOCKED`, `LOG_OPEN_FAILED`. */
  static async open(location: string): Promise<Journal> {
    return new Journal(await openDatabase(location, writeBufferBytes), location);
  }

  /** All blocks in it, oldest first. @throws CodedError `LOG_CORRUPT`, `LOG_READ_FAILED`. */
  async readAll(): Promise<Block[]> {
    const blocks: Block[] = [];
    for await (const value of this.#db.values()) blocks.push(readBlock(value));
    return blocks;
  }

  /** @throws CodedError `LOG_WRITE_FAILED`; the block is then not stored. */
  async append(block: Block, sync: boolean): Promise<void> {
    const head = writeHead(block, block.json, noPlace);
    const headLength = Buffer.allocUnsafe(4);
    headLength.writeUInt32LE(head.length);
    try {
      await this.#db.put(
        blockKey(block.index.lastTimeUs, parts.head),
        Buffer.concat([headLength, head, block.json, block.zstd]),
        { sync },
      );
    } catch (cause) {
      throw databaseFailure('LOG_WRITE_FAILED', `cannot write to the log in ${this.#location}`, cause);
    }
  }

  /** Deletes every block up to the one that ends at `lastTimeUs`. @throws CodedError `LOG_WRITE_FAILED`. */
  async removeTo(lastTimeUs: number): Promise<void> {
    try {
      await this.#db.clear({
        gte: blockKey(0, parts.head),
        lte: blockKey(lastTimeUs, parts.head),
        lt: blockKeysEnd,
      });
    } catch (cause) {
      throw databaseFailure('LOG_WRITE_FAILED', `cannot delete from the log in ${this.#location}`, cause);
    }
  }

  close(): Promise<void> {
    return this.#db.close();
  }
}

function readBlock(value: Uint8Array): Block {
  const headLength = new DataView(value.buffer, value.byteOffset).getUint32(0, true);
  const head = readHead(value.subarray(4, 4 + headLength));
  const jsonEnd = 4 + headLength + head.jsonBytes;
  return {
    index: head.index,
    json: checkPayload(head, parts.json, value.subarray(4 + headLength, jsonEnd)),
    zstd: checkPayload(head, parts.zstd, value.subarray(jsonEnd)),
    dictionaryId: head.dictionaryId,
    positions: head.positions,
  };
}

// Stored values into blocks: unpacked, checked, and in the dictionary that compressed readers have. Knows keys, and
// nothing of where blocks begin and end; block-reader.ts and segment-list.ts ask it.

import { ByteWriter } from '../byte-writer.ts';
import type { Database } from '../level/database.ts';
import { damaged } from '../level/database-errors.ts';
import type { Block, BlockIndex, BlockSlice } from './block.ts';
import { compressEvents, type EventCompressor, withDictionaryOf } from './block-builder.ts';
import {
  type BlockHead,
  blockKey,
  checkPayload,
  parts,
  readHead,
  readSubjectsOf,
  unpackBlock,
} from './block-format.ts';
import type { SliceEncoding } from './event-log.ts';
import { unpackJson } from './packed-slice.ts';

/** See the file comment. Every method throws CodedError `LOG_CORRUPT` for what is missing or damaged. */
export class BlockLoader {
  readonly #db: Database;
  readonly #compressor: EventCompressor;
  readonly #scratch = new ByteWriter();
  /** See `StoredBlocks.isLost`. */
  isLost: (lastTimeUs: number) => boolean = () => false;

  /** @param compressor what compressed readers can decode: messages of another dictionary are compressed again. */
  constructor(db: Database, compressor: EventCompressor) {
    this.#db = db;
    this.#compressor = compressor;
  }

  /** One encoding of the blocks that end at `times`, undefined for a lost one; with what their events point at only if that is asked for. */
  async slices(
    times: readonly number[],
    encoding: SliceEncoding,
    withSubjects: boolean,
  ): Promise<(BlockSlice | undefined)[]> {
    const payloadPart = encoding === 'zstd' ? parts.zstd : parts.json;
    const wanted = [parts.head, payloadPart, ...(withSubjects ? [parts.subjects] : [])];
    const keys = times.flatMap((lastTimeUs) => wanted.map((part) => blockKey(lastTimeUs, part)));
    const values = await this.#getMany(keys);
    const slices: (BlockSlice | undefined)[] = [];
    for (const [at, lastTimeUs] of times.entries()) {
      const [headValue, payload, subjects] = values.slice(at * wanted.length, (at + 1) * wanted.length);
      try {
        const head = headOf(headValue, lastTimeUs);
        const slice = await this.#slice(head, encoding, payload);
        slices.push(withSubjects ? { ...slice, index: withSubjectsOf(head, slice.index, subjects) } : slice);
      } catch (error) {
        if (!this.isLost(lastTimeUs)) throw error;
        slices.push(undefined);
      }
    }
    return slices;
  }

  /** The columns of a block, with what its events point at. */
  async index(lastTimeUs: number): Promise<BlockIndex> {
    const [headValue, subjects] = await this.#getMany(
      [parts.head, parts.subjects].map((part) => blockKey(lastTimeUs, part)),
    );
    const head = headOf(headValue, lastTimeUs);
    return withSubjectsOf(head, head.index, subjects);
  }

  /** A whole block. */
  async block(lastTimeUs: number): Promise<Block> {
    const [headValue, json, zstd, subjects] = await this.#getMany(
      [parts.head, parts.json, parts.zstd, parts.subjects].map((part) => blockKey(lastTimeUs, part)),
    );
    const head = headOf(headValue, lastTimeUs);
    const whole = this.#whole(
      head,
      checkPayload(head, parts.json, json),
      checkPayload(head, parts.zstd, zstd),
    );
    return { ...whole, index: withSubjectsOf(head, whole.index, subjects) };
  }

  /** The events without a collection of the segment that ends at `lastTimeUs`. */
  async withoutCollection(lastTimeUs: number): Promise<Block> {
    const [value] = await this.#getMany([blockKey(lastTimeUs, parts.withoutCollection)]);
    if (value === undefined)
      throw damaged(`segment ${lastTimeUs} has no events without a collection, and should`);
    const { head, json, zstd } = unpackBlock(value);
    return this.#whole(head, json, zstd);
  }

  async #getMany(keys: Buffer[]): Promise<(Uint8Array | undefined)[]> {
    await this.#db.guard?.admitKeys(keys);
    return this.#db.getMany(keys);
  }

  #whole(head: BlockHead, json: Uint8Array, zstd: Uint8Array): Block {
    const { index, dictionaryId, positions } = head;
    const block = { index, json: unpackJson(json, index), zstd, dictionaryId, positions };
    return withDictionaryOf(block, this.#compressor, this.#scratch);
  }

  async #slice(
    head: BlockHead,
    encoding: SliceEncoding,
    payload: Uint8Array | undefined,
  ): Promise<BlockSlice> {
    const { index } = head;
    if (encoding === 'zstd' && head.dictionaryId === this.#compressor.dictionaryId) {
      return { index, messages: checkPayload(head, parts.zstd, payload) };
    }
    const stored =
      encoding === 'zstd' ? (await this.#getMany([blockKey(index.lastTimeUs, parts.json)]))[0] : payload;
    const packed = checkPayload(head, parts.json, stored);
    if (encoding === 'packed') return { index, messages: packed, isPacked: true };
    const json = unpackJson(packed, index);
    if (encoding === 'json') return { index, messages: json };
    const { zstd, zstdEnd } = compressEvents(json, index.jsonEnd, this.#compressor, this.#scratch);
    return { index: { ...index, zstdEnd }, messages: zstd };
  }
}

function headOf(value: Uint8Array | undefined, lastTimeUs: number): BlockHead {
  if (value === undefined) throw damaged(`block ${lastTimeUs} is missing`);
  const head = readHead(value);
  if (head.index.lastTimeUs !== lastTimeUs)
    throw damaged(`block ${lastTimeUs} has the head of ${head.index.lastTimeUs}`);
  return head;
}

function withSubjectsOf(head: BlockHead, index: BlockIndex, value: Uint8Array | undefined): BlockIndex {
  return { ...index, subjects: readSubjectsOf(head, value) };
}

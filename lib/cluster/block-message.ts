// A block as a message of the stream: packed as one value, behind eight bytes that say what it is, the JSON as one zstd
// frame. The upstream positions within it have one more entry, which is the message's own sequence: a node that stores the
// block has stored how far it has the stream, in the same write. Pure.
//
//   'SLPM', version (1 byte), flags (1 byte: 1 without the zstd messages), 0, 0, block-format.ts packed block

import { constants, zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import type { ByteWriter } from '../byte-writer.ts';
import type { Block, UpstreamPositions } from '../log/block.ts';
import { type EventCompressor, withDictionaryOf } from '../log/block-builder.ts';
import { packBlock, unpackBlock } from '../log/block-format.ts';
import { damaged } from '../log/log-errors.ts';

const magic = Buffer.from('SLPM');
const version = 1;
const headerBytes = 8;
const withoutZstd = 1;
/** Headers that the engine counts as a part of a message, and more. */
const headersBytesMax = 1024;
const compression = { params: { [constants.ZSTD_c_compressionLevel]: 1 } };
const noLink = { before: { events: 0, bytes: 0 }, segmentUs: 0 };
const streamPrefix = 'stream:';
const nothing = new Uint8Array(0);

/** A block that was read from a message. */
export interface ReadBlock {
  readonly block: Block;
  /** `lastTimeUs` of the block before it; 0 when whoever wrote it had none. */
  readonly previousUs: number;
}

/** How far a log has the stream `streamId`; undefined when it has nothing of it. */
export function sequenceIn(positions: UpstreamPositions, streamId: string): number | undefined {
  return positions.get(streamPrefix + streamId);
}

/** The positions at relays alone. */
export function relayPositions(positions: UpstreamPositions): UpstreamPositions {
  return new Map([...positions].filter(([name]) => !name.startsWith(streamPrefix)));
}

/** The block as it is stored everywhere: it knows its place in the stream. */
export function placeBlock(block: Block, streamId: string, sequence: number): Block {
  // First: the relay that was followed last is the last of them.
  const positions = new Map([[streamPrefix + streamId, sequence], ...relayPositions(block.positions)]);
  return { ...block, positions };
}

/**
 * The message of a block; undefined when it is too large. Without its zstd messages, which each node can make, if it is too
 * large with them.
 * @param previousUs `lastTimeUs` of the block before it.
 */
export function writeMessage(block: Block, previousUs: number, messageBytesMax: number): Buffer | undefined {
  const json = zstdCompressSync(block.json, compression);
  const link = { ...noLink, previousUs };
  const bytesMax = messageBytesMax - headersBytesMax;
  const whole = messageOf(packBlock(block, json, link), 0);
  if (whole.length <= bytesMax) return whole;
  const small = messageOf(packBlock({ ...block, zstd: nothing }, json, link), withoutZstd);
  return small.length <= bytesMax ? small : undefined;
}

function messageOf(packed: Buffer, flags: number): Buffer {
  const message = Buffer.alloc(headerBytes + packed.length);
  magic.copy(message);
  message[4] = version;
  message[5] = flags;
  packed.copy(message, headerBytes);
  return message;
}

/**
 * Reads a message. The block's memory is not that of `bytes`, but for zstd messages, which are views of it.
 * @param compressor what this node stores: messages of another dictionary are compressed again. @param scratch for that.
 * @throws CodedError `LOG_CORRUPT`, which says what does not fit.
 */
export function readMessage(
  { bytes, sequence }: { readonly bytes: Uint8Array; readonly sequence: number },
  streamId: string,
  compressor: EventCompressor,
  scratch: ByteWriter,
): ReadBlock {
  if (bytes.length < headerBytes || Buffer.compare(bytes.subarray(0, 4), magic) !== 0)
    throw damaged(`message ${sequence} of the stream is no block`);
  if (bytes[4] !== version)
    throw damaged(`message ${sequence} of the stream has version ${bytes[4]}, not ${version}`);
  const { head, json: compressed, zstd } = unpackBlock(bytes.subarray(headerBytes));
  const own = sequenceIn(head.positions, streamId);
  if (own !== sequence) throw damaged(`message ${sequence} of the stream says that it is number ${own}`);
  const { index, positions, coverage, previousUs } = head;
  const isWhole = (bytes[5] & withoutZstd) === 0;
  const block = {
    index,
    json: decompress(compressed, index.jsonEnd.at(-1) ?? 0, sequence),
    zstd,
    // No dictionary has this one, so that the messages are made here.
    dictionaryId: isWhole ? head.dictionaryId : Number.NaN,
    positions,
    coverage,
  };
  return { block: withDictionaryOf(block, compressor, scratch), previousUs };
}

/** `lastTimeUs` of a message's block. @throws CodedError `LOG_CORRUPT`. */
export function messageEndUs(bytes: Uint8Array): number {
  return unpackBlock(bytes.subarray(headerBytes)).head.index.lastTimeUs;
}

function decompress(compressed: Uint8Array, jsonBytes: number, sequence: number): Uint8Array {
  try {
    const json = zstdDecompressSync(compressed, { maxOutputLength: Math.max(1, jsonBytes) });
    if (json.length === jsonBytes) return json;
  } catch {
    // Said below.
  }
  throw damaged(`the JSON of message ${sequence} of the stream cannot be decompressed`);
}

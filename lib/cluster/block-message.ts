// Blocks as a message of the stream: one, or several that follow each other, each packed as one value with its JSON as one zstd frame,
// behind eight bytes that say what it is. A message is stored whole or not at all. The upstream positions within a block have one more
// entry, which says what a log that ends with it has of the stream: the message's own sequence in its last block, the one before in
// the others. So a node that stores a block has stored how far it has the stream, in the same write. Pure.
//
//   'SLPM', version (1 byte), flags (1 byte: 1 without the zstd messages), number of blocks (2 bytes), then for each block:
//   its length (4 bytes), block-format.ts packed block

import type { ByteWriter } from '../byte-writer.ts';
import { damaged } from '../level/database-errors.ts';
import type { Block, UpstreamPositions } from '../log/block.ts';
import { type EventCompressor, isFull, withDictionaryOf } from '../log/block-builder.ts';
import { packBlock, unpackBlock } from '../log/block-format.ts';
import { decompressJson } from '../log/stored-json.ts';
import { checkHead, checkMessages } from './block-check.ts';
import type { StoredMessage } from './engine.ts';

const magic = Buffer.from('SLPM');
const version = 2;
const headerBytes = 8;
const lengthBytes = 4;
const withoutZstd = 1;
/** Headers that the engine counts as a part of a message, and more. */
const headersBytesMax = 1024;
/** Most blocks of a message: a writer gathers 16. Of the smallest, 27,000 would fit into one, and take half a second. */
const blocksMax = 256;
/** Most JSON of a message: a quarter of a MiB, and one frame more, whose events have 16 MiB and one of their own. */
const jsonBytesMax = 32 * 1024 * 1024;
const noLink = { before: { events: 0, bytes: 0 }, segmentUs: 0 };
const streamPrefix = 'stream:';
const nothing = new Uint8Array(0);

/** A block with its JSON as it is stored. */
export interface PackedBlock {
  readonly block: Block;
  readonly storedJson: Uint8Array;
}

/** A message as it was got. */
type Stored = Pick<StoredMessage, 'bytes' | 'sequence'>;

/** Blocks that were read from a message. */
export interface ReadBlocks {
  readonly blocks: readonly Block[];
  /** `lastTimeUs` of the block before the first; 0 when whoever wrote it had none. */
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

/** The blocks of message `sequence`, in order, as they are stored everywhere. */
export function placeBlocks(blocks: readonly Block[], streamId: string, sequence: number): Block[] {
  return blocks.map((block, at) =>
    placeBlock(block, streamId, at === blocks.length - 1 ? sequence : sequence - 1),
  );
}

/**
 * The message of blocks; undefined when it is too large. Without their zstd messages, which each node can make, if it is too
 * large with them.
 * @param previousUs `lastTimeUs` of the block before the first.
 */
export function writeMessage(
  packed: readonly PackedBlock[],
  previousUs: number,
  messageBytesMax: number,
): Buffer | undefined {
  const bytesMax = messageBytesMax - headersBytesMax;
  const whole = messageOf(packed, previousUs, 0);
  if (whole.length <= bytesMax) return whole;
  const small = messageOf(
    packed.map(({ block, storedJson }) => ({ block: { ...block, zstd: nothing }, storedJson })),
    previousUs,
    withoutZstd,
  );
  return small.length <= bytesMax ? small : undefined;
}

function messageOf(packed: readonly PackedBlock[], previousUs: number, flags: number): Buffer {
  const header = Buffer.alloc(headerBytes);
  magic.copy(header);
  header[4] = version;
  header[5] = flags;
  header.writeUInt16LE(packed.length, 6);
  const parts: Buffer[] = [header];
  let link = { ...noLink, previousUs };
  for (const { block, storedJson } of packed) {
    const bytes = packBlock(block, storedJson, link);
    const length = Buffer.allocUnsafe(lengthBytes);
    length.writeUInt32LE(bytes.length);
    parts.push(length, bytes);
    link = { ...noLink, previousUs: block.index.lastTimeUs };
  }
  return Buffer.concat(parts);
}

/**
 * Reads a message. The blocks' memory is not that of `bytes`, but for the stored JSON of full ones.
 * @param compressor what this node stores: messages of another dictionary are compressed again. @param scratch for that.
 * @throws CodedError `LOG_CORRUPT`, which says what does not fit.
 */
export function readMessage(
  { bytes, sequence }: Stored,
  streamId: string,
  compressor: EventCompressor,
  scratch: ByteWriter,
): ReadBlocks {
  const values = packedIn(bytes, sequence);
  const isWhole = (bytes[5] & withoutZstd) === 0;
  let firstUs = 0;
  let endUs = 0;
  const unpacked = values.map(unpackBlock);
  const jsonBytes = unpacked.reduce((sum, { head }) => sum + (head.index.jsonEnd.at(-1) ?? 0), 0);
  if (jsonBytes > jsonBytesMax)
    throw damaged(`message ${sequence} of the stream holds ${jsonBytes} bytes of JSON`);
  const blocks = unpacked.map(({ head, json: storedJson, zstd }, at) => {
    const own = sequenceIn(head.positions, streamId);
    const isLast = at === unpacked.length - 1;
    if (own !== (isLast ? sequence : sequence - 1))
      throw damaged(`block ${at} of message ${sequence} of the stream says that it is of number ${own}`);
    checkHead(head);
    const { index, positions, coverage, previousUs } = head;
    if (at === 0) firstUs = previousUs;
    else if (previousUs !== endUs || index.firstTimeUs <= endUs)
      throw damaged(
        `block ${at} of message ${sequence} of the stream does not go on where the one before ends`,
      );
    endUs = index.lastTimeUs;
    const json = jsonOf(storedJson, index.jsonEnd.at(-1) ?? 0, sequence);
    checkMessages(index, json, isWhole ? zstd : undefined);
    const block = {
      index,
      json,
      // A view would keep what came with it, and be sent to each worker with all of that.
      zstd: Uint8Array.prototype.slice.call(zstd),
      // No dictionary has this one, so that the messages are made here.
      dictionaryId: isWhole ? head.dictionaryId : Number.NaN,
      positions,
      coverage,
    };
    const stored = withDictionaryOf(block, compressor, scratch);
    return isFull(stored) ? { ...stored, storedJson } : stored;
  });
  return { blocks, previousUs: firstUs };
}

/** Where a message begins and its blocks end, as of `ReadBlocks` and `lastTimeUs`. @throws CodedError `LOG_CORRUPT`. */
export function messageTimes({ bytes, sequence }: Stored): {
  readonly previousUs: number;
  readonly endsUs: readonly number[];
} {
  const heads = packedIn(bytes, sequence).map((value) => unpackBlock(value).head);
  return { previousUs: heads[0].previousUs, endsUs: heads.map(({ index }) => index.lastTimeUs) };
}

/** The packed blocks of a message, as views of it. */
function packedIn(bytes: Uint8Array, sequence: number): Uint8Array[] {
  if (bytes.length < headerBytes || Buffer.compare(bytes.subarray(0, 4), magic) !== 0)
    throw damaged(`message ${sequence} of the stream is no block`);
  if (bytes[4] !== version)
    throw damaged(`message ${sequence} of the stream has version ${bytes[4]}, not ${version}`);
  if ((bytes[5] & ~withoutZstd) !== 0)
    throw damaged(`message ${sequence} of the stream has flags ${bytes[5]}, and some that are not known`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const count = view.getUint16(6, true);
  if (count > blocksMax) throw damaged(`message ${sequence} of the stream has ${count} blocks`);
  const values: Uint8Array[] = [];
  let at = headerBytes;
  for (let left = count; left > 0 && at + lengthBytes <= bytes.length; left--) {
    const length = view.getUint32(at, true);
    at += lengthBytes;
    values.push(bytes.subarray(at, at + length));
    at += length;
  }
  if (values.length === 0 || values.length !== count || at !== bytes.length)
    throw damaged(`message ${sequence} of the stream is cut off, or too long`);
  return values;
}

function jsonOf(stored: Uint8Array, bytes: number, sequence: number): Uint8Array {
  try {
    return decompressJson(stored, bytes);
  } catch {
    throw damaged(`the JSON of message ${sequence} of the stream cannot be decompressed`);
  }
}

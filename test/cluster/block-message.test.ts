import { crc32, zstdDecompressSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { ByteWriter } from '../../lib/byte-writer.ts';
import {
  placeBlock,
  placeBlocks,
  readMessage,
  relayPositions,
  sequenceIn,
  writeMessage,
} from '../../lib/cluster/block-message.ts';
import type { Block } from '../../lib/log/block.ts';
import type { EventCompressor } from '../../lib/log/block-builder.ts';
import { fakeCompressor, SampleLog, seededRandom } from '../support/events.ts';
import { packed } from './sample-stream.ts';

const streamId = '0123456789abcdef';
const bytesMax = 8 * 1024 * 1024;
const scratch = new ByteWriter();

function sample(count = 20): Block {
  return new SampleLog(seededRandom(3), { textBytesMax: 2_000 }).block(count);
}

function read(bytes: Uint8Array, sequence = 5, compressor: EventCompressor = fakeCompressor) {
  return readMessage({ bytes, sequence }, streamId, compressor, scratch);
}

describe('a message', () => {
  test('holds the whole block, where it is in the stream and what it follows', () => {
    const block = placeBlock(sample(), streamId, 5);
    const message = writeMessage([packed(block)], 123, bytesMax) as Buffer;
    const {
      blocks: [found],
      previousUs,
    } = read(message);
    expect(previousUs).toBe(123);
    expect(Buffer.compare(found.json, block.json)).toBe(0);
    expect(Buffer.compare(found.zstd, block.zstd)).toBe(0);
    expect(found.positions).toEqual(block.positions);
    const { keyTimeUs: _, ...subjects } = block.index.subjects ?? { keyTimeUs: undefined };
    expect(found.index).toEqual({ ...block.index, subjects });
    expect(sequenceIn(found.positions, streamId)).toBe(5);
    expect(sequenceIn(found.positions, 'other')).toBeUndefined();
    expect(relayPositions(found.positions)).toEqual(new Map([['relay.test', 1]]));
    // The relay that was followed last stays the last.
    expect([...placeBlock(found, streamId, 6).positions.keys()].at(-1)).toBe('relay.test');
  });

  test('holds several blocks, of which only the last has come to its own sequence', () => {
    const log = new SampleLog(seededRandom(3));
    const blocks = placeBlocks([log.block(3), log.block(300), log.block(2)], streamId, 5);
    const found = read(writeMessage(blocks.map(packed), 123, bytesMax) as Buffer);
    expect(found.previousUs).toBe(123);
    expect(found.blocks.map(({ positions }) => sequenceIn(positions, streamId))).toEqual([4, 4, 5]);
    expect(found.blocks.map(({ json }) => Buffer.from(json))).toEqual(
      blocks.map(({ json }) => Buffer.from(json)),
    );
    // What the block store can keep as it is.
    expect(found.blocks.map(({ storedJson }) => storedJson && zstdDecompressSync(storedJson))).toEqual([
      undefined,
      Buffer.from(blocks[1].json),
      undefined,
    ]);
  });

  test('whose blocks do not follow each other is refused', () => {
    const log = new SampleLog(seededRandom(3));
    const [one, two] = placeBlocks([log.block(3), log.block(3)], streamId, 5);
    const turned = placeBlocks([two, one], streamId, 5);
    expect(() => read(writeMessage(turned.map(packed), 0, bytesMax) as Buffer)).toThrow('does not go on');
    expect(() => read(writeMessage([one, two, two].map(packed), 0, bytesMax) as Buffer)).toThrow(
      'of number 5',
    );
  });

  test('of a block without events', () => {
    const { builder } = new SampleLog(seededRandom(1));
    builder.advance('relay.test', 9);
    const block = placeBlock(builder.seal(fakeCompressor), streamId, 5);
    const found = read(writeMessage([packed(block)], 0, bytesMax) as Buffer).blocks[0];
    expect(found.index.count).toBe(0);
    expect(found.positions).toEqual(block.positions);
  });

  test('leaves out what nodes can make when it is too large, and is none when it still is', () => {
    const block = placeBlock(sample(200), streamId, 5);
    const whole = writeMessage([packed(block)], 0, bytesMax) as Buffer;
    const small = writeMessage([packed(block)], 0, whole.length) as Buffer;
    expect(small.length).toBeLessThan(whole.length - block.zstd.length / 2);
    const [found] = read(small).blocks;
    expect(Buffer.compare(found.zstd, block.zstd)).toBe(0);
    expect(found.index.zstdEnd).toEqual(block.index.zstdEnd);
    expect(writeMessage([packed(block)], 0, 2_000)).toBeUndefined();
  });

  test('is compressed again for a node with another dictionary', () => {
    const block = placeBlock(sample(), streamId, 5);
    const other: EventCompressor = { ...fakeCompressor, dictionaryId: 8 };
    const [found] = read(writeMessage([packed(block)], 0, bytesMax) as Buffer, 5, other).blocks;
    expect(found.dictionaryId).toBe(8);
    expect(Buffer.compare(found.zstd, block.zstd)).toBe(0);
  });

  test('that is damaged, of another place or of a later version is refused', () => {
    const message = writeMessage([packed(placeBlock(sample(), streamId, 5))], 0, bytesMax) as Buffer;
    expect(() => read(message, 6)).toThrow('says that it is of number 5');
    expect(() => read(Buffer.from('SLPM'))).toThrow('is no block');
    expect(() => read(Buffer.concat([Buffer.from('x'), message]))).toThrow('is no block');
    const later = Buffer.from(message);
    later[4] = 9;
    expect(() => read(later)).toThrow('has version 9');
    for (let at = 8; at < message.length; at += 97) {
      const bytes = Buffer.from(message);
      bytes[at] ^= 0x10;
      expect(() => read(bytes), `byte ${at}`).toThrow(expect.objectContaining({ code: 'LOG_CORRUPT' }));
    }
    for (let length = 0; length < message.length; length += 211)
      expect(() => read(message.subarray(0, length)), `length ${length}`).toThrow();
  });

  test('with any one bit flipped is refused, or says the same', () => {
    const corrupt = expect.objectContaining({ code: 'LOG_CORRUPT' });
    const log = new SampleLog(seededRandom(3));
    const blocks = placeBlocks([log.block(2), log.block(3)], streamId, 5);
    const whole = writeMessage(blocks.map(packed), 7, bytesMax) as Buffer;
    const small = writeMessage(blocks.map(packed), 7, whole.length + 1023) as Buffer;
    expect(small.length).toBeLessThan(whole.length);
    for (const message of [whole, small]) {
      const right = read(message);
      for (let bit = 0; bit < message.length * 8; bit++) {
        const bytes = Buffer.from(message);
        bytes[bit >> 3] ^= 1 << (bit & 7);
        try {
          expect(read(bytes), `bit ${bit}`).toEqual(right);
        } catch (error) {
          expect(error, `bit ${bit}`).toEqual(corrupt);
        }
      }
    }
  });

  test('whose blocks unpack to more than any has is refused before they are', () => {
    const log = new SampleLog(seededRandom(3));
    const bytes = 6 * 1024 * 1024;
    const blocks = Array.from({ length: 6 }, () => {
      const block = log.block(1);
      const json = Buffer.alloc(bytes, 0x20);
      return { ...block, json, index: { ...block.index, jsonEnd: Uint32Array.of(bytes) } };
    });
    const message = writeMessage(placeBlocks(blocks, streamId, 5).map(packed), 0, bytesMax) as Buffer;
    expect(message.length).toBeLessThan(20_000);
    // Each of them is no message, so the sum has to be looked at first.
    expect(() => read(message)).toThrow(/37748736 bytes of JSON/);
  });

  test('of more blocks than anybody gathers is refused before they are looked at', () => {
    const log = new SampleLog(seededRandom(3));
    const of = (count: number): Buffer => {
      const blocks = placeBlocks(
        Array.from({ length: count }, () => log.block(1)),
        streamId,
        5,
      );
      return writeMessage(blocks.map(packed), 0, bytesMax) as Buffer;
    };
    expect(read(of(256)).blocks).toHaveLength(256);
    expect(() => read(of(257))).toThrow(/has 257 blocks/);
  });

  test.each<[string, (block: Block) => object]>([
    ['times that do not rise', ({ index }) => ({ timeUs: index.timeUs.toReversed() })],
    ['times beside those of the head', ({ index }) => ({ timeUs: index.timeUs.map((us) => us - 1) })],
    ['no time', ({ index }) => ({ timeUs: index.timeUs.with(1, Number.NaN) })],
    ['a time beyond all', () => ({ lastTimeUs: 1e300 })],
    ['a start that is none', () => ({ firstTimeUs: Number.NaN })],
    ['ends that do not rise', ({ index }) => ({ jsonEnd: index.jsonEnd.with(0, index.jsonEnd[1]) })],
    ['an end within a message', ({ index }) => ({ jsonEnd: index.jsonEnd.with(0, index.jsonEnd[0] - 1) })],
    [
      'more than the JSON has',
      ({ index }) => ({ jsonEnd: index.jsonEnd.with(-1, (index.jsonEnd.at(-1) as number) + 1) }),
    ],
    ['gigabytes', ({ index }) => ({ jsonEnd: index.jsonEnd.with(-1, 0xffff_fff0) })],
    ['an end within a frame', ({ index }) => ({ zstdEnd: index.zstdEnd.with(0, index.zstdEnd[0] + 1) })],
    ['fewer frames', ({ index }) => ({ zstdEnd: index.zstdEnd.with(-1, index.zstdEnd[0]) })],
    ['a collection that it does not name', ({ index }) => ({ collection: index.collection.with(0, 999) })],
    ['no collections', () => ({ collections: null })],
    ['collections that are no texts', ({ index }) => ({ collections: index.collections.map(() => 7) })],
    ['times of the stream that are none', () => ({ stream: { nowUs: 'x' } })],
    [
      'subjects of other events',
      ({ index }) => ({ subjects: { ...index.subjects, createdFromUs: Number.NaN } }),
    ],
  ])('whose head has %s is refused, whatever its checksums say', (_, lie) => {
    const block = placeBlock(sample(), streamId, 5);
    const lying = { ...block, index: { ...block.index, ...lie(block) } } as Block;
    const message = writeMessage([packed(lying)], 0, bytesMax) as Buffer;
    expect(() => read(message)).toThrow(expect.objectContaining({ code: 'LOG_CORRUPT' }));
  });

  test.each<[string, Partial<Record<keyof Block, unknown>>]>([
    ['positions that are none', { positions: new Map<string, unknown>([['relay.test', 'x']]) }],
    ['rows that are none', { coverage: [{ reason: 'relay_gap' }] }],
    ['no rows', { coverage: 7 }],
  ])('with %s is refused', (_, lie) => {
    const block = placeBlock(sample(), streamId, 5);
    const positions = new Map([...block.positions, ...((lie.positions as Map<string, number>) ?? [])]);
    const lying = { ...block, ...lie, positions } as Block;
    const message = writeMessage([packed(lying)], 0, bytesMax) as Buffer;
    expect(() => read(message)).toThrow(expect.objectContaining({ code: 'LOG_CORRUPT' }));
  });

  test.each(['null', '7', '[]', '{"collections":[]}', '{', '{"positions":null,"collections":[]}'])(
    'whose head ends with %s is refused',
    (text) => {
      const block = placeBlock(sample(), streamId, 5);
      const message = writeMessage([packed(block)], 0, bytesMax) as Buffer;
      const head = message.subarray(16, 16 + message.readUInt32LE(12));
      const textBytes = head.readUInt32LE(12);
      head.write(text.padEnd(textBytes), head.length - textBytes);
      head.writeUInt32LE(crc32(head.subarray(4)), 0);
      expect(() => read(message)).toThrow(expect.objectContaining({ code: 'LOG_CORRUPT' }));
    },
  );
});

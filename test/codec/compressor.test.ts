// One suite for both implementations of the seam, on every dictionary. zstd frames are read back by software that is not the
// one that made them: zstd inside Node, and the zstd command line.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { constants, zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ByteWriter } from '../../lib/byte-writer.ts';
import { type Compressor, compressionLevels } from '../../lib/codec/compressor.ts';
import type { Dictionary } from '../../lib/codec/dictionary.ts';
import { parseDictionary, readDictionary } from '../../lib/codec/dictionary.ts';
import { openNodeCompressor } from '../../lib/codec/node-compressor.ts';
import { openWasmCompressor } from '../../lib/codec/wasm-compressor.ts';
import { corpusLines, hasShared, officialDictionaryPath, sharedNote } from '../support/shared.ts';
import { eventText, noise, sampleDictionaries, seededIntegers } from './sample-dictionaries.ts';

type Open = (dictionary: Dictionary, level: number) => Compressor | Promise<Compressor>;

const implementations: [string, Open][] = [
  ['wasm', openWasmCompressor],
  ['node', openNodeCompressor],
];
const cases = implementations.flatMap(([implementation, open]) =>
  sampleDictionaries.map(([name, dictionary]) => [implementation, name, open, dictionary] as const),
);

function frameOf(compressor: Compressor, content: Uint8Array): Buffer {
  const out = new ByteWriter(16);
  compressor.compress(content, 0, content.length, out);
  return out.buffer.subarray(0, out.length);
}

/** What the header of a frame says (RFC 8878, section 3.1.1.1). */
function readHeader(frame: Buffer) {
  const descriptor = frame[4];
  const singleSegment = (descriptor & 0x20) !== 0;
  const window = singleSegment ? undefined : 2 ** (10 + (frame[5] >> 3)) * (1 + (frame[5] & 7) / 8);
  const idBytes = [0, 1, 2, 4][descriptor & 3];
  const at = 5 + (singleSegment ? 0 : 1) + idBytes;
  const sizeBytes = [singleSegment ? 1 : 0, 2, 4, 8][descriptor >> 6];
  const size = [
    () => undefined,
    () => frame[at],
    () => frame.readUInt16LE(at) + 256,
    () => frame.readUInt32LE(at),
    () => Number(frame.readBigUInt64LE(at)),
  ][sizeBytes === 0 ? 0 : Math.log2(sizeBytes) + 1]();
  return {
    magic: frame.readUInt32LE(0),
    checksum: (descriptor & 4) !== 0,
    dictionaryId: idBytes === 0 ? undefined : frame.readUIntLE(at - idBytes, idBytes),
    size,
    window: window ?? size ?? Number.NaN,
  };
}

const boundaries = [0, 1, 255, 256, 257, 1023, 1024, 1025, 65_791, 65_792, 65_793, 131_071, 131_072, 131_073];

describe.each(cases)('%s compressor, %s dictionary', (implementation, _name, open, dictionary) => {
  let compressor: Compressor;
  beforeAll(async () => {
    compressor = await open(dictionary, 3);
  });
  afterAll(() => compressor.close());

  test('tells what it is', () => {
    expect(compressor).toMatchObject({ name: implementation, dictionaryId: dictionary.id, level: 3 });
  });

  test('frames carry magic, id, content size, no checksum and a window of at most 128 KiB', () => {
    for (const content of [...boundaries, 300_000, 1 << 20].map((bytes) => eventText(bytes, bytes))) {
      expect(readHeader(frameOf(compressor, content)), `${content.length} bytes`).toMatchObject({
        magic: 0xfd2fb528,
        checksum: false,
        dictionaryId: dictionary.id,
        size: content.length,
      });
      expect(readHeader(frameOf(compressor, content)).window).toBeLessThanOrEqual(131_072);
    }
  });

  test('contents of every size come back, through itself and through the zstd of Node', () => {
    const text = eventText(140_000, 11);
    const sizes = [...Array(1100).keys(), ...boundaries];
    for (let bytes = 1100; bytes < 70_000; bytes += 613) sizes.push(bytes);
    for (const bytes of sizes) {
      const content = text.subarray(bytes % 977, (bytes % 977) + bytes);
      const frame = frameOf(compressor, content);
      expect(
        zstdDecompressSync(frame, { dictionary: dictionary.bytes }).equals(content),
        `${bytes} bytes`,
      ).toBe(true);
      expect(content.equals(compressor.decompress(frame, bytes)), `${bytes} bytes`).toBe(true);
    }
  });

  test.each([0, 1, 100, 5000, 131_072, 131_073, 1 << 20])(
    '%i bytes of noise come back, hardly larger',
    (bytes) => {
      const content = noise(bytes, 5);
      const frame = frameOf(compressor, content);
      expect(frame.length).toBeLessThanOrEqual(bytes + 18 + 3 * Math.ceil(bytes / 131_072) + 3);
      expect(zstdDecompressSync(frame, { dictionary: dictionary.bytes }).equals(content)).toBe(true);
      expect(content.equals(compressor.decompress(frame, bytes))).toBe(true);
    },
  );

  test('appends behind what is there, from the middle of a source that is not a Buffer', () => {
    const content = eventText(600, 21);
    const source = new Uint8Array(1000);
    source.set(content, 123);
    const out = new ByteWriter(8);
    out.ascii('before');
    compressor.compress(source, 123, 723, out);
    const first = out.length;
    compressor.compress(source, 123, 723, out);
    expect(out.buffer.toString('latin1', 0, 6)).toBe('before');
    const [one, two] = [out.buffer.subarray(6, first), out.buffer.subarray(first, out.length)];
    expect(one).toEqual(two);
    expect(zstdDecompressSync(one, { dictionary: dictionary.bytes })).toEqual(content);
  });

  test('what the dictionary holds costs next to nothing', () => {
    const known = dictionary.bytes.subarray(-2000, -1200);
    expect(frameOf(compressor, known).length).toBeLessThan(60);
  });

  test('reads frames of other makers: no content size, no checksum', () => {
    const content = eventText(200, 8);
    const params = { [constants.ZSTD_c_contentSizeFlag]: 0, [constants.ZSTD_c_checksumFlag]: 0 };
    const frame = zstdCompressSync(content, { dictionary: dictionary.bytes, params });
    expect(readHeader(frame).size).toBeUndefined();
    expect(content.equals(compressor.decompress(frame, 200))).toBe(true);
    expect(() => compressor.decompress(frame, 199)).toThrow(
      expect.objectContaining({ code: 'CODEC_CORRUPT_FRAME' }),
    );
  });

  test('refuses a frame that holds more than the bound', () => {
    const frame = frameOf(compressor, eventText(5000, 4));
    expect(() => compressor.decompress(frame, 4999)).toThrow(
      expect.objectContaining({ code: 'CODEC_CORRUPT_FRAME' }),
    );
    // A header that declares 2^40 bytes must not be believed.
    const huge = Buffer.from('28b52ffde7000000000000000000010000000000', 'hex');
    huge.writeUInt32LE(dictionary.id, 5);
    expect(readHeader(huge).size).toBe(2 ** 40);
    expect(() => compressor.decompress(huge, 1000)).toThrow(
      expect.objectContaining({ code: 'CODEC_CORRUPT_FRAME' }),
    );
  });

  test('refuses a frame of another dictionary', async () => {
    const bytes = dictionary.bytes.slice();
    new DataView(bytes.buffer).setUint32(4, 99_999, true);
    const other = await open(parseDictionary(bytes, 'test'), 3);
    const frame = frameOf(other, eventText(500, 4));
    other.close();
    expect(() => compressor.decompress(frame, 500)).toThrow(
      expect.objectContaining({ code: 'CODEC_CORRUPT_FRAME' }),
    );
  });

  test('a damaged frame is an error or some content within the bound, and the next frame is unharmed', () => {
    const seed = 77;
    const next = seededIntegers(seed);
    const content = eventText(700, seed);
    const frame = frameOf(compressor, content);
    const attempt = (damaged: Buffer, what: string): void => {
      let back: Uint8Array;
      try {
        back = compressor.decompress(damaged, 4096);
      } catch (error) {
        expect(error, `${what}, seed ${seed}`).toMatchObject({ code: 'CODEC_CORRUPT_FRAME' });
        return;
      }
      expect(back.length, `${what}, seed ${seed}`).toBeLessThanOrEqual(4096);
    };
    for (let length = 0; length < frame.length; length++)
      attempt(Buffer.from(frame.subarray(0, length)), `cut at ${length}`);
    for (let round = 0; round < 1500; round++) {
      const damaged = Buffer.from(frame);
      const at = next() % damaged.length;
      damaged[at] ^= 1 << (next() & 7);
      attempt(damaged, `flip at ${at}`);
    }
    expect(content.equals(compressor.decompress(frame, 700))).toBe(true);
    expect(frameOf(compressor, content)).toEqual(frame);
  });

  test('at the fast level it makes the frames of a lower level', async () => {
    const fast = await open(dictionary, compressionLevels.fast);
    const slow = await open(dictionary, compressionLevels.max);
    const fastFrameOf = (from: Compressor, content: Uint8Array): Buffer => {
      const out = new ByteWriter();
      from.compress(content, 0, content.length, out, true);
      return out.buffer.subarray(0, out.length);
    };
    let [slowBytes, fastBytes] = [0, 0];
    for (let seed = 0; seed < 40; seed++) {
      const content = eventText(500, seed);
      const frame = fastFrameOf(slow, content);
      expect(frame).toEqual(frameOf(fast, content));
      expect(fastFrameOf(fast, content)).toEqual(frame);
      expect(zstdDecompressSync(frame, { dictionary: dictionary.bytes })).toEqual(content);
      slowBytes += frameOf(slow, content).length;
      fastBytes += frame.length;
    }
    expect(slowBytes).toBeLessThan(fastBytes);
    fast.close();
    slow.close();
  });

  test('makes one for another dictionary, which outlives it', async () => {
    const [, otherDictionary] = sampleDictionaries.at(-1)!;
    const first = await open(dictionary, 4);
    const other = first.withDictionary(otherDictionary);
    first.close();
    expect(other).toMatchObject({ name: implementation, dictionaryId: otherDictionary.id, level: 4 });
    const content = eventText(600, 3);
    const frame = frameOf(other, content);
    expect(zstdDecompressSync(frame, { dictionary: otherDictionary.bytes })).toEqual(content);
    expect(content.equals(other.decompress(frame, 600))).toBe(true);
    other.close();
    expect(() => first.withDictionary(dictionary)).toThrow(expect.objectContaining({ code: 'CODEC_CLOSED' }));
  });

  test('makes one of another level', async () => {
    const first = await open(dictionary, 4);
    const quick = first.withDictionary(dictionary, 1);
    expect(quick).toMatchObject({ name: implementation, dictionaryId: dictionary.id, level: 1 });
    first.close();
    quick.close();
  });

  test('is closed for good, and closing twice is once', async () => {
    const other = await open(dictionary, 1);
    other.close();
    other.close();
    const closed = expect.objectContaining({ code: 'CODEC_CLOSED' });
    expect(() => frameOf(other, Buffer.alloc(3))).toThrow(closed);
    expect(() => other.decompress(Buffer.alloc(30), 10)).toThrow(closed);
  });

  test('refuses a dictionary whose tables zstd cannot read', async () => {
    const bytes = dictionary.bytes.slice();
    bytes.fill(0xff, 9, 12);
    const damaged = { id: dictionary.id, bytes, sha256: '' };
    await expect((async () => open(damaged, 3))()).rejects.toMatchObject({
      code: 'CODEC_DICTIONARY_INVALID',
    });
  });
});

describe.each(implementations)('levels of the %s compressor', (implementation, open) => {
  test.skipIf(!hasShared)(
    `real events with the official dictionary, smaller at each level${sharedNote}`,
    async () => {
      const official = readDictionary(officialDictionaryPath);
      const events = corpusLines().map((line) => Buffer.from(line));
      const jsonBytes = events.reduce((sum, event) => sum + event.length, 0);
      const ratios: number[] = [];
      for (let level: number = compressionLevels.min; level <= compressionLevels.max; level++) {
        const compressor = await open(official, level);
        let bytes = 0;
        for (const event of events) {
          const frame = frameOf(compressor, event);
          expect(zstdDecompressSync(frame, { dictionary: official.bytes })).toEqual(event);
          bytes += frame.length;
        }
        ratios.push(bytes / jsonBytes);
        compressor.close();
      }
      expect(ratios[compressionLevels.default - 1]).toBeLessThan(0.455);
      // Of few events, the levels of the wasm compressor that differ little may come in another order.
      if (implementation !== 'wasm') expect(ratios).toEqual(ratios.toSorted((a, b) => b - a));
      expect(ratios.at(-1)).toBeLessThan(ratios[0] - 0.01);
    },
  );
});

describe('the zstd command line', () => {
  const folder = mkdtempSync(join(tmpdir(), 'slipstream-zstd-'));
  afterAll(() => rmSync(folder, { recursive: true }));
  const installed = spawnSync('zstd', ['--version']).status === 0;
  if (!installed)
    console.warn('skipped: reading with the zstd command line, because "zstd" is not installed');

  test.skipIf(!installed).each(cases)(
    'reads frames of the %s compressor, %s dictionary',
    async (_implementation, _name, open, dictionary) => {
      const compressor = await open(dictionary, 3);
      const contents = boundaries.map((bytes) => eventText(bytes, bytes + 1));
      const paths = {
        dictionary: join(folder, 'd.zdict'),
        frames: join(folder, 'frames.zst'),
        back: join(folder, 'back'),
      };
      writeFileSync(paths.dictionary, dictionary.bytes);
      writeFileSync(paths.frames, Buffer.concat(contents.map((content) => frameOf(compressor, content))));
      const run = spawnSync('zstd', [
        '-d',
        '-f',
        '-q',
        '--memory=128KiB',
        '-D',
        paths.dictionary,
        paths.frames,
        '-o',
        paths.back,
      ]);
      expect(run.stderr.toString()).toBe('');
      expect(readFileSync(paths.back).equals(Buffer.concat(contents))).toBe(true);
      compressor.close();
    },
  );
});

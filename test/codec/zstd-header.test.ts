// Headers of zstd frames that zstd inside of Node made, with every choice that it has.
import { constants, zstdCompressSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { readZstdHeader, zstdFrameBytes } from '../../lib/codec/zstd-header.ts';
import { sampleDictionaries } from './sample-dictionaries.ts';

const sizes = [0, 1, 255, 256, 257, 1000, 65_791, 65_792, 300_000];

describe.each([['no', undefined] as const, ...sampleDictionaries])('%s dictionary', (_name, dictionary) => {
  test.each(sizes)('%i bytes', (bytes) => {
    for (const [declares, names, checks] of [0, 1, 2, 3, 4, 5, 6, 7].map((bits) => [
      bits & 1,
      bits & 2,
      bits & 4,
    ])) {
      const params = {
        [constants.ZSTD_c_contentSizeFlag]: declares,
        [constants.ZSTD_c_dictIDFlag]: names === 0 ? 0 : 1,
        [constants.ZSTD_c_checksumFlag]: checks === 0 ? 0 : 1,
      };
      const frame = zstdCompressSync(
        Buffer.alloc(bytes, 'event'),
        dictionary === undefined ? { params } : { params, dictionary: dictionary.bytes },
      );
      expect(readZstdHeader(frame)).toEqual({
        dictionaryId: names === 0 ? 0 : (dictionary?.id ?? 0),
        contentBytes: declares === 0 ? undefined : bytes,
        hasChecksum: checks !== 0,
        windowBytes: expect.any(Number),
      });
      expect(zstdFrameBytes(frame)).toBe(frame.length);
      expect(zstdFrameBytes(Buffer.concat([frame, frame]))).toBe(frame.length);
      for (const left of [1, 4, 5].filter((count) => count < frame.length))
        expect(zstdFrameBytes(frame.subarray(0, -left)), `${left} fewer`).toBeUndefined();
      // From the middle of other bytes, and not a Buffer.
      expect(readZstdHeader(new Uint8Array([9, ...frame.subarray(0, 20)]).subarray(1))).toEqual(
        readZstdHeader(frame),
      );
    }
  });
});

test('a size of eight bytes', () => {
  const frame = Buffer.from('28b52ffde40000000000000001010000', 'hex');
  expect(readZstdHeader(frame)).toMatchObject({ dictionaryId: 0, contentBytes: 2 ** 56 });
});

test('what is no header, or not all of one', () => {
  const [, { bytes: dictionary, id }] = sampleDictionaries[0];
  const frame = zstdCompressSync(Buffer.alloc(1000), { dictionary });
  const headerBytes = 5 + (id < 65_536 ? 2 : 4) + 2;
  for (let length = 0; length < headerBytes; length++)
    expect(readZstdHeader(frame.subarray(0, length)), `${length}`).toBeUndefined();
  expect(readZstdHeader(frame.subarray(0, headerBytes))).toMatchObject({
    dictionaryId: id,
    contentBytes: 1000,
  });
  frame[0] ^= 1;
  expect(readZstdHeader(frame)).toBeUndefined();
});

test('the window is what was asked for, and the content where that is smaller', () => {
  for (const windowLog of [10, 11, 17, 20]) {
    const params = { [constants.ZSTD_c_windowLog]: windowLog };
    const large = zstdCompressSync(Buffer.alloc(2 ** 21), { params });
    expect(readZstdHeader(large)?.windowBytes).toBe(2 ** windowLog);
    const small = zstdCompressSync(Buffer.alloc(700), { params });
    expect(readZstdHeader(small)?.windowBytes).toBe(700);
  }
  // An exponent of 3 and a mantissa of 5: 8 KiB and five eighths of it.
  expect(readZstdHeader(Buffer.from('28b52ffd001d', 'hex'))?.windowBytes).toBe(8192 + 5120);
});

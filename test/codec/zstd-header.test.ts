// Headers of frames that zstd inside of Node made, with every choice that it has.
import { constants, zstdCompressSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { readZstdHeader } from '../../lib/codec/zstd-header.ts';
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
      });
      // From the middle of other bytes, and not a Buffer.
      expect(readZstdHeader(new Uint8Array([9, ...frame.subarray(0, 20)]).subarray(1))).toEqual(
        readZstdHeader(frame),
      );
    }
  });
});

test('a size of eight bytes', () => {
  const frame = Buffer.from('28b52ffde40000000000000001010000', 'hex');
  expect(readZstdHeader(frame)).toEqual({ dictionaryId: 0, contentBytes: 2 ** 56 });
});

test('what is no header, or not all of one', () => {
  const [, { bytes: dictionary, id }] = sampleDictionaries[0];
  const frame = zstdCompressSync(Buffer.alloc(1000), { dictionary });
  const headerBytes = 5 + (id < 65_536 ? 2 : 4) + 2;
  for (let length = 0; length < headerBytes; length++)
    expect(readZstdHeader(frame.subarray(0, length)), `${length}`).toBeUndefined();
  expect(readZstdHeader(frame.subarray(0, headerBytes))).toEqual({ dictionaryId: id, contentBytes: 1000 });
  frame[0] ^= 1;
  expect(readZstdHeader(frame)).toBeUndefined();
});

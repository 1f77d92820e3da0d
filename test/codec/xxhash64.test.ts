import { constants, zstdCompressSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { frameChecksum } from '../../lib/codec/xxhash64.ts';
import { noise } from './sample-dictionaries.ts';

test('is the checksum that zstd writes, for every length up to three rounds and some longer ones', () => {
  const bytes = noise(5000, 1);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const lengths = [...Array(200).keys(), 1023, 1024, 4097];
  for (const length of lengths) {
    const start = length % 9;
    const params = { [constants.ZSTD_c_checksumFlag]: 1 };
    const frame = zstdCompressSync(bytes.subarray(start, start + length), { params });
    expect(frameChecksum(view, start, start + length), `${length} bytes`).toBe(
      frame.readUInt32LE(frame.length - 4),
    );
  }
});

test('is zero-safe: the published value for no bytes', () => {
  expect(frameChecksum(new DataView(new ArrayBuffer(0)), 0, 0)).toBe(0x51d8e999);
});

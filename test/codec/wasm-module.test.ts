// The decompressor that also works in browsers, on frames that zstd inside of Node made.
import { constants, zstdCompressSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { loadZstdModule, openWasmDecompressor } from '../../lib/codec/wasm-module.ts';
import { eventText, noise, sampleDictionaries } from './sample-dictionaries.ts';

const corrupt = expect.objectContaining({ code: 'CODEC_CORRUPT_FRAME' });

test.each(sampleDictionaries)(
  'reads frames of the %s dictionary within a bound',
  async (_name, { bytes }) => {
    const decompressor = await openWasmDecompressor(bytes);
    for (const size of [0, 1, 255, 256, 700, 70_000]) {
      const content = eventText(size, size);
      const frame = zstdCompressSync(content, { dictionary: bytes });
      expect(content.equals(decompressor.decompress(frame, size))).toBe(true);
      if (size > 0) expect(() => decompressor.decompress(frame, size - 1)).toThrow(corrupt);
      const params = { [constants.ZSTD_c_contentSizeFlag]: 0 };
      const unsized = zstdCompressSync(content, { dictionary: bytes, params });
      expect(content.equals(decompressor.decompress(unsized, size))).toBe(true);
    }
    decompressor.close();
    decompressor.close();
    expect(() => decompressor.decompress(Buffer.alloc(20), 10)).toThrow(
      expect.objectContaining({ code: 'CODEC_CLOSED' }),
    );
  },
);

test('reads frames that name no dictionary', async () => {
  const decompressor = await openWasmDecompressor(undefined);
  const content = noise(500, 1);
  expect(content.equals(decompressor.decompress(zstdCompressSync(content), 500))).toBe(true);
  decompressor.close();
});

test('survives frames that lie, or are damaged', async () => {
  const [, { bytes }] = sampleDictionaries[0];
  const decompressor = await openWasmDecompressor(bytes);
  const { HEAPU8 } = await loadZstdModule();
  // 2^40 bytes, and 2^32: the library looks at the low half only.
  for (const hex of ['28b52ffde400000000000100000100000000', '28b52ffde400000000010000000100000000'])
    expect(() => decompressor.decompress(Buffer.from(hex, 'hex'), 1000)).toThrow(corrupt);
  const content = eventText(600, 2);
  const frame = zstdCompressSync(content, { dictionary: bytes });
  for (const damaged of [Buffer.alloc(0), Buffer.from('not zstd'), frame.subarray(0, 50)])
    expect(() => decompressor.decompress(damaged, 1000)).toThrow(corrupt);
  expect(content.equals(decompressor.decompress(frame, 600))).toBe(true);
  expect((await loadZstdModule()).HEAPU8.length).toBe(HEAPU8.length);
  decompressor.close();
});

test('takes one frame and nothing behind it: each of many would have the dictionary read anew', async () => {
  const [, { bytes }] = sampleDictionaries[0];
  const decompressor = await openWasmDecompressor(bytes);
  const frame = zstdCompressSync('event', { dictionary: bytes });
  const nothing = Buffer.from('28b52ffd0000010000', 'hex');
  expect(decompressor.decompress(nothing, 1000)).toHaveLength(0);
  const skipped = Buffer.from('502a4d1804000000aaaaaaaa', 'hex');
  for (const more of [frame, nothing, skipped, Buffer.of(0)])
    expect(() => decompressor.decompress(Buffer.concat([frame, more]), 1000)).toThrow(
      expect.objectContaining({ code: 'CODEC_CORRUPT_FRAME' }),
    );
  // Blocks without content: a frame that is longer than any of so much content.
  const long = Buffer.concat([nothing.subarray(0, 6), Buffer.alloc(3 * 1000), Buffer.from('010000', 'hex')]);
  expect(decompressor.decompress(long, 8_000)).toHaveLength(0);
  expect(() => decompressor.decompress(long, 1_000)).toThrow(
    expect.objectContaining({ code: 'CODEC_CORRUPT_FRAME' }),
  );
  expect(Buffer.from(decompressor.decompress(frame, 1000)).toString()).toBe('event');
  decompressor.close();
});

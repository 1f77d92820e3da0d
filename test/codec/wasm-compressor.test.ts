// The library's heap under the WebAssembly compressor; what every compressor promises is compressor.test.ts.
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { ByteWriter } from '../../lib/byte-writer.ts';
import type { Compressor } from '../../lib/codec/compressor.ts';
import { openWasmCompressor } from '../../lib/codec/wasm-compressor.ts';
import { eventText, sampleDictionaries } from './sample-dictionaries.ts';

const require = createRequire(import.meta.url);

function frameOf(compressor: Compressor, content: Uint8Array): Buffer {
  const out = new ByteWriter(16);
  compressor.compress(content, 0, content.length, out);
  return out.buffer.subarray(0, out.length);
}

describe('the heap', () => {
  const { Module } = require(join(require.resolve('@bokuweb/zstd-wasm'), '../module.js')) as {
    Module: { HEAPU8: Uint8Array };
  };
  const [, dictionary] = sampleDictionaries[0];

  test('does not grow over 20,000 events', async () => {
    const compressor = await openWasmCompressor(dictionary, 1);
    const text = eventText(2000, 31);
    const out = new ByteWriter();
    compressor.compress(text, 0, 1000, out);
    const before = Module.HEAPU8.length;
    for (let event = 0; event < 20_000; event++) {
      out.length = 0;
      compressor.compress(text, event % 1500, (event % 1500) + 64, out);
    }
    expect(Module.HEAPU8.length).toBe(before);
    compressor.close();
  });

  test('may be replaced by a larger one while a compressor is open', async () => {
    const compressor = await openWasmCompressor(dictionary, 3);
    const content = eventText(800, 6);
    const frame = frameOf(compressor, content);
    const before = Module.HEAPU8;
    expect(compressor.decompress(frame, 64 * 1024 * 1024).length).toBe(800);
    expect(Module.HEAPU8.length).toBeGreaterThan(before.length);
    expect(frameOf(compressor, content)).toEqual(frame);
    compressor.close();
  });

  test('is given back: opening and closing 300 times does not grow it', async () => {
    (await openWasmCompressor(dictionary, 3)).close();
    const before = Module.HEAPU8.length;
    for (let round = 0; round < 300; round++) (await openWasmCompressor(dictionary, 3)).close();
    expect(Module.HEAPU8.length).toBe(before);
  });

  test('says so when it has no room', async () => {
    const compressor = await openWasmCompressor(dictionary, 3);
    expect(() => compressor.decompress(Buffer.alloc(20), 2 ** 31 - 1)).toThrow(
      expect.objectContaining({ code: 'CODEC_OUT_OF_MEMORY' }),
    );
    compressor.close();
  });
});

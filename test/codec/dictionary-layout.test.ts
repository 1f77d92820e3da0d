import { createRequire } from 'node:module';
import { zstdDecompressSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { dictionaryLayout, dictionaryTail } from '../../lib/codec/dictionary-layout.ts';
import { eventText, noise, sampleDictionaries } from './sample-dictionaries.ts';

const wasm = createRequire(import.meta.url)('@bokuweb/zstd-wasm') as {
  init(): Promise<void>;
  createCCtx(): number;
  compressUsingDict(context: number, source: Uint8Array, dictionary: Uint8Array, level: number): Uint8Array;
};
await wasm.init();
const context = wasm.createCCtx();

function zstdAccepts(dictionary: Uint8Array): boolean {
  try {
    wasm.compressUsingDict(context, Buffer.from('x'), dictionary, 1);
    return true;
  } catch {
    return false;
  }
}

describe.each(sampleDictionaries)('%s dictionary', (_name, { bytes }) => {
  test('content starts where zstd says: a dictionary is refused until its content reaches the largest offset', () => {
    const layout = dictionaryLayout(bytes)!;
    const shortest = layout.contentStart + layout.offsetMax;
    expect(zstdAccepts(bytes.subarray(0, shortest))).toBe(true);
    for (let length = 9; length < shortest; length++) {
      expect(zstdAccepts(bytes.subarray(0, length)), `${length} bytes`).toBe(false);
      expect(dictionaryLayout(bytes.subarray(0, length)), `${length} bytes`).toBeUndefined();
    }
  });

  test.each([0, 8, 9, 100, 4096, 20_000, 1 << 30])(
    'a frame made with a tail of %i bytes decodes with the whole',
    (tailBytes) => {
      const tail = dictionaryTail(bytes, tailBytes);
      const { contentStart, offsetMax } = dictionaryLayout(bytes)!;
      expect(tail.length).toBe(Math.min(bytes.length, contentStart + Math.max(tailBytes, offsetMax)));
      for (const content of [eventText(700, tailBytes), Buffer.from(bytes.subarray(-3000)), noise(50, 3)]) {
        const frame = wasm.compressUsingDict(context, content, tail, 3);
        expect(zstdDecompressSync(frame, { dictionary: bytes })).toEqual(content);
      }
    },
  );

  test('damage is seen or harmless, and never throws', () => {
    const { contentStart } = dictionaryLayout(bytes)!;
    for (let bit = 0; bit < contentStart * 8; bit++) {
      const damaged = bytes.slice(0, contentStart + 2000);
      damaged[bit >> 3] ^= 1 << (bit & 7);
      const layout = dictionaryLayout(damaged);
      if (layout !== undefined) expect(layout.contentStart).toBeLessThan(damaged.length);
    }
  });
});

test('bytes that are not a dictionary have no layout', () => {
  for (const bytes of [Buffer.alloc(0), Buffer.alloc(8), Buffer.alloc(200), noise(5000, 9)]) {
    expect(dictionaryLayout(bytes)).toBeUndefined();
  }
});

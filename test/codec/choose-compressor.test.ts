import { createRequire } from 'node:module';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { chooseCompressor } from '../../lib/codec/choose-compressor.ts';
import type { CodedError } from '../../lib/event/coded-error.ts';
import { sampleDictionaries } from './sample-dictionaries.ts';

const [, dictionary] = sampleDictionaries[0];
const require = createRequire(import.meta.url);
const bindingPath = require.resolve('zstd-napi/binding.js');

/** Puts another library where the native one is loaded from, until the test ends. */
function replaceBinding(exports: unknown): void {
  require(bindingPath);
  const cached = require.cache[bindingPath]!;
  const original = cached.exports;
  cached.exports = exports;
  restore = () => {
    cached.exports = original;
  };
}
let restore = () => {};
afterEach(() => restore());

describe('chooseCompressor', () => {
  test.each([
    ['auto', 'native'],
    ['native', 'native'],
    ['wasm', 'wasm'],
  ] as const)('%s is %s where both work', async (preference, name) => {
    const onFallback = vi.fn();
    const compressor = await chooseCompressor(preference, dictionary, 2, onFallback);
    expect(compressor).toMatchObject({ name, level: 2, dictionaryId: dictionary.id });
    expect(onFallback).not.toHaveBeenCalled();
    compressor.close();
  });

  test('auto falls back to wasm, and says why, when the native build gives back other bytes', async () => {
    const binding = require(bindingPath);
    class BrokenDCtx extends binding.DCtx {
      decompress(target: Uint8Array, source: Uint8Array): number {
        const bytes = super.decompress(target, source);
        if (bytes > 0) target[bytes - 1] ^= 1;
        return bytes;
      }
    }
    replaceBinding({ ...binding, DCtx: BrokenDCtx });
    const reasons: CodedError[] = [];
    const compressor = await chooseCompressor('auto', dictionary, 3, (reason) => reasons.push(reason));
    expect(compressor.name).toBe('wasm');
    expect(reasons).toMatchObject([{ code: 'CODEC_SELF_TEST_FAILED' }]);
    compressor.close();
    await expect(chooseCompressor('native', dictionary, 3)).rejects.toMatchObject({
      code: 'CODEC_SELF_TEST_FAILED',
    });
  });

  test.each([0, 10, 1.5, Number.NaN])('level %d is refused', async (level) => {
    await expect(chooseCompressor('auto', dictionary, level)).rejects.toMatchObject({ code: 'CODEC_LEVEL' });
  });

  test('a dictionary that zstd refuses is refused, whatever the preference', async () => {
    const bytes = dictionary.bytes.slice();
    bytes.fill(0xff, 9, 12);
    for (const preference of ['auto', 'wasm', 'native'] as const) {
      await expect(chooseCompressor(preference, { ...dictionary, bytes }, 3)).rejects.toMatchObject({
        code: 'CODEC_DICTIONARY_INVALID',
      });
    }
  });
});

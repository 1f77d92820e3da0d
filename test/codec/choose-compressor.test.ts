import { createRequire } from 'node:module';
import type * as zlib from 'node:zlib';
import { createZstdCompress } from 'node:zlib';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { ByteWriter } from '../../lib/byte-writer.ts';
import { chooseCompressor, compressorPreferences } from '../../lib/codec/choose-compressor.ts';
import type { CodedError } from '../../lib/errors.ts';
import { sampleDictionaries } from './sample-dictionaries.ts';

vi.mock('node:zlib', async (importOriginal) => {
  const original = await importOriginal<typeof zlib>();
  return { ...original, createZstdCompress: vi.fn(original.createZstdCompress) };
});

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
afterEach(() => {
  restore();
  vi.mocked(createZstdCompress).mockReset();
});

/** The native build brings back other bytes. */
function breakNative(): void {
  const binding = require(bindingPath);
  class BrokenDCtx extends binding.DCtx {
    decompress(target: Uint8Array, source: Uint8Array): number {
      const bytes = super.decompress(target, source);
      if (bytes > 0) target[bytes - 1] ^= 1;
      return bytes;
    }
  }
  replaceBinding({ ...binding, DCtx: BrokenDCtx });
}

// biome-ignore lint/suspicious/noExplicitAny: what is inside of Node's streams has no types.
type OpenStream = any;

/** The next streams that Node makes to compress go through `change`. */
async function breakNode(change: (stream: OpenStream) => void): Promise<void> {
  const original = await vi.importActual<typeof zlib>('node:zlib');
  vi.mocked(createZstdCompress).mockImplementation((options) => {
    const stream = original.createZstdCompress(options);
    change(stream);
    return stream;
  });
}

describe('chooseCompressor', () => {
  test.each([
    ['auto', 'native'],
    ['native', 'native'],
    ['node', 'node'],
    ['wasm', 'wasm'],
  ] as const)('%s is %s where both work', async (preference, name) => {
    const onFallback = vi.fn();
    const compressor = await chooseCompressor(preference, dictionary, 2, onFallback);
    expect(compressor).toMatchObject({ name, level: 2, dictionaryId: dictionary.id });
    expect(onFallback).not.toHaveBeenCalled();
    compressor.close();
  });

  test('auto takes the next build, and says why, when one gives back other bytes', async () => {
    breakNative();
    const reasons: CodedError[] = [];
    const compressor = await chooseCompressor('auto', dictionary, 3, (reason) => reasons.push(reason));
    expect(compressor.name).toBe('node');
    expect(reasons).toMatchObject([{ code: 'CODEC_SELF_TEST_FAILED' }]);
    compressor.close();
    await expect(chooseCompressor('native', dictionary, 3)).rejects.toMatchObject({
      code: 'CODEC_SELF_TEST_FAILED',
    });
  });

  test('wasm is left when neither the native build nor that of Node works', async () => {
    breakNative();
    await breakNode((stream) => {
      stream._handle = { close() {} };
    });
    const reasons: CodedError[] = [];
    const compressor = await chooseCompressor('auto', dictionary, 3, (reason) => reasons.push(reason));
    expect(compressor.name).toBe('wasm');
    expect(reasons).toMatchObject([{ code: 'CODEC_SELF_TEST_FAILED' }, { code: 'CODEC_NODE_MISSING' }]);
    compressor.close();
    await expect(chooseCompressor('node', dictionary, 3)).rejects.toMatchObject({
      code: 'CODEC_NODE_MISSING',
    });
  });

  test('a handle of Node that fails later is an error, not the end of the process', async () => {
    let stream: { destroy(error: Error): void } | undefined;
    await breakNode((opened) => {
      stream = opened;
    });
    const compressor = await chooseCompressor('node', dictionary, 1);
    stream!.destroy(new Error('the test ends it'));
    await new Promise(setImmediate);
    expect(() => compressor.compress(Buffer.alloc(5), 0, 5, new ByteWriter())).toThrow(
      expect.objectContaining({ code: 'CODEC_CLOSED' }),
    );
  });

  test.each([0, 7, 1.5, Number.NaN])('level %d is refused', async (level) => {
    await expect(chooseCompressor('auto', dictionary, level)).rejects.toMatchObject({ code: 'CODEC_LEVEL' });
  });

  test('a dictionary that zstd refuses is refused, whatever the preference', async () => {
    const bytes = dictionary.bytes.slice();
    bytes.fill(0xff, 9, 12);
    for (const preference of compressorPreferences) {
      const onFallback = vi.fn();
      const choosing = chooseCompressor(preference, { ...dictionary, bytes }, 3, onFallback);
      await expect(choosing).rejects.toMatchObject({ code: 'CODEC_DICTIONARY_INVALID' });
      expect(onFallback).not.toHaveBeenCalled();
    }
  });
});

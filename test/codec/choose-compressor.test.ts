import type * as zlib from 'node:zlib';
import { constants, createZstdCompress } from 'node:zlib';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { ByteWriter } from '../../lib/byte-writer.ts';
import { chooseCompressor, compressorPreferences } from '../../lib/codec/choose-compressor.ts';
import { compressionLevels } from '../../lib/codec/compressor.ts';
import type { CodedError } from '../../lib/errors.ts';
import { eventText, sampleDictionaries } from './sample-dictionaries.ts';

vi.mock('node:zlib', async (importOriginal) => {
  const original = await importOriginal<typeof zlib>();
  return { ...original, createZstdCompress: vi.fn(original.createZstdCompress) };
});

const [, dictionary] = sampleDictionaries[0];
afterEach(() => {
  vi.mocked(createZstdCompress).mockReset();
});

// biome-ignore lint/suspicious/noExplicitAny: what is inside of Node's streams has no types.
type OpenStream = any;

/** The next streams that Node makes to compress get other options and go through `change`. */
async function breakNode(
  change: (stream: OpenStream) => void,
  options: zlib.ZstdOptions = {},
): Promise<void> {
  const original = await vi.importActual<typeof zlib>('node:zlib');
  vi.mocked(createZstdCompress).mockImplementation((given) => {
    const params = { ...given?.params, ...options.params };
    const stream = original.createZstdCompress({ ...given, ...options, params });
    change(stream);
    return stream;
  });
}

/** Calls `after` when a frame has been written to `target` at `start`; `index` counts the frames of the stream. */
function afterWrites(
  stream: OpenStream,
  after: (target: Uint8Array, start: number, bytes: number, index: number) => void,
): void {
  const handle = stream._handle;
  const write = handle.writeSync;
  let index = 0;
  // biome-ignore lint/suspicious/noExplicitAny: see above.
  handle.writeSync = (...args: any[]) => {
    write.apply(handle, args);
    const [, , , , target, start, room] = args;
    after(target, start, room - stream._writeState[0], index++);
  };
}

describe('chooseCompressor', () => {
  test.each([
    ['auto', 'node'],
    ['node', 'node'],
    ['wasm', 'wasm'],
  ] as const)('%s is %s where both work', async (preference, name) => {
    for (const [, either] of sampleDictionaries) {
      for (let level: number = compressionLevels.min; level <= compressionLevels.max; level++) {
        const onFallback = vi.fn();
        const compressor = await chooseCompressor(preference, either, level, onFallback);
        expect(compressor).toMatchObject({ name, level, dictionaryId: either.id });
        expect(onFallback).not.toHaveBeenCalled();
        compressor.close();
      }
    }
  });

  const flipped = (target: Uint8Array, at: number): void => {
    target[at] ^= 0x55;
  };

  test.each([
    [
      'writes other bytes',
      (stream: OpenStream) =>
        afterWrites(stream, (target, start, bytes) => flipped(target, start + bytes - 1)),
    ],
    [
      'writes other bytes now and then',
      (stream: OpenStream) =>
        afterWrites(
          stream,
          (target, start, bytes, index) => index === 5 && flipped(target, start + bytes - 1),
        ),
    ],
    [
      'writes no header',
      (stream: OpenStream) => afterWrites(stream, (target, start) => target.fill(0, start, start + 4)),
    ],
    [
      'says that it wrote less',
      (stream: OpenStream) =>
        afterWrites(stream, (_target, _start, bytes) => {
          stream._writeState[0] += Math.min(3, bytes - 1);
        }),
    ],
    [
      'says that it wrote more',
      (stream: OpenStream) =>
        afterWrites(stream, () => {
          stream._writeState[0] -= 40;
        }),
    ],
    [
      'writes nothing and says nothing',
      (stream: OpenStream) => {
        stream._handle.writeSync = () => {};
      },
    ],
    [
      'throws at once',
      (stream: OpenStream) => {
        stream._handle.writeSync = () => {
          throw new TypeError('the test throws');
        };
      },
    ],
    [
      'throws at an event',
      (stream: OpenStream) =>
        afterWrites(stream, (_target, _start, _bytes, index) => {
          if (index === 1) throw new TypeError('the test throws');
        }),
    ],
  ])('auto takes wasm, and says why, when the handle of Node %s', async (_, change) => {
    await breakNode(change);
    const reasons: CodedError[] = [];
    const compressor = await chooseCompressor('auto', dictionary, 3, (reason) => reasons.push(reason));
    expect(compressor.name).toBe('wasm');
    expect(reasons).toMatchObject([{ code: 'CODEC_SELF_TEST_FAILED' }]);
    expect(reasons[0].message).toContain('the node zstd fails its self-test');
    const content = eventText(500, 1);
    const out = new ByteWriter();
    compressor.compress(content, 0, 500, out);
    expect(content.equals(compressor.decompress(out.buffer.subarray(0, out.length), 500))).toBe(true);
    compressor.close();
    await expect(chooseCompressor('node', dictionary, 3)).rejects.toMatchObject({
      code: 'CODEC_SELF_TEST_FAILED',
    });
  });

  test.each<[string, zlib.ZstdOptions]>([
    ['a checksum', { params: { [constants.ZSTD_c_checksumFlag]: 1 } }],
    ['no content size', { params: { [constants.ZSTD_c_contentSizeFlag]: 0 } }],
    ['no dictionary id', { params: { [constants.ZSTD_c_dictIDFlag]: 0 } }],
    ['a larger window', { params: { [constants.ZSTD_c_windowLog]: 18 } }],
    ['no dictionary', { dictionary: undefined }],
  ])('auto takes wasm when what Node writes has %s', async (_, options) => {
    await breakNode(() => {}, options);
    const reasons: CodedError[] = [];
    const compressor = await chooseCompressor('auto', dictionary, 3, (reason) => reasons.push(reason));
    expect(compressor.name).toBe('wasm');
    expect(reasons).toMatchObject([
      { code: 'CODEC_SELF_TEST_FAILED', message: expect.stringContaining('declares {') },
    ]);
    compressor.close();
  });

  test.each<[string, (stream: OpenStream) => void]>([
    [
      'no call to write',
      (stream) => {
        stream._handle = { close() {} };
      },
    ],
    [
      'no handle',
      (stream) => {
        stream._handle = undefined;
      },
    ],
    [
      'no state of its writes',
      (stream) => {
        stream._writeState = [0, 0];
      },
    ],
  ])('auto takes wasm when the stream of Node has %s', async (_, change) => {
    await breakNode(change);
    const reasons: CodedError[] = [];
    const compressor = await chooseCompressor('auto', dictionary, 3, (reason) => reasons.push(reason));
    expect(compressor.name).toBe('wasm');
    expect(reasons).toMatchObject([{ code: 'CODEC_NODE_MISSING' }]);
    compressor.close();
    await expect(chooseCompressor('node', dictionary, 3)).rejects.toMatchObject({
      code: 'CODEC_NODE_MISSING',
    });
  });

  test('a stream of Node that fails at its first write does not condemn the dictionary', async () => {
    await breakNode((stream) => {
      stream._handle.writeSync = () => {
        stream._handle = null;
      };
    });
    const reasons: CodedError[] = [];
    const compressor = await chooseCompressor('auto', dictionary, 3, (reason) => reasons.push(reason));
    expect(compressor.name).toBe('wasm');
    expect(reasons).toMatchObject([{ code: 'CODEC_DICTIONARY_INVALID' }]);
    compressor.close();
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

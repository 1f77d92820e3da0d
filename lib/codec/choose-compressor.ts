// Which zstd compresses: the native build where it works, else the one inside of Node, else the WebAssembly one. It owns
// the choice and the test that the choice rests on; the builds are the *-compressor.ts files. Called once, at start.
import { ByteWriter } from '../byte-writer.ts';
import { CodedError, UsageError } from '../errors.ts';
import { type Compressor, compressionLevels } from './compressor.ts';
import type { Dictionary } from './dictionary.ts';
import { openNativeCompressor } from './native-compressor.ts';
import { openNodeCompressor } from './node-compressor.ts';
import { openWasmCompressor } from './wasm-compressor.ts';

/** The builds, in the order in which `auto` tries them. */
const builds = { native: openNativeCompressor, node: openNodeCompressor, wasm: openWasmCompressor };

/** What can be asked for. `auto` never fails for want of a build. */
export const compressorPreferences = ['auto', 'native', 'node', 'wasm'] as const;
export type CompressorPreference = (typeof compressorPreferences)[number];

/** Sizes in bytes of the contents that a build must bring back: empty, one event's, and across the window limit. */
const selfTestSizes = [0, 1, 500, 140_000];

/**
 * Opens the compressor that `preference` asks for; the caller closes it. `onFallback` hears why `auto` does not use a
 * build. Throws CODEC_LEVEL, CODEC_NATIVE_MISSING (only for `native`), CODEC_NODE_MISSING (only for `node`),
 * CODEC_SELF_TEST_FAILED, CODEC_DICTIONARY_INVALID, CODEC_WASM_FAILED.
 */
export async function chooseCompressor(
  preference: CompressorPreference,
  dictionary: Dictionary,
  level: number,
  onFallback: (reason: CodedError) => void = () => {},
): Promise<Compressor> {
  if (!Number.isInteger(level) || level < compressionLevels.min || level > compressionLevels.max) {
    throw new UsageError(
      'CODEC_LEVEL',
      `zstd level ${level} is not a whole number from ${compressionLevels.min} to ${compressionLevels.max}`,
    );
  }
  if (preference !== 'auto') return tested(await builds[preference](dictionary, level));
  for (const open of [builds.native, builds.node]) {
    try {
      return tested(open(dictionary, level));
    } catch (error) {
      // A dictionary that one build refuses, all refuse.
      if (!(error instanceof CodedError) || error.code === 'CODEC_DICTIONARY_INVALID') throw error;
      onFallback(error);
    }
  }
  return tested(await builds.wasm(dictionary, level));
}

/** Hands the compressor back when contents survive the round trip, else closes it. */
function tested(compressor: Compressor): Compressor {
  try {
    for (const bytes of selfTestSizes) testRoundTrip(compressor, bytes);
    return compressor;
  } catch (cause) {
    compressor.close();
    throw new CodedError(
      'CODEC_SELF_TEST_FAILED',
      `the ${compressor.name} zstd fails its self-test: ${(cause as Error).message}. Install the package's dependencies again.`,
      { cause },
    );
  }
}

function testRoundTrip(compressor: Compressor, bytes: number): void {
  const content = Buffer.alloc(bytes, '{"did":"did:plc:","time_us":0,"kind":"commit"}\n');
  const out = new ByteWriter(256);
  // Frames land behind each other in one buffer, and from the middle of one: so are they in the test.
  out.byte(0);
  for (const isFast of [false, true]) {
    const start = out.length;
    compressor.compress(content, 0, bytes, out, isFast);
    const back = compressor.decompress(out.buffer.subarray(start, out.length), bytes);
    if (Buffer.compare(back, content) !== 0) throw new Error(`${bytes} bytes came back changed`);
  }
}

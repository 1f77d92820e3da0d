// Which zstd compresses: the one inside of Node, unless it fails its test, then WebAssembly. It owns the choice and the
// test that the choice rests on: Node's is driven by an interface that is not documented, so what it makes is read back
// by the WebAssembly build, which shares nothing with it. The main thread chooses at start; the others open its choice.
import { ByteWriter } from '../byte-writer.ts';
import { CodedError, UsageError } from '../errors.ts';
import { type Compressor, compressionLevels, windowBytesMax } from './compressor.ts';
import type { Dictionary } from './dictionary.ts';
import { openNodeCompressor } from './node-compressor.ts';
import { openWasmCompressor } from './wasm-compressor.ts';
import { openWasmDecompressor, type WasmDecompressor } from './wasm-module.ts';
import { readZstdHeader } from './zstd-header.ts';

/** What can be asked for. `auto` is WebAssembly where Node's does not work. */
export const compressorPreferences = ['auto', 'node', 'wasm'] as const;
export type CompressorPreference = (typeof compressorPreferences)[number];

/** Bytes of the contents that must come back: none, one, an event's, more than the window, and an event's after that. */
const testContentBytes = [0, 1, 600, 140_000, 600];
const testText = '{"did":"did:plc:","time_us":0,"kind":"commit"}\n';
/** What a test content takes from the end of the dictionary, so that it is not compressed without it. */
const testDictionaryBytes = 200;

const advice = {
  node: 'Take another release of Node, or "--compressor wasm".',
  wasm: "Install the package's dependencies again.",
};

/**
 * Opens the compressor that `preference` asks for; the caller closes it. `onFallback` hears why `auto` does not use
 * Node's. Throws CODEC_LEVEL, CODEC_NODE_MISSING (only for `node`), CODEC_SELF_TEST_FAILED, CODEC_DICTIONARY_INVALID,
 * CODEC_WASM_FAILED.
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
  const reader = await openWasmDecompressor(dictionary.bytes);
  try {
    if (preference === 'wasm') return tested(await openWasmCompressor(dictionary, level), dictionary, reader);
    try {
      return tested(openNode(dictionary, level), dictionary, reader);
    } catch (error) {
      if (preference === 'node' || !(error instanceof CodedError)) throw error;
      const wasm = tested(await openWasmCompressor(dictionary, level), dictionary, reader);
      // Only now: a dictionary that both refuse is not Node's fault.
      onFallback(error);
      return wasm;
    }
  } finally {
    reader.close();
  }
}

/** Opens what another thread of this process has chosen, and so tested. Throws as the build does. */
export async function openChosen(
  name: Compressor['name'],
  dictionary: Dictionary,
  level: number,
): Promise<Compressor> {
  return name === 'wasm' ? openWasmCompressor(dictionary, level) : openNode(dictionary, level);
}

/** Whatever goes wrong inside of Node comes out as a CodedError. */
function openNode(dictionary: Dictionary, level: number): Compressor {
  try {
    return openNodeCompressor(dictionary, level);
  } catch (cause) {
    throw cause instanceof CodedError ? cause : selfTestFailed('node', cause);
  }
}

/** Hands the compressor back when what it makes is as promised, else closes it. */
function tested(compressor: Compressor, dictionary: Dictionary, reader: WasmDecompressor): Compressor {
  try {
    for (const bytes of testContentBytes) test(compressor, contentOf(bytes, dictionary), reader);
    return compressor;
  } catch (cause) {
    compressor.close();
    throw selfTestFailed(compressor.name, cause);
  }
}

function selfTestFailed(name: Compressor['name'], cause: unknown): CodedError {
  return new CodedError(
    'CODEC_SELF_TEST_FAILED',
    `the ${name} zstd fails its self-test: ${(cause as Error).message}. ${advice[name]}`,
    { cause },
  );
}

function contentOf(bytes: number, dictionary: Dictionary): Uint8Array {
  const content = Buffer.alloc(bytes, testText);
  if (bytes > testDictionaryBytes) content.set(dictionary.bytes.subarray(-testDictionaryBytes));
  return content;
}

function test(compressor: Compressor, content: Uint8Array, reader: WasmDecompressor): void {
  const out = new ByteWriter(256);
  // zstd frames land behind each other in one buffer, and from the middle of one: so are they in the test.
  out.byte(0);
  for (const isFast of [false, true]) {
    const start = out.length;
    compressor.compress(content, 0, content.length, out, isFast);
    const frame = out.buffer.subarray(start, out.length);
    testHeader(frame, compressor.dictionaryId, content.length);
    if (Buffer.compare(reader.decompress(frame, content.length), content) !== 0)
      throw new Error(`${content.length} bytes came back changed`);
  }
}

function testHeader(frame: Uint8Array, dictionaryId: number, contentBytes: number): void {
  const header = readZstdHeader(frame);
  if (header === undefined) throw new Error(`${contentBytes} bytes became no zstd frame`);
  const isPromised =
    header.dictionaryId === dictionaryId &&
    header.contentBytes === contentBytes &&
    header.windowBytes <= windowBytesMax &&
    !header.hasChecksum;
  if (!isPromised)
    throw new Error(`${contentBytes} bytes became a zstd frame that declares ${JSON.stringify(header)}`);
}

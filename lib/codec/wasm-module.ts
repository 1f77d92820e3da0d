// The WebAssembly build of zstd: loaded once per process, and the two ways into it. The low-level module is for Node and
// for wasm-compressor.ts. Reading zstd frames goes through what the library exports to everyone, so that it works in
// browsers as well: the client uses it, and choose-compressor.ts, to check what Node's zstd makes. The only importer of
// @bokuweb/zstd-wasm, and only when it is asked for: loading it and the first frames take 15 ms and 2.5 MiB in a thread.
import { CodedError } from '../errors.ts';
import { readZstdHeader } from './zstd-header.ts';

/** The part of the library's module that is used here. `HEAPU8` is replaced whenever the heap grows. */
export interface ZstdModule {
  readonly HEAPU8: Uint8Array<ArrayBuffer>;
  _malloc(bytes: number): number;
  _free(pointer: number): void;
  _ZSTD_isError(code: number): number;
  _ZSTD_compressBound(bytes: number): number;
  _ZSTD_createCCtx(): number;
  _ZSTD_freeCCtx(context: number): void;
  _ZSTD_compress_usingDict(
    context: number,
    target: number,
    targetBytes: number,
    source: number,
    sourceBytes: number,
    dictionary: number,
    dictionaryBytes: number,
    level: number,
  ): number;
  _ZSTD_createDCtx(): number;
  _ZSTD_freeDCtx(context: number): void;
  _ZSTD_decompress_usingDict(
    context: number,
    target: number,
    targetBytes: number,
    source: number,
    sourceBytes: number,
    dictionary: number,
    dictionaryBytes: number,
  ): number;
}

type Library = typeof import('@bokuweb/zstd-wasm');

let loading: Promise<Library> | undefined;

/** Loads the library once per process: its module is a singleton, and a second `init` would mix two instances. */
function loadLibrary(): Promise<Library> {
  loading ??= (async () => {
    try {
      const library = await import('@bokuweb/zstd-wasm');
      await library.init();
      return library;
    } catch (cause) {
      throw new CodedError(
        'CODEC_WASM_FAILED',
        `@bokuweb/zstd-wasm does not load: ${(cause as Error).message}. Install the package's dependencies again.`,
        { cause },
      );
    }
  })();
  return loading;
}

/** The library's own module, for Node alone: it is not among the exports. Throws CODEC_WASM_FAILED. */
export async function loadZstdModule(): Promise<ZstdModule> {
  await loadLibrary();
  const { require, entry } = libraryInNode();
  return (require(entry.replace(/[^/\\]+$/, 'module.js')) as { Module: ZstdModule }).Module;
}

/** The library's files for a page of ours: its module for browsers, which imports nothing, and the binary. For Node alone. */
export function wasmFiles(): ReadonlyMap<string, URL> {
  const { pathToFileURL } = process.getBuiltinModule('node:url');
  const folder = new URL('../web/', pathToFileURL(libraryInNode().entry));
  return new Map(['zstd.js', 'zstd.wasm'].map((name) => [name, new URL(name, folder)]));
}

function libraryInNode(): { require: NodeJS.Require; entry: string } {
  // Asked of the process, and not imported, so that bundlers for browsers find nothing of Node in this file.
  const { createRequire } = process.getBuiltinModule('node:module');
  const require = createRequire(import.meta.url);
  return { require, entry: require.resolve('@bokuweb/zstd-wasm') };
}

/** Reads zstd frames made with one dictionary. Not re-entrant, synchronous. */
export interface WasmDecompressor {
  /**
   * The content of one zstd frame, in memory that belongs to the caller; 17 µs for an event and a dictionary of 110 KiB.
   * Throws CODEC_CORRUPT_FRAME when the frame is not one made with this dictionary, is damaged, or holds more than
   * `maxBytes`; CODEC_CLOSED.
   */
  decompress(frame: Uint8Array, maxBytes: number): Uint8Array;
  /** Frees the library's memory. Idempotent. */
  close(): void;
}

/**
 * Opens a decompressor, in Node or in a browser. `dictionary` is kept and must not change; undefined: for zstd frames that
 * name none. Throws CODEC_WASM_FAILED.
 */
export async function openWasmDecompressor(dictionary: Uint8Array | undefined): Promise<WasmDecompressor> {
  const { createDCtx, decompressUsingDict, freeDCtx } = await loadLibrary();
  const bytes = dictionary ?? new Uint8Array(0);
  let context: number | undefined = createDCtx();
  return {
    decompress(frame, maxBytes) {
      if (context === undefined) throw new CodedError('CODEC_CLOSED', 'the decompressor is closed');
      try {
        const header = readZstdHeader(frame);
        if (header === undefined) throw new Error('it has no header');
        // The library allocates what the header declares, without a look at whether it got it.
        if ((header.contentBytes ?? 0) > maxBytes)
          throw new Error(`it declares ${header.contentBytes} bytes`);
        return decompressUsingDict(context, frame, bytes, { defaultHeapSize: maxBytes });
      } catch (cause) {
        throw new CodedError(
          'CODEC_CORRUPT_FRAME',
          `${frame.length} bytes are no zstd frame of the dictionary given, or hold more than ${maxBytes} bytes`,
          { cause },
        );
      }
    },
    close() {
      if (context !== undefined) freeDCtx(context);
      context = undefined;
    },
  };
}

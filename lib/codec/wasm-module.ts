// The WebAssembly build of zstd: loaded once per process, and the two ways into it. The low-level module is for Node and
// for wasm-compressor.ts. Reading zstd frames goes through what the library exports to everyone, so that it works in
// browsers as well: the client uses it, and choose-compressor.ts, to check what Node's zstd makes. The only importer of
// @bokuweb/zstd-wasm, and only when it is asked for: loading it and the first frames take 15 ms and 2.5 MiB in a thread.
import { CodedError } from '../errors.ts';
import { readZstdHeader, zstdFrameBytes } from './zstd-header.ts';

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

/** How long its file may take in a page. */
const loadMsMax = 30_000;

/**
 * Loads the library once per process, or fails for good: its module is a singleton, a second `init` would mix two instances,
 * and after one that failed never end. @param wasm for pages:
 * the bytes of its file, which it otherwise fetches from beside itself.
 */
function loadLibrary(wasm?: Uint8Array<ArrayBuffer>): Promise<Library> {
  loading ??= (async () => {
    try {
      const library = await import('@bokuweb/zstd-wasm');
      await initialize(library, wasm);
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

/** What a page has and Node has not. */
interface PageGlobals {
  addEventListener?(name: 'unhandledrejection', call: (event: RejectionEvent) => void): void;
  removeEventListener?(name: 'unhandledrejection', call: (event: RejectionEvent) => void): void;
}

interface RejectionEvent {
  readonly reason: unknown;
  preventDefault(): void;
}

/**
 * `init`, with an end. In a page it has none when the library's file does not come: what went wrong is then an unhandled
 * rejection of the page. In Node `init` rejects by itself.
 */
async function initialize(library: Library, wasm: Uint8Array<ArrayBuffer> | undefined): Promise<void> {
  const globals = globalThis as unknown as PageGlobals;
  let reject!: (error: Error) => void;
  const failed = new Promise<never>((_, refuse) => {
    reject = refuse;
  });
  const hear = (event: RejectionEvent): void => {
    const text = String((event.reason as Error | undefined)?.message ?? event.reason);
    if (!/wasm/i.test(text)) return;
    event.preventDefault();
    reject(new Error(/^Aborted\((.*)\)/s.exec(text)?.[1] ?? text));
  };
  const timer = setTimeout(
    () => reject(new Error(`zstd.wasm has not come within ${loadMsMax / 1000} s`)),
    loadMsMax,
  );
  globals.addEventListener?.('unhandledrejection', hear);
  try {
    await Promise.race([(library.init as (wasm?: Uint8Array) => Promise<void>)(wasm), failed]);
  } finally {
    clearTimeout(timer);
    globals.removeEventListener?.('unhandledrejection', hear);
  }
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
   * Throws CODEC_CORRUPT_FRAME when the frame is not one made with this dictionary, is damaged, has something behind it, or holds
   * more than `maxBytes`; CODEC_CLOSED.
   */
  decompress(frame: Uint8Array, maxBytes: number): Uint8Array;
  /** Frees the library's memory. Idempotent. */
  close(): void;
}

/**
 * Opens a decompressor, in Node or in a browser. `dictionary` is kept and must not change; undefined: for zstd frames that
 * name none. `wasm` is as of `loadLibrary`. Throws CODEC_WASM_FAILED.
 */
export async function openWasmDecompressor(
  dictionary: Uint8Array | undefined,
  wasm?: Uint8Array<ArrayBuffer>,
): Promise<WasmDecompressor> {
  const { createDCtx, decompressUsingDict, freeDCtx } = await loadLibrary(wasm);
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
        // It keeps the memory that it once had, and takes any number of frames, 8 us each.
        if (frame.length > longestFrameOf(maxBytes))
          throw new Error('it is longer than any of so much content');
        if (zstdFrameBytes(frame) !== frame.length) throw new Error('it does not end with its last block');
        return decompressUsingDict(context, frame, bytes, { defaultHeapSize: maxBytes });
      } catch (cause) {
        throw new CodedError(
          'CODEC_CORRUPT_FRAME',
          `${frame.length} bytes are not a zstd frame of the dictionary given, or hold more than ${maxBytes} bytes`,
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

/** As zstd's own bound, and room for headers. */
function longestFrameOf(contentBytes: number): number {
  return contentBytes + (contentBytes >> 8) + 1024;
}

// zstd messages as text, for the rows of the list. The library (zstd in WebAssembly, 250 KB) and the dictionary are fetched when
// the first message wants them. Messages are only ever what is shown, so that nothing here is fast.

/** Where the server has what lib/status/page-files.ts takes from the package of zstd. */
const libraryPath = './zstd.js';
const binaryPath = './zstd.wasm';

/** Any dictionary, of both wires. */
const dictionaryPath = '../xrpc/network.bsky.jetstream.getZstdDictionary?id=';

/** Most that a message may hold, in bytes of JSON. */
const contentBytesMax = 4 * 1024 * 1024;

/** The library does not tell when it cannot be started. */
const startMsMax = 10_000;

const textDecoder = new TextDecoder();

/** See the file comment. There is one. */
export class Decompressor {
  /** @type {any} */
  #zstd;
  #context = 0;
  #target = 0;
  /** The one that was used last; 0 is none. */
  #dictionaryId = 0;
  #dictionary = new Uint8Array();
  /** What is on the way, by its name; what failed stays, and is not tried again. @type {Map<string | number, Promise<void>>} */
  #fetches = new Map();
  #onTheWay = 0;

  /** Something is on the way that messages need. */
  get isLoading() {
    return this.#onTheWay > 0;
  }

  /**
   * The text of a message, or undefined while what it needs is not there, or when it cannot be read.
   * @param {Uint8Array} message
   * @returns {string | undefined}
   */
  read(message) {
    const id = dictionaryIdOf(message);
    if (id === undefined) return undefined;
    if (this.#zstd === undefined) void this.#fetchOnce('library', () => this.#load());
    if (id !== this.#dictionaryId) void this.#fetchOnce(id, () => this.#fetchDictionary(id));
    if (this.#zstd === undefined || id !== this.#dictionaryId) return undefined;
    return this.#decompress(message);
  }

  /** @param {Uint8Array} message */
  #decompress(message) {
    const zstd = this.#zstd;
    const dictionary = this.#dictionary;
    const source = zstd._malloc(message.length + dictionary.length);
    try {
      // Growing replaces the view of memory.
      zstd.HEAPU8.set(message, source);
      zstd.HEAPU8.set(dictionary, source + message.length);
      const length = zstd._ZSTD_decompress_usingDict(
        this.#context,
        this.#target,
        contentBytesMax,
        source,
        message.length,
        source + message.length,
        dictionary.length,
      );
      if (zstd._ZSTD_isError(length)) return undefined;
      return textDecoder.decode(zstd.HEAPU8.subarray(this.#target, this.#target + length));
    } finally {
      zstd._free(source);
    }
  }

  /**
   * @param {string | number} name
   * @param {() => Promise<void>} get
   */
  async #fetchOnce(name, get) {
    if (this.#fetches.has(name)) return;
    this.#onTheWay++;
    const fetching = get();
    this.#fetches.set(name, fetching);
    try {
      await fetching;
      // Another dictionary may take its place, and then it is wanted again.
      if (name !== 'library') this.#fetches.delete(name);
    } catch {
      // The row says that the message is zstd.
    } finally {
      this.#onTheWay--;
    }
  }

  async #load() {
    const [library, binary] = await Promise.all([import(libraryPath), bytesOf(binaryPath)]);
    const zstd = library.Module;
    const isReady = new Promise((resolve) => {
      zstd.onRuntimeInitialized = resolve;
    });
    zstd.init(binary);
    const tooLong = new Promise((_, reject) =>
      setTimeout(reject, startMsMax, new Error('zstd does not start')),
    );
    await Promise.race([isReady, tooLong]);
    this.#context = zstd._ZSTD_createDCtx();
    this.#target = zstd._malloc(contentBytesMax);
    this.#zstd = zstd;
  }

  /** @param {number} id */
  async #fetchDictionary(id) {
    this.#dictionary = id === 0 ? new Uint8Array() : await bytesOf(dictionaryPath + id);
    this.#dictionaryId = id;
  }
}

/** @param {string} path */
async function bytesOf(path) {
  const response = await fetch(new URL(path, import.meta.url));
  if (!response.ok) throw new Error(`${path}: ${response.status}`);
  return new Uint8Array(await response.arrayBuffer());
}

/**
 * What a zstd frame says of its dictionary (RFC 8878, section 3.1.1.1); 0 is none. Undefined when it is no zstd frame.
 * @param {Uint8Array} frame
 */
export function dictionaryIdOf(frame) {
  const magic = [0x28, 0xb5, 0x2f, 0xfd];
  if (frame.length < 6 || magic.some((byte, at) => frame[at] !== byte)) return undefined;
  const descriptor = frame[4];
  const idBytes = [0, 1, 2, 4][descriptor & 3];
  const isSingleSegment = (descriptor & 0x20) !== 0;
  const from = isSingleSegment ? 5 : 6;
  let id = 0;
  for (let at = idBytes - 1; at >= 0; at--) id = id * 256 + (frame[from + at] ?? 0);
  return id;
}

// The zstd that is inside of Node, with nothing to install. Node's public calls are one-shot (the dictionary is digested
// each time) or go through the thread pool, so this one drives the handle beneath a stream, as the tar of npm does. That
// the handle is there is checked when it opens; what it makes is checked by choose-compressor.ts, before it is used.
import { constants, createZstdCompress, zstdDecompressSync } from 'node:zlib';
import type { ByteWriter } from '../byte-writer.ts';
import { UsageError } from '../errors.ts';
import {
  type Compressor,
  closed,
  compressBound,
  compressFailed,
  corruptFrame,
  fastLevel,
  refusedDictionary,
} from './compressor.ts';
import type { Dictionary } from './dictionary.ts';
import { zstdParameters } from './zstd-parameters.ts';

/** The parts of a compressing stream that are not in Node's documentation. */
interface OpenStream {
  /** Null once the stream is closed, which it does by itself on an error. */
  readonly _handle: {
    writeSync(
      flush: number,
      source: Uint8Array,
      start: number,
      bytes: number,
      target: Uint8Array,
      targetStart: number,
      targetBytes: number,
    ): void;
  } | null;
  /** After a write: bytes left in the target, bytes left in the source. */
  readonly _writeState: Uint32Array;
  on(event: 'error', listener: (error: Error) => void): void;
  close(): void;
}

/**
 * A compressor on Node's own zstd, the dictionary digested once. Throws CODEC_NODE_MISSING when this Node has not what it
 * takes, CODEC_DICTIONARY_INVALID when zstd refuses the dictionary.
 */
export function openNodeCompressor(dictionary: Dictionary, level: number): Compressor {
  return new NodeCompressor(dictionary, level);
}

class NodeCompressor implements Compressor {
  readonly name = 'node';
  readonly dictionaryId: number;
  readonly level: number;
  readonly #dictionary: Uint8Array | undefined;
  readonly #normal: OpenStream;
  readonly #fast: OpenStream;

  constructor(dictionary: Dictionary | undefined, level: number) {
    this.dictionaryId = dictionary?.id ?? 0;
    this.level = level;
    this.#dictionary = dictionary?.bytes;
    this.#normal = openStream(dictionary, level);
    this.#fast = fastLevel(level) === level ? this.#normal : openStream(dictionary, fastLevel(level));
  }

  compress(source: Uint8Array, start: number, end: number, out: ByteWriter, isFast = false): void {
    const stream = isFast ? this.#fast : this.#normal;
    const bytes = end - start;
    out.reserve(compressBound(bytes));
    const frameBytes = writeFrame(stream, source, start, bytes, out.buffer, out.length);
    if (frameBytes === 0) throw compressFailed(bytes, 'the stream failed');
    out.length += frameBytes;
  }

  decompress(frame: Uint8Array, maxBytes: number): Uint8Array {
    if (this.#normal._handle === null) throw closed();
    try {
      // Zero bytes are zero zstd frames to the zstd of Node 22, and 0 is no bound to any.
      if (frame.length === 0) throw new Error('no bytes');
      const options = { ...dictionaryOption(this.#dictionary), maxOutputLength: Math.max(1, maxBytes) };
      const content = zstdDecompressSync(frame, options);
      if (content.length > maxBytes) throw new Error(`it holds ${content.length} bytes`);
      return content;
    } catch (cause) {
      throw corruptFrame(frame, this.dictionaryId, maxBytes, cause);
    }
  }

  withDictionary(dictionary: Dictionary | undefined, level = this.level): Compressor {
    if (this.#normal._handle === null) throw closed();
    return new NodeCompressor(dictionary, dictionary === undefined ? fastLevel(level) : level);
  }

  close(): void {
    for (const stream of [this.#normal, this.#fast]) if (stream._handle !== null) stream.close();
  }
}

/** Appends one zstd frame to `target` and tells its bytes; 0 when the stream has failed. Throws CODEC_CLOSED. */
function writeFrame(
  stream: OpenStream,
  source: Uint8Array,
  start: number,
  bytes: number,
  target: Uint8Array,
  targetStart: number,
): number {
  const handle = stream._handle;
  if (handle === null) throw closed();
  const room = target.length - targetStart;
  handle.writeSync(constants.ZSTD_e_end, source, start, bytes, target, targetStart, room);
  return stream._handle === null ? 0 : room - stream._writeState[0];
}

/** Absent rather than undefined, which node:zlib refuses. */
function dictionaryOption(dictionary: Uint8Array | undefined): { dictionary?: Uint8Array } {
  return dictionary === undefined ? {} : { dictionary };
}

function openStream(dictionary: Dictionary | undefined, level: number): OpenStream {
  const stream = createZstdCompress({
    ...dictionaryOption(dictionary?.bytes),
    params: zstdParameters(level),
    // The stream's own buffer, which is not used.
    chunkSize: 64,
  }) as unknown as OpenStream;
  let failure: unknown;
  // An error that nobody listens to would end the process; it is seen by the handle that is gone.
  stream.on('error', (error) => {
    failure = error;
  });
  if (typeof stream._handle?.writeSync !== 'function' || !(stream._writeState instanceof Uint32Array)) {
    throw new UsageError(
      'CODEC_NODE_MISSING',
      `the zstd of Node ${process.version} cannot be driven event by event: use "--compressor auto"`,
    );
  }
  // The dictionary is digested by the first write.
  if (writeFrame(stream, Buffer.alloc(1), 0, 1, Buffer.alloc(compressBound(1)), 0) === 0)
    throw dictionary === undefined
      ? compressFailed(1, String(failure))
      : refusedDictionary(dictionary, failure);
  return stream;
}

// A block's JSON as the block store has it, and as it goes from machine to machine: one zstd frame. To make a context of zstd costs more
// than a small block does, so one is kept for either direction where this Node lets itself be driven like that (lib/codec says how);
// elsewhere, and whenever a kept one fails, Node's public calls do the work.

import { promisify } from 'node:util';
import {
  constants,
  createZstdCompress,
  createZstdDecompress,
  zstdCompress,
  zstdCompressSync,
  zstdDecompressSync,
} from 'node:zlib';

/** The fastest one: a higher level gains little on whole blocks. */
const params = { [constants.ZSTD_c_compressionLevel]: 1 };
/**
 * JSON from which on a thread of the pool compresses it. A full block of 140 KB takes 195 us in a kept context, and 490 to 640 by the pool,
 * which makes a context each time, 120 to 150 of them in this thread.
 */
const poolBytesMin = 512 * 1024;
/** Of a kept context: what a full block looks back on. A frame of less has a smaller one. */
const windowLog = 18;
/** For small blocks; it grows. */
const scratchBytesMin = 32 * 1024;
/** Room behind the content, so that a frame has come to its end when there is some left. */
export const unpackSpareBytes = 64;
const onPool = promisify(zstdCompress);

/** What is driven of a stream of node:zlib. */
interface Kept {
  readonly _handle: {
    writeSync(
      flush: number,
      source: Uint8Array,
      sourceStart: number,
      sourceBytes: number,
      target: Uint8Array,
      targetStart: number,
      targetBytes: number,
    ): void;
  } | null;
  readonly _writeState: Uint32Array;
  on(event: 'error', listener: () => void): void;
  close(): void;
}

let compressing: Kept | undefined;
let decompressing: Kept | undefined;
let scratch = Buffer.alloc(0);

/** The frame of that JSON; not a promise for a small one. */
export function compressJson(json: Uint8Array): Uint8Array | Promise<Uint8Array> {
  if (json.length >= poolBytesMin) return onPool(json, { params });
  const room = json.length + (json.length >>> 8) + 1024;
  if (scratch.length < room) scratch = Buffer.allocUnsafeSlow(Math.max(room, scratchBytesMin));
  compressing ??= keep(
    createZstdCompress({ params: { ...params, [constants.ZSTD_c_windowLog]: windowLog }, chunkSize: 64 }),
  );
  const bytes = drive(compressing, json, scratch);
  if (bytes !== undefined) return Uint8Array.prototype.slice.call(scratch, 0, bytes);
  compressing = undefined;
  return zstdCompressSync(json, { params });
}

/**
 * The JSON of a frame that holds so many bytes. @param given memory to use, if it is large enough; without, it has its own.
 * @throws an error of zlib's, or a RangeError, for anything else.
 */
export function decompressJson(stored: Uint8Array, bytes: number, given?: Uint8Array): Uint8Array {
  const isRoom = given !== undefined && given.length >= bytes + unpackSpareBytes;
  const target = isRoom ? given : new Uint8Array(bytes + unpackSpareBytes);
  decompressing ??= keep(createZstdDecompress({ chunkSize: 64 }));
  const made = drive(decompressing, stored, target);
  if (made === bytes) return target.subarray(0, bytes);
  // It may stand in the middle of a frame.
  close(decompressing);
  decompressing = undefined;
  const chunkSize = bytes + unpackSpareBytes;
  const json = zstdDecompressSync(stored, { chunkSize, maxOutputLength: chunkSize });
  if (json.length !== bytes) throw new RangeError(`${json.length} bytes of JSON, not ${bytes}`);
  return json;
}

function keep(stream: unknown): Kept {
  const kept = stream as Kept;
  // The handle that is gone tells of it.
  kept.on('error', () => {});
  return kept;
}

function close(kept: Kept): void {
  if (kept._handle !== null) kept.close();
}

/** Bytes made of all of `source`; undefined when it did not go. */
function drive(kept: Kept, source: Uint8Array, target: Uint8Array): number | undefined {
  const handle = kept._handle;
  if (typeof handle?.writeSync !== 'function' || !(kept._writeState instanceof Uint32Array)) return undefined;
  handle.writeSync(constants.ZSTD_e_end, source, 0, source.length, target, 0, target.length);
  const [left, unread] = kept._writeState;
  return kept._handle === null || unread > 0 || left === 0 ? undefined : target.length - left;
}

// Files of frames: `[u32 little-endian length][frame]`, repeated. Reads one into memory, writes one, and serves one as
// recorded, sequences included, once or over and over.

import { createWriteStream } from 'node:fs';
import { readFile, stat } from 'node:fs/promises';
import { finished } from 'node:stream/promises';
import { CodedError, UsageError } from '../../lib/errors.ts';
import { decodeFrame } from './frame-encoder.ts';
import type { FrameSource } from './frame-source.ts';

/** Bytes of the largest file that is read; it is held in memory. */
const fileBytesMax = 1024 * 1024 * 1024;
/** Bytes of the largest frame in a file; relays refuse well below. */
const frameBytesMax = 16 * 1024 * 1024;

/**
 * Reads every frame of a file.
 * @throws CodedError `SIMULATOR_FILE_INVALID` when it is too big, empty or cut short; the file system's own errors.
 */
export async function readFrames(path: string): Promise<Buffer[]> {
  const { size } = await stat(path);
  if (size > fileBytesMax) {
    throw new UsageError(
      'SIMULATOR_FILE_INVALID',
      `${path}: ${size} bytes; at most ${fileBytesMax} are read`,
    );
  }
  const bytes = await readFile(path);
  const frames: Buffer[] = [];
  let at = 0;
  while (at < bytes.length) {
    const length = at + 4 <= bytes.length ? bytes.readUInt32LE(at) : frameBytesMax + 1;
    if (length > frameBytesMax || at + 4 + length > bytes.length) {
      throw new UsageError('SIMULATOR_FILE_INVALID', `${path}: no whole frame at byte ${at}`);
    }
    frames.push(bytes.subarray(at + 4, at + 4 + length));
    at += 4 + length;
  }
  if (frames.length === 0) {
    throw new UsageError('SIMULATOR_FILE_INVALID', `${path}: holds no frames`);
  }
  return frames;
}

/** Writes frames to a new file as they come. */
export async function writeFrames(path: string, frames: AsyncIterable<Uint8Array>): Promise<void> {
  const stream = createWriteStream(path);
  const done = finished(stream);
  done.catch(() => undefined);
  for await (const frame of frames) {
    const length = Buffer.alloc(4);
    length.writeUInt32LE(frame.length);
    stream.write(length);
    if (!stream.write(frame)) {
      await Promise.race([new Promise((resolve) => stream.once('drain', resolve)), done]);
    }
  }
  stream.end();
  await done;
}

/** Recorded frames, each under the sequence it was recorded with. */
export class FrameRecording implements FrameSource {
  readonly length: number;
  readonly firstPosition = 0;
  readonly #frames: readonly Uint8Array[];
  readonly #seqs: readonly number[];

  /** @param loop starts over at the end, with the same sequences again. A frame without one has that before it. */
  constructor(frames: readonly Uint8Array[], loop: boolean) {
    this.#frames = frames;
    this.length = loop ? Number.POSITIVE_INFINITY : frames.length;
    let last = 0;
    this.#seqs = frames.map((frame) => {
      const { seq } = decodeFrame(frame).body;
      last = typeof seq === 'number' ? seq : last;
      return last;
    });
  }

  prepare(): undefined {}

  seqAt(position: number): number {
    return this.#seqs[position % this.#seqs.length];
  }

  /** Within the round that is being published. */
  positionAfter(cursor: number, end: number): number {
    const round = Math.floor(Math.max(end - 1, 0) / this.#frames.length) * this.#frames.length;
    for (let position = round; position < end; position++) {
      if (this.seqAt(position) > cursor) {
        return position;
      }
    }
    return end;
  }

  bytesAt(position: number): number {
    return this.#frames[position % this.#frames.length].length;
  }

  writeAt(position: number, out: Buffer, offset: number): void {
    out.set(this.#frames[position % this.#frames.length], offset);
  }

  jumpTo(): never {
    throw new CodedError(
      'SIMULATOR_SEQUENCE_FIXED',
      'recorded frames keep their sequences; use a frame pool',
    );
  }

  restartAt(): never {
    return this.jumpTo();
  }
}

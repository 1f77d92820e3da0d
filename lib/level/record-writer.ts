// Writes one of LevelDB's files of records, as record-file.ts reads them: at once, by the thread that calls. What a record means is for
// its writer. A file that a write has failed in takes nothing more: half a record may be at its end.

import { closeSync, fdatasync, openSync, writeSync } from 'node:fs';
import { promisify } from 'node:util';
import { ByteWriter } from '../byte-writer.ts';
import { maskedCrc32c } from './crc32c.ts';
import { headerBytes, pageBytes, types } from './record-file.ts';

const syncData = promisify(fdatasync);
const scratchBytes = 64 * 1024;

/** See the file comment. */
export class RecordWriter {
  readonly path: string;
  readonly #file: number;
  readonly #out = new ByteWriter(scratchBytes);
  #bytes = 0;
  #failure: unknown;

  /** @param path of a file that is not there yet. @throws what the system says. */
  constructor(path: string) {
    this.path = path;
    this.#file = openSync(path, 'wx');
  }

  /** Bytes of the file. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Takes `record` as it is now. @throws what the system says, also of an earlier write. */
  append(record: Uint8Array): void {
    if (this.#failure !== undefined) throw this.#failure;
    const out = this.#out;
    out.shrink(scratchBytes);
    this.#frame(record);
    try {
      for (let written = 0; written < out.length; )
        written += writeSync(this.#file, out.buffer, written, out.length - written);
    } catch (error) {
      this.#failure = error;
      throw error;
    }
    this.#bytes += out.length;
  }

  /** Resolves when the disk has all that has been appended. Rejects with what the system says. */
  async sync(): Promise<void> {
    try {
      await syncData(this.#file);
    } catch (error) {
      // What has become of it nobody knows.
      this.#failure ??= error;
      throw error;
    }
  }

  close(): void {
    closeSync(this.#file);
  }

  /** The record in pieces, none of which goes beyond a page. */
  #frame(record: Uint8Array): void {
    const out = this.#out;
    let taken = 0;
    // Not whether something was taken: where only a header has room, the first piece is empty.
    let isFirst = true;
    do {
      let left = pageBytes - ((this.#bytes + out.length) % pageBytes);
      for (; left < headerBytes && left > 0; left--) out.byte(0);
      if (left === 0) left = pageBytes;
      const length = Math.min(record.length - taken, left - headerBytes);
      const isLast = taken + length === record.length;
      const type = isFirst ? (isLast ? types.full : types.first) : isLast ? types.last : types.middle;
      const at = out.length;
      out.reserve(headerBytes + length);
      out.length = at + headerBytes - 1;
      out.byte(type);
      out.bytes(record, taken, taken + length);
      const crc = maskedCrc32c(out.buffer, at + headerBytes - 1, out.length);
      out.buffer.writeUInt32LE(crc, at);
      out.buffer.writeUInt16LE(length, at + 4);
      taken += length;
      isFirst = false;
    } while (taken < record.length);
  }
}

// The numbers of LevelDB's files (varints), written, and a cursor that reads them and strings, bytes with their length in front. It never
// reads beyond its end: what is cut off or too long is undefined, once and for all that follows.

import type { ByteWriter } from '../byte-writer.ts';

/** See the file comment. */
export class VarintReader {
  readonly bytes: Uint8Array;
  at: number;
  readonly end: number;

  constructor(bytes: Uint8Array, at = 0, end = bytes.length) {
    this.bytes = bytes;
    this.at = at;
    this.end = end;
  }

  get isAtEnd(): boolean {
    return this.at >= this.end;
  }

  /** The next number; NaN when there is none. */
  number(): number {
    let value = 0;
    let factor = 1;
    while (this.at < this.end) {
      const byte = this.bytes[this.at++];
      value += (byte & 0x7f) * factor;
      if (byte < 0x80) return value;
      factor *= 128;
      if (factor > 2 ** 63) break;
    }
    this.at = this.end;
    return Number.NaN;
  }

  /** `length` bytes; undefined when there are not so many. */
  take(length: number): Uint8Array | undefined {
    if (!(length <= this.end - this.at)) {
      this.at = this.end;
      return undefined;
    }
    this.at += length;
    return this.bytes.subarray(this.at - length, this.at);
  }

  /** Bytes with their length in front. */
  string(): Uint8Array | undefined {
    return this.take(this.number());
  }
}

/** Appends a whole number that is not negative. */
export function writeVarint(out: ByteWriter, value: number): void {
  let left = value;
  for (; left >= 0x80; left = Math.floor(left / 128)) out.byte((left % 128) | 0x80);
  out.byte(left);
}

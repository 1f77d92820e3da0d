// A growable output buffer that stages append text and bytes to. It owns its memory and nothing else: escaping is
// json-text.ts, event shapes are lib/event. The hot loops read and write `buffer` and `length` directly after
// `reserve`, so that a byte costs one store.

const initialBytes = 64 * 1024;

/**
 * Appends bytes to one growing buffer. `buffer` changes identity when it grows: take it again after every call that
 * may reserve. `buffer.subarray(0, length)` is what has been written; it stays valid until the next write.
 */
export class ByteWriter {
  buffer: Buffer;
  length = 0;

  /** @param capacityBytes room to start with; it doubles as needed. */
  constructor(capacityBytes: number = initialBytes) {
    this.buffer = Buffer.allocUnsafeSlow(capacityBytes);
  }

  /** Makes room for `bytes` more bytes after `length`. */
  reserve(bytes: number): void {
    const needed = this.length + bytes;
    if (needed <= this.buffer.length) return;
    let capacity = this.buffer.length * 2;
    while (capacity < needed) capacity *= 2;
    const grown = Buffer.allocUnsafeSlow(capacity);
    this.buffer.copy(grown, 0, 0, this.length);
    this.buffer = grown;
  }

  /** Empties the writer; a buffer that grew beyond `keepBytes` is given back. For scratch writers. */
  shrink(keepBytes: number = initialBytes): void {
    this.length = 0;
    if (this.buffer.length > keepBytes) this.buffer = Buffer.allocUnsafeSlow(keepBytes);
  }

  /** A copy of what has been written, in memory of its own: it can be sent to another thread without its neighbours. */
  copy(): Buffer {
    const copy = Buffer.allocUnsafeSlow(this.length);
    this.buffer.copy(copy, 0, 0, this.length);
    return copy;
  }

  /** Appends text that is known to be ASCII. */
  ascii(text: string): void {
    this.reserve(text.length);
    this.length += this.buffer.write(text, this.length, 'latin1');
  }

  /** Appends one byte, 0 to 255. */
  byte(value: number): void {
    this.reserve(1);
    this.buffer[this.length++] = value;
  }

  /** Appends a copy of `source[start, end)`. */
  bytes(source: Uint8Array, start: number = 0, end: number = source.length): void {
    const count = end - start;
    this.reserve(count);
    const { buffer, length } = this;
    if (count < 48) {
      for (let index = 0; index < count; index++) buffer[length + index] = source[start + index];
    } else {
      buffer.set(source.subarray(start, end), length);
    }
    this.length = length + count;
  }
}

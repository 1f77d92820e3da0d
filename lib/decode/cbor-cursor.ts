// Reads CBOR heads one after the other: what frame envelopes and commit objects are made of. It knows definite
// lengths only, as the relay's own decoders do, and builds nothing: callers take spans. Records have their own walk
// (record-tape.ts), which accepts more.

/** Major types of CBOR (RFC 8949 section 3.1). */
export const majors = {
  unsigned: 0,
  negative: 1,
  bytes: 2,
  text: 3,
  array: 4,
  map: 5,
  tag: 6,
  simple: 7,
} as const;

/** The tag of a CID in DAG-CBOR. */
export const linkTag = 42;

const nullByte = 0xf6;
const falseByte = 0xf4;
const trueByte = 0xf5;
const nothing = new Uint8Array(0);

/** One position in a span of CBOR. Keeps the span until the next {@link CborCursor.open}. */
export class CborCursor {
  bytes: Uint8Array = nothing;
  /** The next byte to read. */
  at = 0;
  end = 0;
  /** Of the last head: its major type, and its argument (a value above 2^53 is rounded). */
  major = 0;
  argument = 0;

  open(bytes: Uint8Array, start: number, end: number): void {
    this.bytes = bytes;
    this.at = start;
    this.end = end;
  }

  /** Reads a head into `major` and `argument`; false when it is cut off, indefinite or reserved. */
  head(): boolean {
    if (this.at >= this.end) return false;
    const initial = this.bytes[this.at++];
    this.major = initial >> 5;
    const info = initial & 31;
    if (info < 24) {
      this.argument = info;
      return true;
    }
    if (info > 27) return false;
    const count = 1 << (info - 24);
    if (count > this.end - this.at) return false;
    let value = 0;
    for (let index = 0; index < count; index++) value = value * 256 + this.bytes[this.at++];
    this.argument = value;
    return true;
  }

  /** Reads a head of that major type. */
  typed(major: number): boolean {
    return this.head() && this.major === major;
  }

  /** Reads a head of that major type whose argument is the length of what follows, which must be there whole. */
  sized(major: number): boolean {
    return this.typed(major) && this.argument <= this.end - this.at;
  }

  /** Passes one item, however nested; false when it is malformed or cut off. */
  skip(): boolean {
    for (let left = 1; left > 0; left--) {
      if (!this.head()) return false;
      if (this.major === majors.bytes || this.major === majors.text) {
        if (this.argument > this.end - this.at) return false;
        this.at += this.argument;
      } else if (this.major === majors.array || this.major === majors.map) {
        left += this.major === majors.map ? this.argument * 2 : this.argument;
        if (left - 1 > this.end - this.at) return false;
      } else if (this.major === majors.tag) {
        left++;
      }
    }
    return true;
  }

  /** Takes a null if it is next. */
  takeNull(): boolean {
    if (this.at >= this.end || this.bytes[this.at] !== nullByte) return false;
    this.at++;
    return true;
  }

  /** Takes a boolean: 1 or 0, or -1 (nothing taken) when something else is next. */
  takeBoolean(): number {
    if (this.at >= this.end) return -1;
    const byte = this.bytes[this.at];
    if (byte !== falseByte && byte !== trueByte) return -1;
    this.at++;
    return byte - falseByte;
  }

  /**
   * Takes a CID link; its CID is then `[at - argument + 1, at)`. False (somewhere inside the item) when something
   * else is next; whether the CID is one is not looked at.
   */
  takeLink(): boolean {
    if (!this.typed(majors.tag) || this.argument !== linkTag) return false;
    if (!this.sized(majors.bytes) || this.argument < 2 || this.bytes[this.at] !== 0) return false;
    this.at += this.argument;
    return true;
  }

  /** Whether the `argument` bytes at `at` are that ASCII text. */
  is(text: string): boolean {
    return this.argument === text.length && matchesAscii(this.bytes, this.at, text);
  }
}

/** Whether `text`, which is ASCII, is what `bytes` hold from `start` on. */
export function matchesAscii(bytes: Uint8Array, start: number, text: string): boolean {
  for (let index = 0; index < text.length; index++) {
    if (bytes[start + index] !== text.charCodeAt(index)) return false;
  }
  return true;
}

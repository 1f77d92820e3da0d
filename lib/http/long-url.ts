// The part of a long URL that node:http does not see. Its parser keeps a copy of the URL of its last request, and of what it has of an
// unfinished head, until the next one begins: on a connection that is idle, and when that is gone in a pool of a thousand parsers.
// 900 clients that sent a megabyte each, one after the other, left 850 MB so. This owns that part, and puts it back; what a client
// may make a thread hold is connection.ts's.

import { ByteWriter } from '../byte-writer.ts';

/** Bytes of a URL that node:http sees, more than any path has. */
export const seenUrlBytesMax = 2 * 1024;
const space = 0x20;
const del = 0x7f;
const firstKeptBytes = 16 * 1024;

/** What is expected next of a head, in this order. */
const parts = { emptyLines: 0, method: 1, spaces: 2, url: 3, rest: 4 } as const;

/** Bounds, in bytes. */
export interface UrlLimits {
  /** A longer one is refused, as node:http refuses a head that is too large. */
  readonly urlBytesMax: number;
  /** Request line and headers, as node:http sees them. Each connection may leave so much in its parser. */
  readonly headBytesMax: number;
}

/** See the file comment. One for each connection. */
export class LongUrl {
  readonly #hand: (bytes: Buffer) => void;
  readonly #limits: UrlLimits;
  #part: (typeof parts)[keyof typeof parts] = parts.rest;
  #seenBytes = 0;
  #kept: ByteWriter | undefined;

  /** @param hand gives node:http what it may see. */
  constructor(hand: (bytes: Buffer) => void, limits: UrlLimits) {
    this.#hand = hand;
    this.#limits = limits;
  }

  /** A head begins with what comes next. */
  begin(): void {
    this.#part = parts.emptyLines;
    this.#seenBytes = 0;
    this.#kept = undefined;
  }

  /** No URL is wanted any more. */
  end(): void {
    this.#part = parts.rest;
    this.#kept = undefined;
  }

  /** Hands on all that node:http may see of it. */
  take(bytes: Buffer): void {
    const from = this.#skipToUrl(bytes);
    if (this.#part === parts.url) this.#takeUrl(bytes, from);
    else this.#hand(bytes);
  }

  /**
   * The URL of the head that has just come to its end. @param seen what node:http has of it. Undefined: it is not what was handed on
   * of a longer one, as where something in a URL ends it for this and not for node:http.
   */
  whole(seen: string): string | undefined {
    const kept = this.#kept;
    if (kept === undefined) return seen;
    this.#kept = undefined;
    return seen.length === this.#seenBytes
      ? seen + kept.buffer.toString('latin1', 0, kept.length)
      : undefined;
  }

  #takeUrl(bytes: Buffer, from: number): void {
    let end = from;
    // What ends a URL, and what must not be in one, is for node:http to judge.
    while (end < bytes.length && bytes[end] > space && bytes[end] < del) end++;
    if (end < bytes.length) this.#part = parts.rest;
    const seenEnd = Math.min(end, from + seenUrlBytesMax - this.#seenBytes);
    this.#seenBytes += seenEnd - from;
    if (seenEnd === end) {
      this.#hand(bytes);
      return;
    }
    if (seenEnd > 0) this.#hand(bytes.subarray(0, seenEnd));
    // So much that node:http refuses the head, as it refuses any that is too large.
    if (!this.#keep(bytes, seenEnd, end)) this.#hand(Buffer.alloc(this.#limits.headBytesMax + 1, 'a'));
    else if (end < bytes.length) this.#hand(bytes.subarray(end));
  }

  #skipToUrl(bytes: Buffer): number {
    const { length } = bytes;
    let at = 0;
    if (this.#part === parts.emptyLines) {
      while (at < length && bytes[at] <= space) at++;
      if (at < length) this.#part = parts.method;
    }
    if (this.#part === parts.method) {
      while (at < length && bytes[at] > space) at++;
      if (at < length) this.#part = bytes[at] === space ? parts.spaces : parts.rest;
    }
    if (this.#part === parts.spaces) {
      while (at < length && bytes[at] === space) at++;
      if (at < length) this.#part = parts.url;
    }
    return at;
  }

  /** Keeps a part of it, if there is room; if not, lets go of all of it. */
  #keep(bytes: Buffer, from: number, to: number): boolean {
    this.#kept ??= new ByteWriter(firstKeptBytes);
    const kept = this.#kept;
    if (this.#seenBytes + kept.length + to - from > this.#limits.urlBytesMax) {
      this.#kept = undefined;
      this.#part = parts.rest;
      return false;
    }
    kept.bytes(bytes, from, to);
    return true;
  }
}

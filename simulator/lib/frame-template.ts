// A built frame that is sent many times over with another sequence, revision and time each time. Those fields lie in
// the envelope, which nothing hashes, so the commit, its proofs and its records stay valid; only the revision inside
// the signed commit keeps its first value. Stamping is a copy and three small writes.

import { CodedError } from '../../lib/errors.ts';
import { tidCharacters } from '../../lib/event/tid.ts';
import { decodeFrame } from './frame-encoder.ts';
import { writeStampedRev } from './stamped-rev.ts';

const widestSeqBytes = 9;
const timeCharacters = 24;
const depthMax = 64;

/** Bytes of an unsigned integer in canonical CBOR. */
function uintBytes(value: number): number {
  return value < 24 ? 1 : value < 256 ? 2 : value < 65_536 ? 3 : value < 4_294_967_296 ? 5 : widestSeqBytes;
}

function writeUint(value: number, out: Buffer, at: number): void {
  if (value >= 4_294_967_296) {
    out[at] = 0x1b;
    const low = value % 4_294_967_296;
    out.writeUInt32BE((value - low) / 4_294_967_296, at + 1);
    out.writeUInt32BE(low, at + 5);
  } else if (value >= 65_536) {
    out[at] = 0x1a;
    out.writeUInt32BE(value, at + 1);
  } else if (value >= 256) {
    out[at] = 0x19;
    out.writeUInt16BE(value, at + 1);
  } else if (value >= 24) {
    out[at] = 0x18;
    out[at + 1] = value;
  } else {
    out[at] = value;
  }
}

/** Reads the sizes of CBOR items that a decoder has accepted; never used on input from outside. */
class Scanner {
  readonly bytes: Buffer;
  at: number;
  /** Argument of the item whose head was read last. */
  argument = 0;

  constructor(bytes: Buffer, at: number) {
    this.bytes = bytes;
    this.at = at;
  }

  /** Reads a head; returns the major type. */
  head(): number {
    const first = this.bytes[this.at++];
    const low = first & 31;
    const width = low < 24 ? 0 : 1 << (low - 24);
    this.argument = low < 24 ? low : 0;
    for (let i = 0; i < width; i++) {
      this.argument = this.argument * 256 + this.bytes[this.at++];
    }
    return first >>> 5;
  }

  /** Moves past one item. */
  skip(depth = 0): void {
    const type = this.head();
    if (type === 2 || type === 3) {
      this.at += this.argument;
    } else if (type === 4 || type === 5 || type === 6) {
      const items = type === 4 ? this.argument : type === 5 ? this.argument * 2 : 1;
      for (let i = 0; i < items && depth < depthMax; i++) {
        this.skip(depth + 1);
      }
    }
  }

  /** Reads a text. */
  text(): string {
    this.head();
    this.at += this.argument;
    return this.bytes.toString('utf8', this.at - this.argument, this.at);
  }
}

/** Where a value starts and ends in a frame. */
interface Span {
  readonly start: number;
  readonly end: number;
}

function spansOf(frame: Buffer, bodyStart: number): Map<string, Span> {
  const spans = new Map<string, Span>();
  const scanner = new Scanner(frame, bodyStart);
  scanner.head();
  for (let left = scanner.argument; left > 0; left--) {
    const key = scanner.text();
    const start = scanner.at;
    scanner.skip();
    spans.set(key, { start, end: scanner.at });
  }
  return spans;
}

/** A frame with its sequence, revision and time left open. */
export class FrameTemplate {
  /** The frame with nine bytes of room for the sequence. */
  readonly #bytes: Buffer;
  readonly #seqAt: number;
  /** Offsets in `#bytes` of 13 and 24 characters; -1 when the frame has no such field of that width. */
  readonly #revAt: number;
  readonly #timeAt: number;

  /** @throws CodedError `SIMULATOR_FRAME_INVALID` when the frame is not well-formed or carries no sequence. */
  constructor(frame: Uint8Array) {
    const bytes = Buffer.from(frame.buffer, frame.byteOffset, frame.length);
    const { body, bodyStart } = decodeFrame(frame);
    const spans = spansOf(bytes, bodyStart);
    const seq = spans.get('seq');
    if (seq === undefined || typeof body.seq !== 'number') {
      throw new CodedError('SIMULATOR_FRAME_INVALID', 'frame has no sequence, so it cannot be stamped');
    }
    const room = Buffer.alloc(widestSeqBytes);
    this.#bytes = Buffer.concat([bytes.subarray(0, seq.start), room, bytes.subarray(seq.end)]);
    this.#seqAt = seq.start;
    const shift = widestSeqBytes - (seq.end - seq.start);
    const offsetOf = (key: string, characters: number): number => {
      const span = spans.get(key);
      if (
        span === undefined ||
        String(body[key]).length !== characters ||
        span.end - span.start < characters
      ) {
        return -1;
      }
      return span.end - characters + (span.start > seq.start ? shift : 0);
    };
    this.#revAt = offsetOf('rev', tidCharacters);
    this.#timeAt = offsetOf('time', timeCharacters);
  }

  /** Bytes of the frame when it carries that sequence. */
  bytesFor(seq: number): number {
    return this.#bytes.length - widestSeqBytes + uintBytes(seq);
  }

  /**
   * Writes the frame at `offset`.
   * @param epoch restarts of the relay's sequences so far; part of the revision.
   * @param time 24 bytes of ASCII: ISO 8601 with milliseconds.
   */
  write(seq: number, epoch: number, time: Buffer, out: Buffer, offset: number): void {
    const width = uintBytes(seq);
    const shift = width - widestSeqBytes;
    const seqAt = this.#seqAt;
    if (shift === 0) {
      this.#bytes.copy(out, offset);
    } else {
      this.#bytes.copy(out, offset, 0, seqAt);
      this.#bytes.copy(out, offset + seqAt + width, seqAt + widestSeqBytes);
    }
    writeUint(seq, out, offset + seqAt);
    if (this.#revAt >= 0) {
      writeStampedRev(seq, epoch, out, offset + this.#revAt + (this.#revAt > seqAt ? shift : 0));
    }
    if (this.#timeAt >= 0) {
      time.copy(out, offset + this.#timeAt + (this.#timeAt > seqAt ? shift : 0));
    }
  }
}

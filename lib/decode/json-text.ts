// JSON text from bytes, as the Jetstream v1 wire has it: strings with its escapes, and integers. Every function appends to
// a ByteWriter and takes its input as a span, so that nothing is allocated. Byte strings are base64.ts, objects and their
// order record-json.ts and lib/event.

import type { ByteWriter } from '../byte-writer.ts';

const quote = 0x22;
const backslash = 0x5c;
/** The longest thing one input byte becomes: `\u00xx` or `\ufffd`. */
const longestEscapeBytes = 6;
const hexDigits = Buffer.from('0123456789abcdef');
const int32Values = 4_294_967_296;

const plain = 0;
const escaped = 1;

/** What was no UTF-8 and was written as something else, since the start of this thread: for who wants to know whether there was any. */
export const replaced = { bytes: 0 };

/** For every byte: 0 it stands for itself, 1 it is escaped, 2 to 4 it leads a sequence of that many, 5 it is invalid. */
const textClasses = Uint8Array.from({ length: 256 }, (_, byte) => {
  if (byte < 0x20 || '"\\<>&'.includes(String.fromCharCode(byte))) return escaped;
  if (byte < 0x80) return plain;
  if (byte < 0xc2 || byte > 0xf4) return 5;
  return byte < 0xe0 ? 2 : byte < 0xf0 ? 3 : 4;
});

function letterTable(letters: Readonly<Record<string, string>>): Uint8Array {
  const table = new Uint8Array(128);
  for (const [from, to] of Object.entries(letters)) table[from.charCodeAt(0)] = to.charCodeAt(0);
  return table;
}

/** The letter after the backslash, for escapes that have one. */
type EscapeLetters = Uint8Array;
const everywhere = { '"': '"', '\\': '\\', '\n': 'n', '\r': 'r', '\t': 't' };
/** The escapes of all text but blob media types. */
const textLetters: EscapeLetters = letterTable(everywhere);
/** The escapes of a blob's `mimeType`: v1 writes blobs with another encoder, which shortens two more. */
export const blobLetters: EscapeLetters = letterTable({ ...everywhere, '\b': 'b', '\f': 'f' });

function isTail(byte: number): boolean {
  return byte >> 6 === 2;
}

/** Bytes of the UTF-8 sequence at `at`, whose lead byte is not ASCII; 1 when it is not valid (RFC 3629). */
function sequenceBytes(source: Uint8Array, at: number, end: number, claimed: number): number {
  if (claimed === 5 || claimed > end - at) return 1;
  const lead = source[at];
  const second = source[at + 1];
  if (!isTail(second)) return 1;
  if (claimed === 2) return 2;
  if (lead === 0xe0 ? second < 0xa0 : lead === 0xed && second > 0x9f) return 1;
  if (lead === 0xf0 ? second < 0x90 : lead === 0xf4 && second > 0x8f) return 1;
  if (!isTail(source[at + 2])) return 1;
  return claimed === 3 || isTail(source[at + 3]) ? claimed : 1;
}

function writeUnicodeEscape(buffer: Uint8Array, at: number, unit: number): number {
  buffer[at] = backslash;
  buffer[at + 1] = 0x75;
  buffer[at + 2] = hexDigits[unit >> 12];
  buffer[at + 3] = hexDigits[(unit >> 8) & 15];
  buffer[at + 4] = hexDigits[(unit >> 4) & 15];
  buffer[at + 5] = hexDigits[unit & 15];
  return at + longestEscapeBytes;
}

/** Whether every byte of the span stands for itself in a JSON string. */
export function isPlainText(source: Uint8Array, start: number, end: number): boolean {
  for (let at = start; at < end; at++) if (textClasses[source[at]] !== plain) return false;
  return true;
}

/**
 * Writes what is at `index`, which does not stand for itself, to `buffer`: an escape, or `count` bytes of
 * UTF-8. Returns where the output goes on.
 */
function writeSpecial(
  buffer: Uint8Array,
  at: number,
  source: Uint8Array,
  index: number,
  count: number,
  letters: EscapeLetters,
): number {
  const byte = source[index];
  if (byte < 0x80) {
    if (letters[byte] === 0) return writeUnicodeEscape(buffer, at, byte);
    buffer[at] = backslash;
    buffer[at + 1] = letters[byte];
    return at + 2;
  }
  if (count === 1) {
    replaced.bytes++;
    return writeUnicodeEscape(buffer, at, 0xfffd);
  }
  if (byte === 0xe2 && source[index + 1] === 0x80 && (source[index + 2] & 0xfe) === 0xa8) {
    return writeUnicodeEscape(buffer, at, 0x2000 | (source[index + 2] & 0x3f));
  }
  for (let offset = 0; offset < count; offset++) buffer[at + offset] = source[index + offset];
  return at + count;
}

/** Writes the rest of a text from the first byte on that does not stand for itself. */
function writeMixed(
  buffer: Uint8Array,
  start: number,
  source: Uint8Array,
  from: number,
  end: number,
  letters: EscapeLetters,
): number {
  let at = start;
  let index = from;
  while (index < end) {
    const byte = source[index];
    const kind = textClasses[byte];
    if (kind === plain) {
      buffer[at++] = byte;
      index++;
    } else {
      const count = kind === escaped ? 1 : sequenceBytes(source, index, end, kind);
      at = writeSpecial(buffer, at, source, index, count, letters);
      index += count;
    }
  }
  return at;
}

/** Appends the span as a JSON string with its quotes. Bytes that are not UTF-8 become one `\ufffd` each. */
export function writeText(
  out: ByteWriter,
  source: Uint8Array,
  start: number,
  end: number,
  letters: EscapeLetters = textLetters,
): void {
  out.reserve((end - start) * longestEscapeBytes + 2);
  const { buffer } = out;
  let at = out.length;
  buffer[at++] = quote;
  // Nearly all text ends here. A loop of its own, because it runs at 1.0 ns a byte against 1.5 in one for everything.
  let index = start;
  for (; index < end; index++) {
    const byte = source[index];
    if (textClasses[byte] !== plain) break;
    buffer[at++] = byte;
  }
  if (index < end) at = writeMixed(buffer, at, source, index, end, letters);
  buffer[at] = quote;
  out.length = at + 1;
}

/** Writes `value`, at most nine digits, so that they end before `end`; returns where they start. */
function digitsBefore(buffer: Uint8Array, end: number, value: number): number {
  let at = end;
  let rest = value | 0;
  do {
    const tenth = (rest / 10) | 0;
    buffer[--at] = 0x30 + rest - tenth * 10;
    rest = tenth;
  } while (rest !== 0);
  return at;
}

const digits = new Uint8Array(32);

/** Appends a safe integer in decimal. */
export function writeInteger(out: ByteWriter, value: number): void {
  let rest = Math.abs(value);
  let at = digits.length;
  while (rest >= 100_000_000) {
    const high = Math.floor(rest / 100_000_000);
    const filled = digitsBefore(digits, at, rest - high * 100_000_000);
    at -= 8;
    digits.fill(0x30, at, filled);
    rest = high;
  }
  at = digitsBefore(digits, at, rest);
  if (value < 0) digits[--at] = 0x2d;
  out.bytes(digits, at, digits.length);
}

/** Appends a signed 64-bit integer, given as the two halves of its two's complement, in decimal. */
export function writeInt64(out: ByteWriter, high: number, low: number): void {
  if (high >= -0x20_0000 && high < 0x20_0000) {
    const value = high * int32Values + (low >>> 0);
    if (Number.isSafeInteger(value)) {
      writeInteger(out, value);
      return;
    }
  }
  out.ascii(((BigInt(high) << 32n) | BigInt(low >>> 0)).toString());
}

// What a client's cursor means: the text to a number, the number to a position in the log. Pure; the text of the
// answer to a bad cursor is lib/wire's, and reading from the position lib/fanout's.

/** Largest and smallest signed 64-bit integer, as digits. */
const int64Digits = 19;
const int64Max = '9223372036854775807';
const int64Min = '9223372036854775808';

/** Signed decimal integer of 64 bits: no space, underscore, exponent or hexadecimal; leading zeros are fine. */
const decimalInteger = /^[+-]?[0-9]+$/;

/** Whether `text` is a decimal integer that fits in 64 bits, sign included. Linear in its length. */
export function isInt64(text: string): boolean {
  if (!decimalInteger.test(text)) return false;
  const first = text.charCodeAt(0);
  let start = first === 0x2b || first === 0x2d ? 1 : 0;
  while (text.charCodeAt(start) === 0x30) start++;
  const digits = text.length - start;
  if (digits !== int64Digits) return digits < int64Digits;
  return text.slice(start) <= (first === 0x2d ? int64Min : int64Max);
}

/**
 * Parses the text of a cursor; undefined when it is no signed 64-bit decimal integer. Values whose magnitude is beyond
 * 2^53 - 1 come back as that, with their sign: as microseconds it lies in the year 2255, so nothing is lost.
 */
export function parseCursor(text: string): number | undefined {
  if (!isInt64(text)) return undefined;
  const limit = Number.MAX_SAFE_INTEGER;
  return Math.min(Math.max(Number(text), -limit), limit);
}

/**
 * The position after which a cursor starts, in microseconds: everything with a greater `time_us` follows. Undefined is
 * live, for a cursor later than `nowUs`. Cursors are inclusive and in microseconds, except that ten digits
 * (10^9 to 10^10) are seconds and thirteen (10^12 to 10^13) are milliseconds: as microseconds they would lie in 1970.
 * Zero and below is everything.
 */
export function positionOfCursor(cursor: number, nowUs: number): number | undefined {
  if (cursor <= 0) return 0;
  const timeUs = microsecondsOf(cursor);
  return timeUs > nowUs ? undefined : timeUs - 1;
}

/** A cursor in microseconds, whichever unit its digits are of. */
export function microsecondsOf(cursor: number): number {
  return cursor * microsecondsPerUnit(cursor);
}

function microsecondsPerUnit(cursor: number): number {
  if (cursor >= 1e9 && cursor < 1e10) return 1e6;
  if (cursor >= 1e12 && cursor < 1e13) return 1e3;
  return 1;
}

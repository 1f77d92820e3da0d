// Whether bytes are an RFC 3339 time. It looks and does not convert: the wire passes `time` on verbatim, and
// what Jetstream v1's parser lets through stays valid: an hour of one digit, a comma before the fraction, an offset of
// up to 24:60. Called by lib/event for every frame with a `time`.

const dash = 0x2d;
const colon = 0x3a;
const monthDays = [0, 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];

function isDigit(byte: number): boolean {
  return byte >= 0x30 && byte <= 0x39;
}

/** The two decimal digits at `at`, or a number above any bound. */
function pair(bytes: Uint8Array, at: number): number {
  const high = bytes[at];
  const low = bytes[at + 1];
  return isDigit(high) && isDigit(low) ? (high - 0x30) * 10 + low - 0x30 : 100;
}

function daysOf(year: number, month: number): number {
  const leap = year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0);
  return month === 2 && leap ? 29 : monthDays[month];
}

/** `Z`, or a signed offset. */
function isZone(bytes: Uint8Array, at: number, end: number): boolean {
  if (end - at === 1) return bytes[at] === 0x5a;
  if (end - at !== 6 || bytes[at + 3] !== colon) return false;
  return (bytes[at] === 0x2b || bytes[at] === dash) && pair(bytes, at + 1) <= 24 && pair(bytes, at + 4) <= 60;
}

/** Whether `bytes[start, end)` is a time such as `2006-01-02T15:04:05.999Z`. Never reads outside of the span. */
export function isRfc3339(bytes: Uint8Array, start: number, end: number): boolean {
  if (end - start < 19) return false;
  const century = pair(bytes, start);
  const years = pair(bytes, start + 2);
  const month = pair(bytes, start + 5);
  const day = pair(bytes, start + 8);
  if (century > 99 || years > 99 || month < 1 || month > 12) return false;
  if (day < 1 || day > daysOf(century * 100 + years, month)) return false;
  if (bytes[start + 4] !== dash || bytes[start + 7] !== dash || bytes[start + 10] !== 0x54) return false;
  let at = start + 11;
  const shortHour = isDigit(bytes[at]) && bytes[at + 1] === colon;
  if (!shortHour && pair(bytes, at) > 23) return false;
  at += shortHour ? 1 : 2;
  if (end - at < 7 || bytes[at] !== colon || pair(bytes, at + 1) > 59) return false;
  if (bytes[at + 3] !== colon || pair(bytes, at + 4) > 59) return false;
  at += 6;
  if (at + 1 < end && (bytes[at] === 0x2e || bytes[at] === 0x2c) && isDigit(bytes[at + 1])) {
    at += 2;
    while (at < end && isDigit(bytes[at])) at++;
  }
  return isZone(bytes, at, end);
}

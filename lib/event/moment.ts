// Moments as people write them, wherever a cursor is taken: a number, a span ago, RFC 3339, a word. To a cursor, which is what
// cursor.ts gives a meaning. v1 answers 400 to all but numbers, so no client of it sees a difference. Pure, runs anywhere: the client
// package has it too.

import { isRfc3339 } from '../decode/rfc3339.ts';
import { parseCursor } from './cursor.ts';

/** What can be written, for messages. */
export const momentForms =
  '1h, 30m or 2d ago; "yesterday 14:00" (UTC); 2026-01-31T12:00:00Z; or µs, ms or s since 1970';

/** The same in short and in ASCII, behind what a server has to say. */
export const momentHint = 'give 1h (ago), 2026-01-31T12:00:00Z, or microseconds since 1970';

/** Longest text that is looked at, but for numbers, which may have leading zeros. */
const momentCharsMax = 64;
const secondsPerUnit: Record<string, number> = { s: 1, m: 60, h: 3_600, d: 86_400 };
const dayMs = 86_400_000;
/** Below, a number of microseconds could be taken for seconds or milliseconds; nothing is that old. */
const microsecondsMin = 1e13;

/**
 * The cursor that `text` names; undefined when it names none. Numbers are as of `parseCursor`. `now` or later is live, and
 * what is before 1970 everything.
 */
export function parseMomentCursor(text: string, nowUs: () => number): number | undefined {
  const cursor = parseCursor(text);
  if (cursor !== undefined || text === '' || text.length > momentCharsMax) return cursor;
  const timeUs = momentUs(text, nowUs);
  return timeUs === undefined ? undefined : timeUs < microsecondsMin ? 0 : timeUs;
}

/** Microseconds since 1970 of a moment that is not written as a number. */
export function momentUs(text: string, nowUs: () => number): number | undefined {
  if (text === 'now') return Math.floor(nowUs());
  if (/^(\d{1,9}[smhd])+$/.test(text)) {
    const parts = [...text.matchAll(/(\d+)([smhd])/g)];
    const seconds = parts.reduce((sum, [, count, unit]) => sum + Number(count) * secondsPerUnit[unit], 0);
    return Math.max(0, Math.floor(nowUs()) - seconds * 1_000_000);
  }
  return dayUs(text, nowUs) ?? rfc3339Us(text);
}

/** `today`, `yesterday`, and with a time of day, in UTC. */
function dayUs(text: string, nowUs: () => number): number | undefined {
  const parts = /^(today|yesterday)(?:[ T]([01]?\d|2[0-3]):([0-5]\d)(?::([0-5]\d))?)?$/.exec(text);
  if (parts === null) return undefined;
  const [, day, hours = '0', minutes = '0', seconds = '0'] = parts;
  const nowMs = Math.floor(nowUs() / 1000);
  const midnightMs = nowMs - (nowMs % dayMs) - (day === 'yesterday' ? dayMs : 0);
  return (midnightMs + (Number(hours) * 3_600 + Number(minutes) * 60 + Number(seconds)) * 1000) * 1000;
}

/** RFC 3339 with up to six digits of a second; further ones are cut off. A `+` that a URL has made a space counts. */
function rfc3339Us(text: string): number | undefined {
  const whole = text.toUpperCase().replace(/ (?=\d\d:\d\d$)/, '+');
  const bytes = new TextEncoder().encode(whole);
  const parts = /^([0-9T:-]+)(?:[.,]([0-9]+))?(Z|[+-][0-9:]+)$/.exec(whole);
  if (parts === null || !isRfc3339(bytes, 0, bytes.length)) return undefined;
  const ms = Date.parse(`${parts[1]}${parts[3]}`);
  return Number.isNaN(ms) ? undefined : ms * 1000 + Number((parts[2] ?? '').padEnd(6, '0').slice(0, 6));
}

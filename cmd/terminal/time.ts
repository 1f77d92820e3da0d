// Moments as operators write and read them: numbers as cursors are, RFC 3339, or a span ago. Pure. The log and the wire
// know microseconds only.

import { isRfc3339 } from '../../lib/decode/rfc3339.ts';
import { UsageError } from '../../lib/errors.ts';
import { parseCursor, positionOfCursor } from '../../lib/event/cursor.ts';

/**
 * The moment that a text names, in microseconds since 1970: a number of microseconds, of milliseconds when it has 13
 * digits, of seconds when it has ten, or RFC 3339 with up to six digits of a second (further ones are cut off).
 * @param name of the flag, for the message.
 * @throws CodedError `CONFIG_TIME_INVALID`.
 */
export function parseMoment(text: string, name: string): number {
  const cursor = parseCursor(text);
  if (cursor !== undefined) return (positionOfCursor(cursor, Number.POSITIVE_INFINITY) ?? 0) + 1;
  const bytes = Buffer.from(text.toUpperCase());
  const parts = /^([0-9T:-]+)(?:[.,]([0-9]+))?(Z|[+-][0-9:]+)$/.exec(text.toUpperCase());
  const ms =
    parts !== null && isRfc3339(bytes, 0, bytes.length) ? Date.parse(`${parts[1]}${parts[3]}`) : Number.NaN;
  if (parts === null || Number.isNaN(ms)) {
    throw new UsageError(
      'CONFIG_TIME_INVALID',
      `${name} ${JSON.stringify(text)} is no time: give µs, ms or s since 1970, or RFC 3339 as 2026-01-31T12:00:00Z`,
    );
  }
  return ms * 1000 + Number((parts[2] ?? '').padEnd(6, '0').slice(0, 6));
}

const secondsPerUnit: Record<string, number> = { s: 1, m: 60, h: 3_600, d: 86_400 };

/**
 * Microseconds since 1970 of `now`, of a span ago (`90s`, `1h30m`, `2d`), or of a moment as `parseMoment` takes it.
 * @param name of the flag, for the message. @throws CodedError `CONFIG_TIME_INVALID`.
 */
export function parseMomentOrSpan(text: string, name: string, nowUs: number): number {
  if (text === 'now') return nowUs;
  if (!/^(\d+[smhd])+$/.test(text)) return parseMoment(text, name);
  const parts = [...text.matchAll(/(\d+)([smhd])/g)];
  const seconds = parts.reduce((sum, [, count, unit]) => sum + Number(count) * secondsPerUnit[unit], 0);
  return Math.max(0, nowUs - seconds * 1_000_000);
}

/** `2026-01-31T12:00:00.123456Z`, for `timeUs` in microseconds since 1970. */
export function formatMoment(timeUs: number): string {
  const ms = Math.floor(timeUs / 1000);
  const us = String(timeUs - ms * 1000).padStart(3, '0');
  // Times from a damaged log may lie beyond what a date can be.
  if (Math.abs(ms) > 8.64e15 || Number.isNaN(ms)) return 'no date';
  return new Date(ms).toISOString().replace('Z', `${us}Z`);
}

/** `3 d 4 h`, `4 h 5 min`, `5 min 6 s` or `6.7 s`: the two largest units. */
export function formatSpan(seconds: number): string {
  if (seconds < 60) return `${Number(seconds.toFixed(1))} s`;
  const whole = Math.floor(seconds);
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  if (whole < 86_400) return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`;
  return `${Math.floor(whole / 86_400)} d ${Math.floor((whole % 86_400) / 3600)} h`;
}

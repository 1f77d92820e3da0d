// Values of the commands' flags: functions that make a text into a value, or say what is wrong with it. Moments are written
// as cursors are, in RFC 3339, or as a span ago. Pure; values of the daemon's settings are lib/config/setting-value.ts.

import { InvalidArgumentError } from '../../lib/config/command-line.ts';
import { isRfc3339 } from '../../lib/decode/rfc3339.ts';
import { UsageError } from '../../lib/errors.ts';
import { parseCursor, positionOfCursor } from '../../lib/event/cursor.ts';

/** A whole number within bounds. */
export function wholeNumber(low = 0, high = Number.POSITIVE_INFINITY): (text: string) => number {
  const bounds = `${low === 0 ? '' : ` from ${low}`}${Number.isFinite(high) ? ` to ${high}` : ''}`;
  return (text) => {
    const value = /^\d{1,15}$/.test(text) ? Number(text) : Number.NaN;
    if (value >= low && value <= high) return value;
    throw new InvalidArgumentError(`Must be a whole number${bounds}.`);
  };
}

/** Values with commas between them, added to those of the flag's last time; with `choices`, each one of them. */
export function listOf(choices?: readonly string[]): (text: string, earlier?: string[]) => string[] {
  return (text, earlier = []) => {
    const values = text.split(',').filter((value) => value !== '');
    const wrong = values.find((value) => choices?.includes(value) === false);
    if (wrong === undefined) return [...earlier, ...values];
    throw new InvalidArgumentError(`${wrong} is none of ${choices?.join(', ')}.`);
  };
}

/** Texts of a flag that can be given again. */
export function repeated(text: string, earlier: string[] = []): string[] {
  return [...earlier, text];
}

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

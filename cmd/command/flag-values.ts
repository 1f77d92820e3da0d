// Values of the commands' flags: functions that make a text into a value, or say what is wrong with it. Moments are written
// as wherever a cursor is taken. Pure; values of the daemon's settings are lib/config/setting-value.ts.

import { InvalidArgumentError } from '../../lib/config/command-line.ts';
import { UsageError } from '../../lib/errors.ts';
import { parseCursor, positionOfCursor } from '../../lib/event/cursor.ts';
import { momentForms, momentUs } from '../../lib/event/moment.ts';

export { momentForms } from '../../lib/event/moment.ts';

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
 * The moment that a text names, in microseconds since 1970, as wherever a cursor is taken (lib/event/moment.ts).
 * @param name of the flag, for the message. @throws CodedError `CONFIG_TIME_INVALID`.
 */
export function parseMoment(text: string, name: string, nowUs: number): number {
  const cursor = parseCursor(text);
  if (cursor !== undefined) return (positionOfCursor(cursor, Number.POSITIVE_INFINITY) ?? 0) + 1;
  const timeUs = momentUs(text, () => nowUs);
  if (timeUs !== undefined) return timeUs;
  throw new UsageError(
    'CONFIG_TIME_INVALID',
    `${name} ${JSON.stringify(text)} is not a time: write ${momentForms}`,
  );
}

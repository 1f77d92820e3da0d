// The error for a log that is not what was written: one text that says what to do, wherever the damage shows.

import { CodedError } from '../errors.ts';

/** `LOG_CORRUPT`. @param what what was found, and where. */
export function damaged(what: string, cause?: unknown): CodedError {
  const detail = cause === undefined ? '' : `: ${detailOf(cause)}`;
  const advice =
    'the log is damaged; run "slipstream inspect verify", then move the data directory away (or restore it) and start again';
  return new CodedError('LOG_CORRUPT', `${what}${detail}: ${advice}`, { cause });
}

/** An error of Level's as {@link damaged}; any other as it is, for a fault of our own is no damage. */
export function asDamage(what: string, error: unknown): unknown {
  const isLevel = /^LEVEL_/.test(String((error as { code?: unknown } | null)?.code));
  return isLevel ? damaged(what, error) : error;
}

/** What the database said, which Level wraps in an error of its own. */
export function detailOf(error: unknown): string {
  const inner = (error as { cause?: unknown }).cause ?? error;
  return inner instanceof Error ? inner.message : String(inner);
}

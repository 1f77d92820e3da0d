// The errors of the log: what is damaged, and what LevelDB could not do. Each text says what to do about it, wherever
// the fault shows. Imports no database, so that what is pure can use it.

import { constants } from 'node:os';
import { CodedError } from '../errors.ts';

/** `LOG_CORRUPT`. @param what what was found, and where. */
export function damaged(what: string, cause?: unknown): CodedError {
  const detail = cause === undefined ? '' : `: ${detailOf(cause)}`;
  const advice =
    'the log is damaged; if the daemon does not go on by itself, run "slipstream inspect repair", which sets aside what is damaged, and start it again';
  return new CodedError('LOG_CORRUPT', `${what}${detail}: ${advice}`, { cause });
}

/** An error of Level's as {@link damaged}; any other as it is, for a fault of our own is no damage. */
export function asDamage(what: string, error: unknown): unknown {
  const isLevel = /^LEVEL_/.test(String((error as { code?: unknown } | null)?.code));
  return isLevel ? damaged(what, error) : error;
}

/** For a `catch`: throws what is no {@link damaged}, which somebody else sees to. */
export function passDamage(error: unknown): void {
  if (!(error instanceof CodedError) || error.code !== 'LOG_CORRUPT') throw error;
}

/** What the database said, which Level wraps in an error of its own. */
function detailOf(error: unknown): string {
  const inner = (error as { cause?: unknown }).cause ?? error;
  return inner instanceof Error ? inner.message : String(inner);
}

/** What the system says when there is no room: for us (a full disk) or for our user (a quota). */
const outOfSpace = /no space left on device|disk quota exceeded|ENOSPC|EDQUOT/i;

/** And when the process, or all of them, have too many files open: LevelDB could not begin its next one. */
const outOfFiles = /too many open files|EMFILE|ENFILE/i;

/**
 * The error of a failed write. `LOG_DISK_FULL` and `LOG_FILES_EXHAUSTED` can be retried once there is room and the log has
 * been reopened: LevelDB leaves half a record behind, so nothing more may be written before.
 */
export function writeFailure(what: string, cause: unknown): CodedError {
  const error = failureOf('LOG_WRITE_FAILED', what, cause);
  const { errno } = cause as NodeJS.ErrnoException;
  if (!outOfSpace.test(error.message) && errno !== -constants.errno.EDQUOT) return error;
  const message = `${error.message}: free some space, or lower --retention-bytes; the daemon then continues by itself`;
  return new CodedError('LOG_DISK_FULL', message, { cause, retryable: true });
}

/** The error of a failed look at files: `LOG_FILES_EXHAUSTED`, else `LOG_READ_FAILED`. It says nothing of what they hold. */
export function readFailure(what: string, cause: unknown): CodedError {
  return failureOf('LOG_READ_FAILED', what, cause);
}

/** Of files that run out it says so. */
function failureOf(code: string, what: string, cause: unknown): CodedError {
  const error = databaseFailure(code, what, cause);
  if (!outOfFiles.test(error.message)) return error;
  const message = `${error.message}: raise ulimit -n, or lower --max-subscribers; the daemon then continues by itself`;
  return new CodedError('LOG_FILES_EXHAUSTED', message, { cause, retryable: true });
}

/** A coded error that ends with what the database said, which `cause` alone would hide from a log line. */
export function databaseFailure(code: string, what: string, cause: unknown): CodedError {
  return new CodedError(code, `${what}: ${detailOf(cause)}`, { cause });
}

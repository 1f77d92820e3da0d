// The one way from an error to the end of a command: a line on standard error, and the exit code that the error has.

import { CodedError } from '../../lib/errors.ts';
import { printable } from '../../lib/text.ts';

/** Characters of a message that are shown; servers write part of some. */
const messageCharsMax = 500;

/** Says what ended the command `name`, and returns its exit code. What is nobody's mistake but ours is thrown again. */
export function exitCodeOf(error: unknown, name: string): number {
  if (!(error instanceof CodedError)) throw error;
  const line = printable(error.message.split('\n')[0], messageCharsMax);
  process.stderr.write(`${name}: ${line} (${error.code})\n`);
  return error.exitCode;
}

// Shell of `slipstream tail`: flags in, events of a server out. What it shows is lib/tail's, how it subscribes
// lib/client's. `slipstream tail` and this file run the same function.

import { existsSync, realpathSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { readDictionary } from '../lib/codec/dictionary.ts';
import { CodedError } from '../lib/errors.ts';
import { printable } from './inspect/problem.ts';
import { readTailRequest, tailHelp } from './tail/request.ts';
import { tail as showTail, type TailTerminal } from './tail/tail.ts';

/** How long a socket that is being closed may keep the process. */
const lingerMsMax = 500;
/** Characters of a message; servers write part of it. */
const messageCharsMax = 300;

/**
 * Runs the tool with its arguments, those after `tail`; reads signals, writes to standard output and standard error.
 * Returns the exit code: 0 done, 1 failed, 2 something to correct.
 */
export async function tail(argv: readonly string[]): Promise<number> {
  const { stdout, stderr } = process;
  stderr.on('error', () => {});
  try {
    const request = readTailRequest(argv, stdout.isTTY, Date.now() * 1000);
    if (request === undefined) {
      stdout.write(tailHelp);
      return 0;
    }
    const path = request.dictionaryPath;
    await showTail(request, path === undefined ? undefined : readDictionary(path).bytes, terminal());
    return 0;
  } catch (error) {
    const code = exitCodeOf(error);
    if (code === undefined) throw error;
    const { message } = error as Error;
    const suffix = error instanceof CodedError ? ` (${error.code})` : '';
    stderr.write(`tail: ${printable(message.split('\n')[0], messageCharsMax)}${suffix}\n`);
    return code;
  } finally {
    setTimeout(() => process.exit(), lingerMsMax).unref();
  }
}

function terminal(): TailTerminal {
  const { stdout, stderr } = process;
  const stop = new AbortController();
  // Once: a second signal ends the process as usual.
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stop.abort());
  return {
    output: stdout,
    outputIsTerminal: stdout.isTTY,
    hasColours: stdout.isTTY && stdout.hasColors(),
    // 0 for a terminal that does not know.
    columns: () => stdout.columns || undefined,
    messages: stderr,
    messagesAreTerminal: stderr.isTTY,
    stop: stop.signal,
  };
}

/** Undefined for what is nobody's mistake but ours. */
function exitCodeOf(error: unknown): number | undefined {
  if (!(error instanceof Error && 'code' in error)) return undefined;
  const code = String(error.code);
  if (/^(CONFIG_|ERR_PARSE_ARGS|CODEC_DICTIONARY|CLIENT_(REFUSED|BAD|WRONG))/.test(code)) return 2;
  return error instanceof CodedError ? 1 : undefined;
}

const program = process.argv[1];
if (
  program !== undefined &&
  existsSync(program) &&
  realpathSync(program) === fileURLToPath(import.meta.url)
) {
  process.exitCode = await tail(process.argv.slice(2));
}

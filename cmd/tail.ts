// `slipstream tail`: events of a server, for people and pipes. What it shows is in cmd/tail/, how it subscribes in
// client/lib.

import { readDictionary } from '../lib/codec/dictionary.ts';
import type { Command } from '../lib/config/command-line.ts';
import { publicSources } from './tail/handle.ts';
import { type TailRequest, tailRequestCommand, withDids } from './tail/request.ts';
import { showTail, type TailTerminal } from './tail/tail.ts';

/** How long a socket that is being closed may keep the process. */
const lingerMsMax = 500;

/** The command; it listens to signals, and writes to standard output and standard error. */
export function tailCommand(): Command {
  return tailRequestCommand(process.stdout.isTTY, Date.now() * 1000, tail);
}

async function tail(request: TailRequest): Promise<void> {
  process.stderr.on('error', () => {});
  try {
    const { dictionaryPath: path } = request;
    const dictionary = path === undefined ? undefined : readDictionary(path).bytes;
    await showTail(await withDids(request, publicSources), dictionary, terminal());
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

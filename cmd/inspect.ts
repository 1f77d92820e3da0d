// Shell of the tool that looks into a log while no daemon has it open: flags in, a table, a verdict or events out. What
// it tells is gathered by lib/inspection. `slipstream inspect` and this file run the same function.

import { existsSync, readdirSync, realpathSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { chooseCompressor } from '../lib/codec/choose-compressor.ts';
import { type Compressor, compressionLevels } from '../lib/codec/compressor.ts';
import { defaultDictionaryPath, readDictionary } from '../lib/codec/dictionary.ts';
import { CodedError } from '../lib/errors.ts';
import { exportLines } from './inspect/export.ts';
import { type CheckResult, checkLog } from './inspect/log-check.ts';
import { reasonOf } from './inspect/problem.ts';
import { ClosedLog } from './inspect/reader.ts';
import { summarizeLog } from './inspect/summary.ts';
import { summaryTable } from './inspect/table.ts';
import { progressLine, verdictJson, verdictText } from './inspect/verdict.ts';
import { parseMoment } from './terminal/time.ts';

const help = `inspect: looks into the log of a daemon that is not running

usage: slipstream inspect [summary] [--data-dir DIR] [--top N] [--json]
       slipstream inspect verify    [--data-dir DIR] [--zstd-dictionary FILE]... [--json]
       slipstream inspect export    [--data-dir DIR] [--from TIME] [--to TIME] [--limit N]

  summary   what the log holds: times, sizes, blocks, relays, kinds, collections
  verify    reads everything and checks it: checksums, frames, every event against its columns, both
            encodings against each other, segments, gaps; one line for each problem
  export    events as JSON, one a line, oldest first

  --data-dir DIR           folder of the log; as the daemon's: SLIPSTREAM_DATA_DIR, else ./data
  --top N                  collections to list (default 20)
  --json                   for programs
  --zstd-dictionary FILE   one that the log was written with; those of the package are known
  --from TIME              first moment wanted: µs, ms or s since 1970, or as 2026-01-31T12:00:00Z
  --to TIME                first moment not wanted any more
  --limit N                most events
  --help                   this text

It changes nothing of what the log holds. Exit code: 0 in order, 1 damaged, 2 cannot be looked into
(wrong flag, no log, a daemon has it open).
`;

const flags = {
  'data-dir': { type: 'string' },
  top: { type: 'string' },
  json: { type: 'boolean' },
  'zstd-dictionary': { type: 'string', multiple: true },
  from: { type: 'string' },
  to: { type: 'string' },
  limit: { type: 'string' },
  help: { type: 'boolean', short: 'h' },
} as const;

/** What each command takes beside `--data-dir` and `--help`. */
const flagsOf = {
  summary: ['top', 'json'],
  verify: ['zstd-dictionary', 'json'],
  export: ['from', 'to', 'limit'],
} as const satisfies Record<string, readonly (keyof typeof flags)[]>;
type Command = keyof typeof flagsOf;

/** How often the progress line changes. */
const progressMs = 200;

function readFlags(argv: readonly string[]) {
  const { values, positionals } = parseArgs({ args: [...argv], options: flags, allowPositionals: true });
  const [command = 'summary', stray] = positionals;
  if (!Object.hasOwn(flagsOf, command) || stray !== undefined) {
    const commands = Object.keys(flagsOf).join(', ');
    throw new CodedError(
      'CONFIG_COMMAND_INVALID',
      `"${stray ?? command}" is none of ${commands}: see --help`,
    );
  }
  const known: readonly string[] = [...flagsOf[command as Command], 'data-dir', 'help'];
  const wrong = Object.keys(values).find((flag) => !known.includes(flag));
  if (wrong !== undefined) {
    throw new CodedError('CONFIG_FLAG_INVALID', `--${wrong} is not for "inspect ${command}": see --help`);
  }
  return { command: command as Command, values };
}

type Flags = ReturnType<typeof readFlags>['values'];

/**
 * Runs the tool with its arguments, those after `inspect`; writes to standard output and standard error.
 * Returns the exit code: 0 in order, 1 the log is damaged, 2 it cannot be looked into.
 */
export async function inspect(argv: readonly string[]): Promise<number> {
  try {
    const { command, values } = readFlags(argv);
    if (values.help) {
      await send([help]);
      return 0;
    }
    return await commands[command](values);
  } catch (error) {
    if (!isRefusal(error)) throw error;
    const code = error instanceof CodedError ? ` (${error.code})` : '';
    console.error(`inspect: ${error.message.split('\n')[0]}${code}`);
    return 2;
  }
}

const commands: Record<Command, (values: Flags) => Promise<number>> = {
  async summary(values) {
    const top = wholeNumber('--top', values.top ?? '20');
    const summary = await withLog(values, (reader) => summarizeLog(reader, top));
    await send([values.json ? JSON.stringify(summary, undefined, 2) : summaryTable(summary), '\n']);
    const { damagedBlocks, readError, format } = summary;
    return damagedBlocks > 0 || readError !== undefined || format === undefined ? 1 : 0;
  },

  async verify(values) {
    const decompressors = await openDecompressors(values['zstd-dictionary'] ?? []);
    const startMs = performance.now();
    try {
      const result = await withLog(values, (reader) => verify(reader, decompressors));
      const seconds = (performance.now() - startMs) / 1000;
      await send([values.json ? verdictJson(result) : verdictText(result, seconds), '\n']);
      return result.problems.total > 0 ? 1 : 0;
    } finally {
      for (const decompressor of decompressors.values()) decompressor.close();
    }
  },

  async export(values) {
    const range = {
      fromUs: values.from === undefined ? 0 : parseMoment(values.from, '--from'),
      toUs: values.to === undefined ? Number.POSITIVE_INFINITY : parseMoment(values.to, '--to'),
      eventsMax: values.limit === undefined ? Number.POSITIVE_INFINITY : wholeNumber('--limit', values.limit),
    };
    let damaged = 0;
    await withLog(values, (reader) =>
      send(
        exportLines(reader, range, (error) => {
          damaged++;
          console.error(`inspect: left out: ${reasonOf(error)} (${error.code})`);
        }),
      ),
    );
    return damaged > 0 ? 1 : 0;
  },
};

async function withLog<T>(values: Flags, work: (reader: ClosedLog) => Promise<T>): Promise<T> {
  const { SLIPSTREAM_DATA_DIR, JETSTREAM_DATA_DIR } = process.env;
  const dataDir = values['data-dir'] ?? (SLIPSTREAM_DATA_DIR || JETSTREAM_DATA_DIR || './data');
  const reader = await ClosedLog.open(dataDir);
  try {
    return await work(reader);
  } finally {
    await reader.close();
  }
}

async function verify(reader: ClosedLog, decompressors: Map<number, Compressor>): Promise<CheckResult> {
  const startMs = performance.now();
  let shownMs = 0;
  const show = process.stderr.isTTY
    ? (events: number, totalEvents: number, problems: number): void => {
        const nowMs = performance.now();
        if (nowMs - shownMs < progressMs) return;
        shownMs = nowMs;
        const seconds = (nowMs - startMs) / 1000;
        process.stderr.write(`\r${progressLine(events, totalEvents, problems, seconds)}\x1b[K`);
      }
    : () => {};
  const result = await checkLog(reader, {
    decompressorOf: (dictionaryId) => decompressors.get(dictionaryId),
    onProgress: show,
  });
  if (shownMs > 0) process.stderr.write('\r\x1b[K');
  return result;
}

/** One for each dictionary, by its id: those that were named, then those of the package. */
async function openDecompressors(paths: readonly string[]): Promise<Map<number, Compressor>> {
  const folder = dirname(defaultDictionaryPath());
  const shipped = existsSync(folder) ? readdirSync(folder).filter((name) => name.endsWith('.zdict')) : [];
  const opened = new Map<number, Compressor>();
  for (const path of [...paths, ...shipped.map((name) => join(folder, name))]) {
    const dictionary = readDictionary(path);
    if (opened.has(dictionary.id)) continue;
    opened.set(dictionary.id, await chooseCompressor('auto', dictionary, compressionLevels.default));
  }
  return opened;
}

/** Writes to standard output until whoever reads it has enough. @throws CodedError `INSPECT_OUTPUT_FAILED`. */
async function send(chunks: Iterable<string> | AsyncIterable<Uint8Array>): Promise<void> {
  // Every failure is told to the callback of its write.
  if (!process.stdout.listeners('error').includes(ignore)) process.stdout.on('error', ignore);
  for await (const chunk of chunks) {
    if (!(await write(chunk))) return;
  }
}

/** One chunk, when it is out; false when nobody reads any more. */
async function write(chunk: string | Uint8Array): Promise<boolean> {
  try {
    await new Promise<void>((resolve, reject) => {
      process.stdout.write(chunk, (error) => (error ? reject(error) : resolve()));
    });
    return true;
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException;
    if (code === 'EPIPE') return false;
    throw new CodedError('INSPECT_OUTPUT_FAILED', `cannot write to standard output: ${message}`, { cause });
  }
}

function ignore(): void {}

/** @throws CodedError `CONFIG_FLAG_INVALID`. */
function wholeNumber(flag: string, text: string): number {
  if (/^\d{1,15}$/.test(text)) return Number(text);
  throw new CodedError('CONFIG_FLAG_INVALID', `${flag} ${text}: must be a whole number`);
}

/** Errors that end in a line and exit code 2: of whoever called us, and of opening. */
function isRefusal(error: unknown): error is Error {
  if (error instanceof CodedError) return true;
  return error instanceof Error && 'code' in error && String(error.code).startsWith('ERR_PARSE_ARGS');
}

const program = process.argv[1];
if (
  program !== undefined &&
  existsSync(program) &&
  realpathSync(program) === fileURLToPath(import.meta.url)
) {
  process.exitCode = await inspect(process.argv.slice(2));
}

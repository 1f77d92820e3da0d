// What the daemon logs, as JSON lines or as lines for people. It owns the narrow interface that stages log through and
// the form of a line; when to log is theirs, and never per event. The only importer of pino.

import { styleText } from 'node:util';
import { pino, stdSerializers, stdTimeFunctions } from 'pino';
import { descriptorWriter, LineOutput } from './line-output.ts';

/** Fields of one line: values that JSON can write; an `Error` only under `error`. */
export type LogFields = Readonly<Record<string, unknown>>;

/** Writes lines. Fields come first so that no call leaves them out. */
export interface Logger {
  /** Whether a person reads the lines, and not a program: some have words then in place of fields. */
  readonly isForPeople?: boolean;
  error(fields: LogFields, message: string): void;
  warn(fields: LogFields, message: string): void;
  info(fields: LogFields, message: string): void;
  debug(fields: LogFields, message: string): void;
}

/** The logger of the process. */
export interface ProcessLogger extends Logger {
  /** Lines that could not be written since start, because nobody read them. */
  readonly lostLines: number;
  /** Writes what waits for a reader, before the process exits. */
  flush(): void;
}

/** Where lines go; a line ends with a newline. */
export interface LogTarget {
  readonly isTTY?: boolean;
  write(line: string): unknown;
}

/** Least important lines to write. */
export const logLevels = ['error', 'warn', 'info', 'debug'] as const;
export type LogLevel = (typeof logLevels)[number];

/** `auto` is `pretty` on a terminal, else `json`. */
export const logFormats = ['auto', 'json', 'pretty'] as const;
export type LogFormat = (typeof logFormats)[number];

/** How to log. */
export interface LoggerOptions {
  readonly level: LogLevel;
  readonly format: LogFormat;
  /** Standard output by default, which is never waited for: see line-output.ts. */
  readonly target?: LogTarget;
}

/** Creates the logger of the process. */
export function createLogger({ level, format, target }: LoggerOptions): ProcessLogger {
  const isTerminal = target === undefined ? process.stdout.isTTY === true : target.isTTY === true;
  const pretty = format === 'pretty' || (format === 'auto' && isTerminal);
  const formOf = (line: string): string => (pretty ? prettyLine(line, isTerminal) : line);
  const out =
    target === undefined
      ? new LineOutput(descriptorWriter(1), (lines) => formOf(lostLine(lines)))
      : undefined;
  const to: LogTarget = out ?? (target as LogTarget);
  const logger = pino(
    {
      level,
      base: null,
      timestamp: stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      serializers: { error: stdSerializers.errWithCause },
    },
    { write: (line: string) => void to.write(formOf(line)) },
  );
  return {
    isForPeople: pretty,
    error: (fields, message) => logger.error(fields, message),
    warn: (fields, message) => logger.warn(fields, message),
    info: (fields, message) => logger.info(fields, message),
    debug: (fields, message) => logger.debug(fields, message),
    get lostLines() {
      return out?.lostLines ?? 0;
    },
    flush: () => out?.flush(),
  };
}

/** Written when lines can be written again, whatever the level. */
function lostLine(lines: number): string {
  const msg = 'lines of this log are lost: nobody read it';
  return `${JSON.stringify({ level: 'warn', time: new Date().toISOString(), lines, msg })}\n`;
}

const levelStyles: Record<string, Parameters<typeof styleText>[0]> = {
  error: 'red',
  warn: 'yellow',
  info: 'green',
  debug: 'gray',
};

/** `12:34:56.789Z INFO  message key=value …`, and under it the stacks of an error and of what caused it. */
function prettyLine(json: string, colored: boolean): string {
  const { time, level, msg, error, ...fields } = JSON.parse(json);
  const paint = (style: Parameters<typeof styleText>[0], text: string): string =>
    colored ? styleText(style, text, { validateStream: false }) : text;
  const pairs = Object.entries(fields).map(([name, value]) => `${paint('gray', `${name}=`)}${plain(value)}`);
  const heading = paint(levelStyles[level] ?? 'gray', level.toUpperCase().padEnd(5));
  const line = [paint('gray', time.slice(11)), heading, msg, ...pairs].join(' ');
  return `${line}\n${error === undefined ? '' : stacks(error)}`;
}

/** Stacks of a serialized error and of its causes, each under the other. */
function stacks(error: { stack?: string; cause?: object } | string): string {
  if (typeof error !== 'object' || error === null || error.stack === undefined) return `${plain(error)}\n`;
  return `${error.stack}\n${error.cause === undefined ? '' : `Caused by: ${stacks(error.cause)}`}`;
}

function plain(value: unknown): string {
  return typeof value === 'string' && /^[!#-<>-~]+$/.test(value) ? value : JSON.stringify(value);
}

// Programs in other languages, on the packages that bots in them use, read what a client of Jetstream v1 is sent when it asks for
// compression: from a default start, and from one with the dictionary of v1. Each is built here by its own tools, into a folder that is
// kept between runs; where those are not installed it is skipped, and says so.

import { execFile, execFileSync, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { describe, expect, test } from 'vitest';
import { hasShared, officialDictionaryPath, sharedNote } from '../support/shared.ts';
import { FilledDaemon } from './compressed-clients.ts';

const built = resolve(import.meta.dirname, '../../node_modules/.cache/slipstream-foreign-clients');
const sources = (language: string): string => join(import.meta.dirname, language);
const buildMs = 14 * 60_000;

/** A program, and what it prints of an event. */
interface ForeignClient {
  readonly name: string;
  readonly tool: string;
  /** How it asks for compression, where the program itself does not. */
  readonly query: string;
  /** Builds it; the command line that runs it. */
  build(): string[];
  /** Arguments: the address, and the number of events to read. */
  argumentsFor(url: string, events: number): string[];
  lineOf(event: string): string;
}

const withDictionary = (url: string, events: number): string[] => [
  url,
  officialDictionaryPath,
  String(events),
];
const whole = (event: string): string => event;
/** Longer than a build or its downloads take; Rust compiles for minutes. */
const runMsMax = { usual: 60_000, compiling: 13 * 60_000 };
const run = (command: string, argv: string[], cwd: string, env: Record<string, string> = {}): void => {
  execFileSync(command, argv, {
    cwd,
    timeout: command === 'cargo' ? runMsMax.compiling : runMsMax.usual,
    env: { ...process.env, ...env },
    stdio: ['ignore', 'ignore', 'inherit'],
  });
};

const clients: readonly ForeignClient[] = [
  {
    name: 'Go, klauspost/compress, by the header Socket-Encoding',
    tool: 'go',
    query: '',
    build() {
      run('go', ['build', '-o', join(built, 'go-client'), '.'], sources('go'));
      return [join(built, 'go-client')];
    },
    argumentsFor: withDictionary,
    lineOf: whole,
  },
  {
    name: 'Python, websockets and zstandard',
    tool: 'python3',
    query: '&compress=true',
    build() {
      const python = join(built, 'python/bin/python');
      if (!existsSync(python)) run('python3', ['-m', 'venv', join(built, 'python')], sources('python'));
      run(python, ['-m', 'pip', 'install', '--quiet', '-r', 'requirements.txt'], sources('python'));
      return [python, join(sources('python'), 'client.py')];
    },
    argumentsFor: withDictionary,
    lineOf: whole,
  },
  {
    name: 'Rust, jetstream-oxide',
    tool: 'cargo',
    query: '',
    build() {
      run('cargo', ['build', '--quiet', '--locked'], sources('rust'), {
        CARGO_TARGET_DIR: join(built, 'rust'),
      });
      return [join(built, 'rust/debug/slipstream-foreign-client')];
    },
    argumentsFor: (url, events) => [url, String(events)],
    lineOf(event) {
      const { time_us, did } = JSON.parse(event);
      return `${time_us} ${did}`;
    },
  },
];

describe.each(clients)('$name', (client) => {
  const hasTool = spawnSync(client.tool, ['--version']).error === undefined;
  const note = hasTool ? sharedNote : ` (skipped: ${client.tool} is not installed)`;

  test.skipIf(!hasTool || !hasShared)(
    `reads the compressed stream, without the dictionary and with it${note}`,
    async ({ skip }) => {
      const program = builtOrWhy(client);
      if (typeof program === 'string') return skip(program);
      const [command, ...before] = program;
      for (const hasOfficial of [false, true]) {
        await using filled = await FilledDaemon.start(client.tool, hasOfficial);
        const { daemon, events } = filled;
        const argv = client.argumentsFor(`${daemon.url}?cursor=0${client.query}`, events.length);
        const { stdout, stderr } = await output(command, [...before, ...argv]);
        expect(stderr).toBe('');
        expect(stdout.trimEnd().split('\n')).toEqual(events.map(client.lineOf));
      }
    },
    buildMs,
  );
});

/** Its command line; without the network that its packages come from, why there is none. */
function builtOrWhy(client: ForeignClient): string[] | string {
  try {
    return client.build();
  } catch (error) {
    const why = `it cannot be built here: ${error}`;
    console.log(`skipped: ${client.name}: ${why}`);
    return why;
  }
}

/** What a program writes until it ends; this process serves it meanwhile. */
function output(command: string, argv: string[]): Promise<{ stdout: string; stderr: string }> {
  return new Promise((resolve) =>
    execFile(command, argv, { timeout: 60_000, maxBuffer: 2 ** 28 }, (error, stdout, stderr) =>
      resolve({ stdout, stderr: stderr || (error?.killed ? 'it did not come to its end' : '') }),
    ),
  );
}

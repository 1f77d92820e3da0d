// The daemon as a process of its own: started, killed, stopped, and what it said. Knows nothing of relays and readers.

import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';

const program = resolve(import.meta.dirname, '../../cmd/slipstream.ts');
/** Compiled sources, shared by all runs: a start takes 0.1 s of processor time with it and 0.3 s without. */
const compileCache = join(tmpdir(), 'slipstream-crash-compile-cache');
const logLinesMax = 80;

/** How a daemon is started. */
export interface DaemonOptions {
  readonly dataDir: string;
  readonly relayUrl: string;
  /** In place of the daemon alone. */
  readonly command?: string | undefined;
  /** Further flags of the command. */
  readonly flags?: readonly string[];
  /** Files that the process may have open. Default: as many as this one. */
  readonly openFiles?: number | undefined;
  /** Modules to load before the daemon, each with what it reads from the environment. */
  readonly preloads?: readonly Preload[];
  /** Variables that it has beside ours. */
  readonly env?: Readonly<Record<string, string>>;
}

/** How a process ended. */
export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** A module that changes what the daemon finds, from outside. */
export interface Preload {
  readonly file: string;
  readonly env: Readonly<Record<string, string>>;
}

const running = new Set<ChildProcess>();
process.once('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});

/** One life of the daemon. */
export class Daemon {
  readonly exited: Promise<Exit>;
  /** `ws://host:port` once it listens, `ws://` when it serves nobody; undefined when it ended before. */
  readonly started: Promise<string | undefined>;
  /** `host:port` of its metrics, once it has started. */
  metrics = '';
  /** The last lines of its log and of what it wrote to standard error. */
  readonly lines: string[] = [];
  /** The first lines at level error, and of those on standard error. */
  readonly errors: string[] = [];
  /** Names of what the relay told it beside events. */
  readonly notices = new Set<string>();
  exit: Exit | undefined;
  /** Set by the caller that wants it to end: any other end is a failure. */
  endExpected = false;
  readonly #child: ChildProcess;

  constructor({ dataDir, relayUrl, command, flags = [], openFiles, preloads = [], env = {} }: DaemonOptions) {
    mkdirSync(compileCache, { recursive: true });
    const args = [
      ...preloads.flatMap(({ file }) => ['--import', file]),
      program,
      ...(command === undefined ? [] : [command]),
      ...['--ws-url', relayUrl, '--data-dir', dataDir, '--log-format', 'json'],
      ...['--listen-addr', '127.0.0.1:0', '--metrics-listen-addr', '127.0.0.1:0'],
      ...flags,
    ];
    const limited = ['-c', `ulimit -n ${openFiles} && exec "$0" "$@"`, process.execPath, ...args];
    const [file, argv] = openFiles === undefined ? [process.execPath, args] : ['sh', limited];
    this.#child = spawn(file, argv, {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: Object.assign(
        { ...process.env, NODE_COMPILE_CACHE: compileCache },
        ...preloads.map((preload) => preload.env),
        env,
      ),
    });
    running.add(this.#child);
    this.exited = new Promise((done) => {
      // Not `close`: that waits for the pipes, and only the end of the process frees its locks.
      this.#child.once('exit', (code, signal) => {
        running.delete(this.#child);
        this.exit = { code, signal };
        done(this.exit);
      });
    });
    this.started = new Promise((done) => {
      this.#read(this.#child.stdout as NodeJS.ReadableStream, (line) => {
        if (line.includes('"msg":"started"')) {
          this.metrics = /"metrics":"([^"]+)"/.exec(line)?.[1] ?? '';
          done(`ws://${/"listen":"([^"]+)"/.exec(line)?.[1] ?? ''}`);
        }
        const notice = /"name":"(\w+)"/.exec(line)?.[1];
        if (notice !== undefined) this.notices.add(notice);
        if (line.includes('"level":"error"')) this.#noteError(line);
      });
      void this.exited.then(() => done(undefined));
    });
    this.#read(this.#child.stderr as NodeJS.ReadableStream, (line) => this.#noteError(line));
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  /** Ends it as a crash does. */
  kill(): Promise<Exit> {
    this.endExpected = true;
    this.#child.kill('SIGKILL');
    return this.exited;
  }

  /** Ends it as an operator does. */
  stop(): Promise<Exit> {
    this.endExpected = true;
    this.#child.kill('SIGTERM');
    return this.exited;
  }

  /** Freezes it, or lets it go on. */
  freeze(frozen: boolean): void {
    this.#child.kill(frozen ? 'SIGSTOP' : 'SIGCONT');
  }

  #noteError(line: string): void {
    if (this.errors.length < logLinesMax) this.errors.push(line);
  }

  #read(stream: NodeJS.ReadableStream, take: (line: string) => void): void {
    createInterface({ input: stream }).on('line', (line) => {
      this.lines.push(line);
      if (this.lines.length > logLinesMax) this.lines.shift();
      take(line);
    });
  }
}

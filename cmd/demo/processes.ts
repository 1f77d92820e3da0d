// The two processes of a demo, a relay and a daemon: started one after the other, watched, and ended together. What they print is
// read here, and passed on as far as a person has to know it.

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { CodedError } from '../../lib/errors.ts';

/** What the network is made of, as flags of `relay-sim`. */
export interface DemoSource {
  readonly rate: string;
  readonly seed: string;
  readonly mix?: string;
  readonly framesFile?: string;
}

/** Where the daemon listens, as it writes it in its log. */
export interface DemoAddresses {
  readonly listen: string;
  readonly metrics: string;
}

/** See the file comment. */
export class DemoProcesses {
  /** Of the first process that ended by itself. */
  failure: CodedError | undefined;
  readonly #children: ChildProcess[] = [];
  readonly #stop: AbortController;
  /** The last error that one of them told. */
  #said = '';

  /** @param stop is called when a process ends. */
  constructor(stop: AbortController) {
    this.#stop = stop;
  }

  /** Starts both; undefined when that fails, or is stopped before it is done. */
  async start(source: DemoSource, daemonFlags: readonly string[]): Promise<DemoAddresses | undefined> {
    const { rate, seed, mix, framesFile } = source;
    const frames =
      framesFile === undefined
        ? ['--wall-clock', '--seed', seed, '--directory-port', '0']
        : ['--frames-file', framesFile, '--loop'];
    let directory: string | undefined;
    const relayFlags = ['--rate', rate, ...frames, ...(mix === undefined ? [] : ['--mix', mix])];
    const relayUrl = await this.#run('relay', relayProgram(), relayFlags, (line) => {
      directory ??= /^relay-sim directory (\S+)$/.exec(line)?.[1];
      return /^relay-sim listening (\S+)$/.exec(line)?.[1];
    });
    if (relayUrl === undefined) return undefined;
    // Keys of recorded frames are not known.
    const checks = directory === undefined ? [] : ['--verify', 'observe', '--plc-url', directory];
    const flags = [
      '--ws-url',
      relayUrl,
      ...daemonFlags,
      ...checks,
      '--log-format',
      'json',
      '--log-level',
      'info',
    ];
    return this.#run('daemon', daemonProgram(), flags, (line) => {
      const { level, msg, listen, metrics } = JSON.parse(line);
      if (level === 'error') this.#said = msg;
      return msg === 'started' ? { listen, metrics } : undefined;
    });
  }

  /** Ends them, and waits for it. */
  async stop(): Promise<void> {
    await Promise.all(
      this.#children.map(async (child) => {
        if (child.exitCode !== null || child.signalCode !== null) return;
        const gone = once(child, 'exit');
        child.kill('SIGTERM');
        await gone;
      }),
    );
  }

  /** Runs a program; what `read` makes of its first line that it makes something of, undefined if it ends before. */
  #run<T>(
    name: string,
    path: string,
    flags: readonly string[],
    read: (line: string) => T | undefined,
  ): Promise<T | undefined> {
    const child = spawn(process.execPath, [path, ...flags], { stdio: ['ignore', 'pipe', 'pipe'] });
    this.#children.push(child);
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      this.#said = text.trim().split('\n').at(-1) ?? '';
    });
    return new Promise((resolve) => {
      createInterface({ input: child.stdout }).on('line', (line) => {
        const value = read(line);
        if (value !== undefined) resolve(value);
      });
      child.once('close', (code, signal) => {
        if (!this.#stop.signal.aborted) {
          const text = `the ${name} has ended${this.#said === '' ? ` (${signal ?? code})` : `: ${this.#said}`}`;
          this.failure = new CodedError('DEMO_FAILED', text);
        }
        this.#stop.abort();
        resolve(undefined);
      });
      this.#stop.signal.addEventListener('abort', () => resolve(undefined));
    });
  }
}

/** In the package the simulator is one file, without packages of its own. */
function relayProgram(): string {
  const packed = pathOf('../relay-sim/relay-sim.js');
  return existsSync(packed) ? packed : pathOf('../../simulator/cmd/relay-sim.ts');
}

function daemonProgram(): string {
  const built = pathOf('../slipstream.js');
  return existsSync(built) ? built : pathOf('../slipstream.ts');
}

function pathOf(relative: string): string {
  return fileURLToPath(new URL(relative, import.meta.url));
}

// Starts the processes of a benchmark, talks to them by lines, and leaves nothing behind: whatever ends this process, the
// ones started here and the temporary directories made here go with it. It knows no server.

import { type ChildProcessByStdio, spawn, spawnSync } from 'node:child_process';
import { rmSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { LocalProcess } from './local-process.ts';

/** Processes can be measured here: figures that start some are skipped elsewhere. */
export const isLinux = process.platform === 'linux';
/** Longest wait for a line of a process, unless its caller knows better. */
const lineMsMax = 60_000;
const stopMsMax = 10_000;

const running = new Set<Process>();
const directories = new Set<string>();

process.on('exit', () => {
  for (const { pid } of running) kill(pid);
  for (const path of directories) rmSync(path, { recursive: true, force: true, maxRetries: 5 });
});
for (const [signal, code] of [
  ['SIGINT', 130],
  ['SIGTERM', 143],
] as const) {
  process.once(signal, () => process.exit(code));
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It is gone already.
  }
}

/** A Node process that runs one of the project's files. Its standard error is ours. */
export class Process extends LocalProcess implements AsyncDisposable {
  readonly #name: string;
  readonly #child: ChildProcessByStdio<Writable, Readable, null>;
  readonly #lines: string[] = [];
  #onLine: () => void = () => {};
  readonly #gone: Promise<void>;

  private constructor(script: string, args: readonly string[]) {
    const path = fileURLToPath(new URL(`../${script}`, import.meta.url));
    const child = spawn(process.execPath, [path, ...args], { stdio: ['pipe', 'pipe', 'inherit'] });
    super(child.pid ?? 0);
    this.#name = script;
    this.#child = child;
    // A process that has ended is noticed where its answer is waited for.
    child.stdin.on('error', () => {});
    createInterface({ input: child.stdout }).on('line', (line) => {
      this.#lines.push(line);
      this.#onLine();
    });
    this.#gone = new Promise((resolve) => {
      this.#child.once('close', () => {
        running.delete(this);
        resolve();
        this.#onLine();
      });
    });
  }

  /** @param script path from the root of the project. */
  static start(script: string, args: readonly string[]): Process {
    const started = new Process(script, args);
    running.add(started);
    return started;
  }

  /**
   * Waits for a line of standard output that `read` makes something of; lines before it are passed over.
   * @throws when the process ends, or prints no such line in time.
   */
  async take<T>(read: (line: string) => T | undefined, msMax = lineMsMax): Promise<T> {
    const late = performance.now() + msMax;
    for (;;) {
      for (let line = this.#lines.shift(); line !== undefined; line = this.#lines.shift()) {
        const found = read(line);
        if (found !== undefined) return found;
      }
      if (!running.has(this)) throw new Error(`${this.#name} ended early (exit ${this.#child.exitCode})`);
      const waitMs = late - performance.now();
      if (waitMs <= 0) throw new Error(`${this.#name} said nothing that was waited for in ${msMax} ms`);
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, waitMs);
        this.#onLine = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
  }

  /** Waits for the next JSON line. @throws as {@link take}. */
  json<T>(msMax?: number): Promise<T> {
    return this.take((line) => (line.startsWith('{') ? (JSON.parse(line) as T) : undefined), msMax);
  }

  /** Writes a line to its standard input. */
  say(line: string): void {
    this.#child.stdin.write(`${line}\n`);
  }

  /** Asks it to end, makes it end if it does not, and waits until it has. */
  async stop(): Promise<void> {
    this.#child.kill('SIGTERM');
    const timer = setTimeout(() => kill(this.pid), stopMsMax);
    await this.#gone;
    clearTimeout(timer);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }
}

/** A directory that is removed when it is disposed of, or at the end. */
export class TemporaryDirectory implements AsyncDisposable {
  readonly path: string;

  private constructor(path: string) {
    this.path = path;
  }

  static async make(): Promise<TemporaryDirectory> {
    const path = await mkdtemp(join(tmpdir(), 'slipstream-bench-'));
    directories.add(path);
    return new TemporaryDirectory(path);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.path, { recursive: true, force: true, maxRetries: 5 });
    directories.delete(this.path);
  }
}

/** Empties the page cache, so that the next reads come from the disk. False where that is not permitted. */
export function dropPageCache(): boolean {
  try {
    spawnSync('sync');
    writeFileSync('/proc/sys/vm/drop_caches', '3');
    return true;
  } catch {
    return false;
  }
}

// Builds faulty-files.c with the machine's C compiler, where there is one, and says what a daemon needs in its environment.

import { spawnSync } from 'node:child_process';
import { join, resolve } from 'node:path';

/** What goes wrong. */
export interface Faults {
  /** Files below it. */
  readonly dir: string;
  readonly seed: number;
  /** Operations that go well at first; behind them one in so many fails, none if that is 0. */
  readonly free: number;
  readonly every: number;
  /** What each write and each sync takes longer, in microseconds. */
  readonly delayUs?: number;
}

/** The library, built into `folder`; undefined where there is no compiler, or no Linux. */
export function buildFaultyFiles(folder: string): string | undefined {
  if (process.platform !== 'linux') return undefined;
  const library = join(folder, 'faulty-files.so');
  const source = resolve(import.meta.dirname, 'faulty-files.c');
  const { status } = spawnSync('cc', ['-shared', '-fPIC', '-O1', '-o', library, source, '-ldl'], {
    stdio: 'ignore',
  });
  return status === 0 ? library : undefined;
}

export function faultEnvironment(
  library: string,
  { dir, seed, free, every, delayUs = 0 }: Faults,
): Record<string, string> {
  const numbers = {
    FAULT_SEED: String(seed),
    FAULT_FREE: String(free),
    FAULT_EVERY: String(every),
    FAULT_DELAY_US: String(delayUs),
  };
  return { LD_PRELOAD: library, FAULT_DIR: `${dir}/`, ...numbers };
}

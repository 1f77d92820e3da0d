// The named points of the write path at which a daemon can be made to die, and one life that ends there. The dying itself
// is kill-preload.ts, inside the daemon.

import { resolve } from 'node:path';
import type { SeededRandom } from '../../lib/seeded-random.ts';
import type { CrashRun, LifeOptions } from './crash-run.ts';
import type { Preload } from './daemon.ts';

const file = resolve(import.meta.dirname, 'kill-preload.ts');
/** Microseconds that the database gets to work on a call before the process dies during it. */
const spinsUs = [0, 100, 500, 2000, 8000];

/** `<database>.<operation>:<moment>`, as kill-preload.ts has it, and the how-manieth call. */
export interface KillPoint {
  readonly name: string;
  readonly count: number;
}

/** Every moment of every operation, for each count. @param moments separated by spaces. */
export function killPointsOf(
  moments: string,
  counts: readonly number[],
  ...operations: readonly string[]
): KillPoint[] {
  return operations.flatMap((operation) =>
    moments
      .split(' ')
      .flatMap((moment) => counts.map((count) => ({ name: `${operation}:${moment}`, count }))),
  );
}

/** What else a life that ends at a point needs. */
export interface KillOptions extends LifeOptions {
  /** Called once the process is started: what has to happen for it to get to the point. */
  readonly meanwhile?: () => Promise<void>;
  /** Interval of retention. */
  readonly trimMs?: number;
}

/** Applies retention every `ms` milliseconds. */
export function trimPreload(ms: number): Preload {
  return { file, env: { CRASH_TRIM_MS: String(ms) } };
}

/** Starts the daemon and waits until it has died at the point. */
export async function dieAt(
  run: CrashRun,
  { name, count }: KillPoint,
  random: SeededRandom,
  { meanwhile, trimMs, preloads = [], flags = [] }: KillOptions = {},
): Promise<void> {
  const spinUs = random.pick(spinsUs);
  run.moment = `${name}, call ${count}, spin ${spinUs} µs`;
  const env = {
    CRASH_POINT: name,
    CRASH_COUNT: String(count),
    CRASH_SPIN_US: String(spinUs),
    ...(trimMs === undefined ? {} : { CRASH_TRIM_MS: String(trimMs) }),
  };
  run.start({ flags, preloads: [...preloads, { file, env }] });
  const [{ signal, code }] = await Promise.all([run.ended(), meanwhile?.()]);
  if (signal !== 'SIGKILL') run.fail(`the daemon ended with ${signal ?? code}, not at the point`);
}

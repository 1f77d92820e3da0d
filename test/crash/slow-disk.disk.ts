// A disk on which every write takes long, below a relay that sends as fast as it can: the daemon reads no more from the relay than it
// stores, so its memory stays what it is, and every event is there once. Wants a C compiler; without one it is skipped.

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { LocalProcess } from '../../bench/local-process.ts';
import { CrashRun } from './crash-run.ts';
import { buildFaultyFiles, faultEnvironment } from './faulty-files.ts';

const framesPerSecond = 50_000;
const seconds = Number(process.env.SLOW_SECONDS ?? 2);
/** Of a disk that turns, for each write and each sync. */
const delayUs = 20_000;
/** What it has more than at rest: the queue to the log, what the relay's socket holds, and garbage. */
const growthBytesMax = 250 * 2 ** 20;

const folder = await mkdtemp(join(tmpdir(), 'slipstream-slow-'));
const library = buildFaultyFiles(folder);
if (library === undefined) console.log('a slow disk: skipped, there is no C compiler');
afterAll(() => rm(folder, { recursive: true }));

it.skipIf(library === undefined)('takes no more from a relay than a slow disk takes', async () => {
  const seed = process.env.CRASH_SEED ?? '1';
  const run = await CrashRun.begin({ seed });
  try {
    const faults = { dir: run.dataDir, seed: 1, free: 0, every: 0, delayUs };
    const daemon = await run.connect({ env: faultEnvironment(library as string, faults) });
    const measured = new LocalProcess(daemon.pid as number);
    run.relay.server.setRate(framesPerSecond / 100);
    await run.until(() => run.subscribers.every(({ check }) => check.events > 0), 'events');
    const atRest = measured.anonymousBytes();
    run.moment = 'the burst';
    run.relay.server.setRate(framesPerSecond);
    let most = 0;
    const endMs = performance.now() + seconds * 1000;
    await run.until(() => {
      most = Math.max(most, measured.anonymousBytes());
      return performance.now() > endMs;
    }, 'the burst is over');
    run.relay.server.setRate(0);
    const behind = run.relay.expectedEvents - Math.min(...run.subscribers.map(({ check }) => check.events));
    await run.until(() => {
      most = Math.max(most, measured.anonymousBytes());
      return run.subscribers.every(({ check }) => check.events >= run.relay.expectedEvents);
    }, 'all events');
    console.log(
      `a slow disk: ${behind} events behind after the burst, ${Math.round((most - atRest) / 2 ** 20)} MiB more; ${await run.finish()}`,
    );
    expect(most - atRest).toBeLessThan(growthBytesMax);
  } finally {
    await run.end();
  }
});

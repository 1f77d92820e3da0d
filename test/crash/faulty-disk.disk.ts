// A disk that fails at random: every operation on a file of the log may (EIO, ENOSPC, EINTR, reads too, writes cut short), seeded, in one life of
// the daemon after the other. Each life goes on, or ends with exit 1 and a code of the log, and never by a signal; and in
// the end every event is there once, and was sent once. Wants a C compiler; without one it is skipped.

import { spawnSync } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, afterEach, expect, it } from 'vitest';
import { SeededRandom } from '../../lib/seeded-random.ts';
import { CrashRun } from './crash-run.ts';
import { buildFaultyFiles, faultEnvironment } from './faulty-files.ts';

const seeds = process.env.CRASH_SEED === undefined ? ['12', '13'] : [process.env.CRASH_SEED];
const seconds = Number(process.env.FAULT_SECONDS ?? 10);
const framesPerSecond = 1000;
const lifeMsMax = 3_000;
const folder = await mkdtemp(join(tmpdir(), 'slipstream-faults-'));
const library = buildFaultyFiles(folder);
if (library === undefined) console.log('a faulty disk: skipped, there is no C compiler');

let run: CrashRun | undefined;
afterEach(async () => {
  await run?.end();
  run = undefined;
});
afterAll(() => rm(folder, { recursive: true }));

/** How lives ended: by a kill of ours, or by which error. */
type Ends = Map<string, number>;

async function live(run: CrashRun, random: SeededRandom, ends: Ends): Promise<void> {
  const faults = {
    dir: run.dataDir,
    seed: random.int(1e9),
    free: random.pick([0, 20, 100, 300]),
    every: random.pick([5, 30, 100, 300]),
  };
  run.moment = `life ${run.lives + 1} with ${JSON.stringify(faults)}`;
  const env = faultEnvironment(library as string, faults);
  const flags = random.chance(0.3) ? ['--fsync'] : [];
  const daemon = run.start({ env, flags });
  const name = await Promise.race([
    daemon.exited.then(() => 'ended'),
    delay(random.between(200, lifeMsMax), 'killed'),
  ]);
  if (name === 'ended') {
    const { code, signal } = daemon.exit as NonNullable<typeof daemon.exit>;
    const lines = daemon.lines.slice(-60).join('\n');
    if (signal !== null || code !== 1) run.fail(`the daemon ended with ${signal ?? code}\n${lines}`);
    const [, error] =
      /"code":"(LOG_\w+)"|\((LOG_\w+)\)/.exec(lines)?.filter((part) => part !== undefined) ?? [];
    if (error === undefined) run.fail(`the daemon ended without a code of the log\n${lines}`);
    ends.set(error, (ends.get(error) ?? 0) + 1);
  } else ends.set(name, (ends.get(name) ?? 0) + 1);
  await run.kill();
}

it.skipIf(library === undefined).each(seeds)(
  'stores and sends every event once on a faulty disk (CRASH_SEED=%s)',
  async (seed) => {
    run = await CrashRun.begin({ seed });
    const random = new SeededRandom(seed, 'faulty disk');
    await run.connect();
    run.relay.server.setRate(framesPerSecond);
    await run.until(() => (run as CrashRun).subscribers.every(({ check }) => check.events > 0), 'events');
    await run.stop();
    const ends: Ends = new Map();
    run.errorsExpected = true;
    for (const endMs = performance.now() + seconds * 1000; performance.now() < endMs; )
      await live(run, random, ends);
    run.errorsExpected = false;
    const figures = await run.finish();
    const command = resolve(import.meta.dirname, '../../cmd/slipstream.ts');
    const { status, stdout } = spawnSync(
      process.execPath,
      [command, 'inspect', 'verify', '--data-dir', run.dataDir],
      { encoding: 'utf8' },
    );
    expect(status, stdout).toBe(0);
    console.log(`a faulty disk: ${JSON.stringify(Object.fromEntries(ends))}, ${figures}`);
  },
);

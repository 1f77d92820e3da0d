// Power failures: kill -9, and of what LevelDB had not synced a random part is gone. With --fsync nothing that a
// subscriber has seen may be lost. Without it the end of the log may be; what is left has no hole, and the relay sends
// the rest again. Live subscribers then see events again that the log had lost, with a new `time_us`.

import { writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, it } from 'vitest';
import { SeededRandom } from '../../lib/seeded-random.ts';
import { CrashRun, type LifeOptions } from './crash-run.ts';
import type { Preload } from './daemon.ts';
import { dieAt, killPointsOf, trimPreload } from './kill-point.ts';
import { logFilesOf, losePower, readSafeBytes } from './power-loss.ts';

const seed = process.env.CRASH_SEED ?? '1';
const failures = Math.ceil(Number(process.env.CRASH_KILLS ?? 150) / 4);
const framesPerSecond = 2500;
/** Written to the log by the daemon when it found the end of its log damaged. */
const cutOff = 'has been cut off';

let run: CrashRun | undefined;
afterEach(async () => {
  await run?.end();
  run = undefined;
});

/** Notes what is safe, in a file that begins empty. */
function syncPreload(run: CrashRun): Preload & { readonly syncFile: string } {
  const syncFile = join(run.dataDir, 'synced');
  writeFileSync(syncFile, '');
  const file = resolve(import.meta.dirname, 'sync-preload.ts');
  return { file, env: { CRASH_SYNC_FILE: syncFile }, syncFile };
}

/** A first life, so that the relay's first frame is not missed; it ends orderly, so all of it is safe. */
async function connectFirst(run: CrashRun): Promise<void> {
  await run.connect();
  run.relay.server.setRate(framesPerSecond);
  await run.until(() => run.subscribers.every(({ check }) => check.events > 0), 'events');
  await run.stop();
}

/** Lives and power failures; returns how often the daemon then found its log damaged. */
async function failAtRandom(run: CrashRun, options: LifeOptions = {}): Promise<number> {
  const random = new SeededRandom(seed, 'power');
  let damaged = 0;
  for (let failure = 1; failure <= failures; failure++) {
    const preload = syncPreload(run);
    const daemon = run.start({ ...options, preloads: [preload, ...(options.preloads ?? [])] });
    await daemon.started;
    if (daemon.lines.some((line) => line.includes(cutOff))) damaged++;
    await delay(random.pick([random.between(0, 400), random.between(0, 400), random.between(400, 2000)]));
    await run.kill();
    run.moment = `failure ${failure}; ${losePower(run.dataDir, readSafeBytes(preload.syncFile), random)}`;
  }
  return damaged;
}

it(`loses nothing that it has published, with --fsync, in ${failures} power failures`, async () => {
  run = await CrashRun.begin({ seed, flags: ['--fsync'] });
  await connectFirst(run);
  const damaged = await failAtRandom(run);
  console.log(
    `power failures with --fsync: ${failures}, ${damaged} logs found damaged, ${await run.finish()}`,
  );
});

it(`stores every event once, without --fsync, in ${failures} power failures`, async () => {
  run = await CrashRun.begin({ seed, live: 'at least once' });
  await connectFirst(run);
  const damaged = await failAtRandom(run);
  const { repeated } = run.subscribers[0].check;
  console.log(
    `power failures without --fsync: ${failures}, ${damaged} logs found damaged, ` +
      `${repeated} events seen again live, ${await run.finish()}`,
  );
});

it(`has no hole where old events are deleted, without --fsync, in ${failures} power failures`, async () => {
  run = await CrashRun.begin({ seed, live: 'at least once' });
  await connectFirst(run);
  const damaged = await failAtRandom(run, {
    flags: ['--event-ttl', '3s'],
    preloads: [trimPreload(200)],
  });
  console.log(
    `power failures while events are deleted: ${failures}, ${damaged} logs found damaged, ${await run.finish('trimmed')}`,
  );
});

it('has no hole when an older log file is lost and a newer one is not, without --fsync', async () => {
  run = await CrashRun.begin({ seed, live: 'at least once' });
  const { server } = run.relay;
  const random = new SeededRandom(seed, 'files');
  await connectFirst(run);
  let damaged = 0;
  for (const point of [
    ...killPointsOf('after', [1, 1, 1, 1], 'journal.rotation'),
    // How many writes fall into one change of files depends on the machine; one always does.
    ...killPointsOf('after', [1, 1], 'blocks.rotation'),
  ]) {
    const large = point.name.startsWith('blocks');
    // The journal gets what comes in small blocks: no more than the daemon keeps up with on any machine.
    server.setRate(large ? 0 : framesPerSecond);
    const preload = syncPreload(run);
    await dieAt(run, point, random, {
      preloads: [preload],
      meanwhile: async () => {
        if (large) await server.publish(65_000);
      },
    });
    const safe = readSafeBytes(preload.syncFile);
    const [first] = logFilesOf(run.dataDir, large ? 'blocks' : 'journal');
    run.moment += `; ${losePower(run.dataDir, safe, random, (path) => path !== first)}`;
    const daemon = run.start();
    await daemon.started;
    if (daemon.lines.some((line) => line.includes(cutOff))) damaged++;
    await run.kill();
  }
  console.log(`lost log files: ${damaged} logs found damaged, ${await run.finish()}`);
});

// kill -9 at random moments under load, many times on one data directory. Each life may have another dictionary; some have a clock that
// was set, or is set again and again; and once the log is made into one of an earlier version.

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, expect, it, onTestFinished } from 'vitest';
import { SeededRandom } from '../../lib/seeded-random.ts';
import { makeFormat } from '../log/older-formats.ts';
import { CrashRun, type LifeOptions } from './crash-run.ts';
import { writeDictionaries } from './dictionaries.ts';

const seed = process.env.CRASH_SEED ?? '1';
const kills = Number(process.env.CRASH_KILLS ?? 150);
const framesPerSecond = 2500;

const clockPreload = resolve(import.meta.dirname, 'clock-preload.ts');
const jumpingPreload = resolve(import.meta.dirname, 'jumping-clock-preload.ts');
const clockStepMsMax = 3_600_000;

let run: CrashRun | undefined;
afterEach(async () => {
  await run?.end();
  run = undefined;
});

/** Milliseconds that a daemon lives; from its start, or from when it listens. */
function lifetime(random: SeededRandom): { from: 'spawn' | 'listening'; ms: number } {
  const kind = random.float();
  // A tenth dies while it starts; most while they catch up; some after journal entries have begun to be deleted.
  if (kind < 0.1) return { from: 'spawn', ms: random.between(30, 500) };
  if (kind < 0.75) return { from: 'listening', ms: random.between(0, 400) };
  if (kind < 0.93) return { from: 'listening', ms: random.between(400, 1200) };
  return { from: 'listening', ms: random.between(2000, 3500) };
}

/** Each life has its own number of workers and dictionary, one in four another time of day, and one in ten a clock that jumps. */
function lifeOf(random: SeededRandom, dictionaries: readonly string[]): LifeOptions {
  const dictionary = random.pick(dictionaries);
  const flags = ['--workers', String(random.between(0, 2)), '--zstd-dictionary', dictionary];
  const clock = random.float();
  if (clock < 0.65) return { flags };
  if (clock < 0.75) return { flags, preloads: [{ file: jumpingPreload, env: { CRASH_SEED: seed } }] };
  const offsetMs = random.between(-clockStepMsMax, clockStepMsMax);
  return { flags, preloads: [{ file: clockPreload, env: { CRASH_CLOCK_MS: String(offsetMs) } }] };
}

it(`stores every event once over ${kills} kills at random moments`, async () => {
  run = await CrashRun.begin({ seed });
  const { server } = run.relay;
  const random = new SeededRandom(seed, 'lifetimes');
  const folder = await mkdtemp(join(tmpdir(), 'slipstream-dictionaries-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  const dictionaries = writeDictionaries(folder);
  const olderAt = Math.ceil(kills / 3);
  await run.connect();
  server.setRate(framesPerSecond);
  await run.until(() => (run as CrashRun).subscribers.every(({ check }) => check.events > 0), 'events');
  for (let kill = 1; kill <= kills; kill++) {
    const { from, ms } = lifetime(random);
    run.moment = `kill ${kill}, ${ms} ms after ${from}`;
    if (from === 'listening') await run.daemon?.started;
    await delay(ms);
    if (kill === olderAt) {
      await run.daemon?.started;
      await run.stop();
      await makeFormat(run.dataDir, random.pick([1, 2, 3] as const));
    } else await run.kill();
    run.start(lifeOf(random, dictionaries));
  }
  const figures = await run.finish();
  console.log(`random kills: ${kills} kills, ${figures}`);
  expect(run.lives).toBeGreaterThan(kills);
});

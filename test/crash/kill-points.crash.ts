// kill -9 at named points of the write path: before, during and after each kind of database call, while the daemon
// starts, works, deletes old events and stops. One data directory goes through all points of a test.

import { rm } from 'node:fs/promises';
import { afterEach, beforeEach, it } from 'vitest';
import { SeededRandom } from '../../lib/seeded-random.ts';
import { CrashRun } from './crash-run.ts';
import { dieAt, type KillOptions, type KillPoint, killPointsOf } from './kill-point.ts';

const seed = process.env.CRASH_SEED ?? '1';
const framesPerSecond = 2500;
/** More than the events of a segment: a burst of these closes one. */
const segmentFrames = 75_000;
/** More than a log file of the block store holds. */
const rotationFrames = 65_000;

let run: CrashRun;
let random: SeededRandom;
beforeEach(async () => {
  run = await CrashRun.begin({ seed });
  random = new SeededRandom(seed, 'points');
});
afterEach(() => run.end());

async function dieAtEach(points: readonly KillPoint[], options?: KillOptions): Promise<number> {
  for (const point of points) await dieAt(run, point, random, options);
  return points.length;
}

/** A first life, so that the relay's first frame is not missed. */
async function connectFirst(): Promise<void> {
  await run.connect();
  run.relay.server.setRate(framesPerSecond);
  await run.until(() => run.subscribers.every(({ check }) => check.events > 0), 'events');
  await run.kill();
}

it('survives deaths while the log is created', async () => {
  const points = [
    ...killPointsOf('before during during during after', [1], 'blocks.open', 'blocks.put', 'journal.open'),
    ...killPointsOf('before during after', [1], 'blocks.read', 'journal.clear', 'journal.read'),
  ];
  for (const point of points) {
    await rm(run.dataDir, { recursive: true });
    await dieAt(run, point, random);
    // A normal life begins on what is left.
    await run.connect();
    await run.kill();
  }
  await run.connect();
  await run.relay.server.publish(3000);
  console.log(`kills at creation: ${points.length} kills, ${await run.finish()}`);
});

it('survives deaths at each step of a write', async () => {
  await connectFirst();
  const kills = await dieAtEach([
    ...killPointsOf('before during after', [1, 2, 9, 60], 'journal.put'),
    ...killPointsOf('before during after', [1, 2, 7], 'blocks.append'),
    ...killPointsOf('before during after', [1, 2], 'journal.remove'),
    ...killPointsOf('before during after', [1], 'journal.clear', 'journal.compact'),
    ...killPointsOf('before during after', [1], 'blocks.open', 'blocks.read', 'journal.open', 'journal.read'),
    // Only what the life before has left is written again, and full blocks pass the journal by.
    ...killPointsOf('after', [1], 'blocks.append'),
    ...killPointsOf('before during after', [1], 'blocks.redo'),
    ...killPointsOf('after', [9], 'journal.put'),
    ...killPointsOf('before during after', [1], 'journal.redo'),
    ...killPointsOf('before after', [1, 20], 'subscriber.write'),
  ]);
  console.log(`kills at writes: ${kills} kills, ${await run.finish()}`);
});

it('survives deaths while a segment is stored', async () => {
  await connectFirst();
  const { server } = run.relay;
  server.setRate(0);
  const points = killPointsOf('before during after', [1], 'blocks.segment');
  for (const [at, point] of points.entries()) {
    // The second finds all but the last block of the segment, which the first did not get to store.
    await dieAt(run, point, random, { meanwhile: () => server.publish(at === 1 ? 1000 : segmentFrames) });
  }
  console.log(`kills at segments: ${points.length} kills, ${await run.finish()}`);
});

it('survives deaths while LevelDB changes files', async () => {
  await connectFirst();
  const { server } = run.relay;
  // Small blocks for the journal, no more than the daemon keeps up with on any machine, for full ones pass it by; then bursts
  // that fill blocks and go to the store at once.
  server.setRate(framesPerSecond);
  const small = await dieAtEach(killPointsOf('after', [1, 1, 1], 'journal.rotation'));
  server.setRate(0);
  const meanwhile = (): Promise<void> => server.publish(rotationFrames);
  const large = await dieAtEach(killPointsOf('after', [1, 1], 'blocks.rotation'), { meanwhile });
  console.log(`kills at new files: ${small + large} kills, ${await run.finish()}`);
});

it('survives deaths while old events are deleted', async () => {
  await connectFirst();
  // The least that can be given: files are compacted when a sixteenth of it has been deleted.
  const options = { trimMs: 300, flags: ['--event-ttl', '3s', '--retention-bytes', '64MiB'] };
  const trims = await dieAtEach(killPointsOf('before during after', [1, 2], 'blocks.trim'), options);
  run.relay.server.setRate(2 * framesPerSecond);
  const compactions = await dieAtEach(killPointsOf('before during after', [1], 'blocks.compact'), options);
  console.log(`kills at deletes: ${trims + compactions} kills, ${await run.finish('trimmed')}`);
});

it('survives deaths while it stops', async () => {
  await connectFirst();
  // So that blocks are not full: full ones pass the journal by, and a daemon that is behind has no others.
  run.relay.server.setRate(framesPerSecond / 25);
  const stopUnderLoad = async (): Promise<void> => {
    const { daemon } = run;
    await run.caughtUp();
    const { events } = run.subscribers[0].check;
    await run.until(() => run.subscribers[0].check.events > events, 'events');
    void daemon?.stop();
  };
  const points = killPointsOf('before during after', [1], 'journal.move', 'journal.close', 'blocks.close');
  const kills = await dieAtEach(points, { meanwhile: stopUnderLoad });
  console.log(`kills at the stop: ${kills} kills, ${await run.finish()}`);
});

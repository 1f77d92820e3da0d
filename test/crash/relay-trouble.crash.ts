// Relays that misbehave, to one daemon that lives and to one that is killed meanwhile. Gaps that stay are the relay's:
// sequences that it left out, frames that its backlog had lost when the daemon came for them (ConsumerTooSlow,
// OutdatedCursor), and those between a start over with low sequences and the daemon's live connection.

import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { SeededRandom } from '../../lib/seeded-random.ts';
import { CrashRun } from './crash-run.ts';
import { startOver, troubleBacklogFrames, troubles } from './relay-trouble.ts';

const seed = process.env.CRASH_SEED ?? '1';
const framesPerSecond = 2500;
/** Each below the ones before, and far from them. */
const restartSeqs = [20_000_000_000, 1_000_000_000, 5_000_000, 1];

let run: CrashRun;
let random: SeededRandom;
beforeEach(async () => {
  run = await CrashRun.begin({ seed, backlogFrames: troubleBacklogFrames });
  random = new SeededRandom(seed, 'trouble');
  await run.connect();
  run.relay.server.setRate(framesPerSecond);
  await run.until(() => run.subscribers.every(({ check }) => check.events > 0), 'events');
});
afterEach(() => run.end());

/** All kinds of trouble, in another order each time. */
async function allTroubles(): Promise<void> {
  const names = Object.keys(troubles);
  while (names.length > 0) {
    const [name] = names.splice(random.int(names.length), 1);
    run.moment = `a relay that ${name}`;
    await troubles[name](run, random);
  }
}

it('takes every event once from a relay that misbehaves', async () => {
  for (const seq of restartSeqs.slice(0, 2)) {
    await allTroubles();
    run.moment = `a relay that starts over at ${seq}`;
    await startOver(run, seq, framesPerSecond);
  }
  await allTroubles();
  // The nonsense may be on its way when the next trouble cuts the connection: what it says need not arrive.
  const notices = [...(run.daemon?.notices ?? [])].filter((name) => name !== 'Unheard').sort();
  expect(notices).toEqual(
    expect.arrayContaining(['ConsumerTooSlow', 'OutdatedCursor', 'new_numbering', 'relay_gap']),
  );
  console.log(`trouble with a relay: ${await run.finish()}`);
});

it('takes every event once from a relay that misbehaves, in spite of kills', async () => {
  let kills = 0;
  for (const seq of restartSeqs) {
    const controller = new AbortController();
    const killing = killAtRandom(controller.signal).then((count) => {
      kills += count;
    });
    await Promise.all([allTroubles().finally(() => controller.abort()), killing]);
    run.moment = `a relay that starts over at ${seq}`;
    await startOver(run, seq, framesPerSecond);
  }
  console.log(`trouble with a relay and kills: ${kills} kills, ${await run.finish()}`);
});

/** Some lives end while they begin; the others have at least begun, however slow the machine is. */
async function killAtRandom(signal: AbortSignal): Promise<number> {
  let kills = 0;
  while (!signal.aborted) {
    if (random.chance(0.7)) await run.daemon?.started;
    await delay(random.between(20, 600));
    await run.kill();
    run.start();
    kills++;
  }
  return kills;
}

// A daemon between two relays that do all that relays do wrong, in any order, and that is killed meanwhile: in the end every commit
// that came is stored once, what is missing is covered by the ledger, and the ledger says nothing else. RELAY_SEED and RELAY_SECONDS
// choose the run.

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { SeededRandom } from '../../lib/seeded-random.ts';
import { Daemon } from './daemon.ts';
import { RelayWorld, type Row } from './relay-world.ts';

const seed = process.env.RELAY_SEED ?? String(Date.now() % 1_000_000);
const seconds = Number(process.env.RELAY_SECONDS ?? 60);
/** A relay that does not know our place is believed after 15 s or more; then the place is looked for. */
const settleMs = 90_000;

/** All events that are stored: those of each commit, and when the first of them was. */
async function storedIn(url: string): Promise<{ commits: Map<string, number>; twice: string[] }> {
  const commits = new Map<string, number>();
  const events = new Set<string>();
  const twice: string[] = [];
  for (let cursor = 0; ; ) {
    const response = await fetch(`${url}/events.ndjson?cursor=${cursor}&limit=10000`);
    const lines = (await response.text()).split('\n').filter((line) => line !== '');
    for (const line of lines) {
      const { did, time_us: timeUs, commit } = JSON.parse(line);
      cursor = timeUs + 1;
      if (commit === undefined) continue;
      const name = `${did} ${commit.rev}`;
      const event = `${name} ${commit.collection} ${commit.rkey}`;
      if (events.has(event)) twice.push(event);
      events.add(event);
      if (!commits.has(name)) commits.set(name, timeUs);
    }
    if (lines.length === 0) return { commits, twice };
  }
}

it(`every commit once, every hole in the ledger, and no other (RELAY_SEED=${seed})`, async () => {
  const random = new SeededRandom(seed, 'relay world');
  const dataDir = await mkdtemp(join(tmpdir(), 'slipstream-relays-'));
  await using world = await RelayWorld.begin(random);
  const start = (): Daemon => new Daemon({ dataDir, relayUrl: world.urls, flags: ['--workers', '0'] });
  let daemon = start();
  let kills = 0;
  try {
    await daemon.started;
    const endMs = performance.now() + seconds * 1000;
    while (performance.now() < endMs) {
      world.step();
      if (random.chance(0.04)) {
        await daemon.kill();
        kills++;
        daemon = start();
        if (random.chance(0.8)) await daemon.started;
      }
      await delay(random.chance(0.1) ? random.between(500, 3000) : random.between(1, 400));
    }
    const url = ((await daemon.started) as string).replace('ws:', 'http:');
    const [last, rows] = await settled(world, url);
    const { commits, twice } = await storedIn(url);
    const missing = world.made.filter((commit) => !commits.has(commit));
    const faults = JSON.stringify(Object.fromEntries(world.counts));
    console.log(
      `seed ${seed}: ${world.made.length} commits, ${missing.length} missing, ${rows.length} rows, ${kills} kills, ${faults}`,
    );
    expect(commits.has(last)).toBe(true);
    expect(twice).toEqual([]);
    expect(world.uncovered(commits, rows)).toEqual([]);
    const ofReason = (...reasons: string[]): number =>
      rows.filter(({ reason }) => reasons.includes(reason)).length;
    const anew = world.count('numbers anew') + world.count('numbers anew on the same connection');
    const leaps = anew + 2 * (world.count('leaves out numbers') + world.count('loses commits'));
    expect(ofReason('relay_gap')).toBeLessThanOrEqual(leaps);
    expect(ofReason('new_numbering', 'started_over', 'relay_changed')).toBeLessThanOrEqual(2 * anew);
    expect(rows.length).toBe(ofReason('relay_gap', 'new_numbering', 'started_over', 'relay_changed'));
  } finally {
    await daemon.kill();
    await rm(dataDir, { recursive: true });
  }
});

/** Both relays go on as they should, until the daemon has the newest commit. */
async function settled(world: RelayWorld, url: string): Promise<[string, Row[]]> {
  for (const relay of world.relays) {
    relay.isDown = false;
    relay.futureCursors = 0;
  }
  const endMs = performance.now() + settleMs;
  for (;;) {
    world.publish(20);
    const last = world.made.at(-12) as string;
    await delay(500);
    const cursor = (Date.now() - 10_000) * 1000;
    const text = await (await fetch(`${url}/events.ndjson?cursor=${cursor}&limit=10000`)).text();
    const [did, rev] = last.split(' ');
    if (text.includes(`"did":"${did}"`) && text.includes(`"rev":"${rev}"`)) {
      const { rows } = (await (await fetch(`${url}/coverage?limit=1000`)).json()) as { rows: Row[] };
      return [last, rows];
    }
    if (performance.now() > endMs)
      throw new Error(`the daemon does not follow any relay (RELAY_SEED=${seed})`);
  }
}

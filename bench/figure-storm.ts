// What a server does when ten thousand subscribers of a few accounts are cut off at once and come back with their cursors, as after a
// proxy's restart: how long until all are back, what a thousand live ones notice, and whether anybody has lost an event or had one twice.

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { didQueries } from './figure-filters.ts';
import { LoadClient } from './load.ts';
import { Process, TemporaryDirectory } from './processes.ts';
import { type Figure, figureOf, pick, type Sample } from './report.ts';
import { Rig } from './rig.ts';
import type { Session, SideKind } from './session.ts';
import type { StormCheck, StormResult } from './storm-client.ts';

/** Events a second. */
const rate = 500;
const size = { subscribers: 10_000, live: 1_000, storms: 3, frames: 2_000, accounts: 2_000, seconds: 10 };
const quickSize = { subscribers: 300, live: 20, storms: 1, frames: 300, accounts: 100, seconds: 3 };
const openMsMax = 10 * 60_000;

interface Run {
  readonly back: Sample;
  readonly half: Sample;
  readonly latency: Sample;
  readonly cpu: Sample;
  readonly wrong: Sample;
}

/** See the file comment. */
export async function stormFigures(session: Session): Promise<Figure[]> {
  const { subscribers, live, frames: count, accounts, storms } = session.quick ? quickSize : size;
  const frames = await session.makeFrames({ frames: count, accounts, historyRecords: 5 });
  const name = `storm, ${subscribers} subscribers of 3 DIDs beside ${live} live`;
  const peer = session.peer && (() => measure(session, 'peer', frames));
  const runs = await session.alternate(name, () => measure(session, 'node', frames), undefined, peer);
  session.note(
    `storm: ${rate} events/s; all are cut off at once, ${storms} times, and come back with their cursors, as fast as one process can open connections; the worst of the storms counts`,
  );
  session.note(
    'storm: live latency is that of the seconds from the cut on; cpu is the server’s in that time',
  );
  const row = (title: string, unit: string, read: (run: Run) => Sample): Figure =>
    figureOf(title, unit, 'lower', pick(runs, read));
  return [
    row(`${name}: all are back`, 's', ({ back }) => back),
    row('  half of them are back', 's', ({ half }) => half),
    row('  latency of the live ones, p99', 'ms', ({ latency }) => latency),
    row('  processor time', 'cpu ms/s', ({ cpu }) => cpu),
    row('  events lost or doubled', 'events', ({ wrong }) => wrong),
  ];
}

async function measure(
  session: Session,
  kind: SideKind,
  frames: Awaited<ReturnType<Session['makeFrames']>>,
): Promise<Run> {
  const { subscribers, live, storms, seconds } = session.quick ? quickSize : size;
  await using rig = await Rig.start(session, kind, { rate, frames });
  await using clients = await LoadClient.crowdAndProbe(rig.target, { connections: live });
  await using directory = await TemporaryDirectory.make();
  const path = join(directory.path, 'queries');
  writeFileSync(path, didQueries(frames, subscribers).join('\n'));
  await using crowd = Process.start('bench/storm-client.ts', [
    '--url',
    rig.target.url,
    '--queries-file',
    path,
  ]);
  await crowd.take((line) => (line === 'open' ? line : undefined), openMsMax);
  const worst = { last: 0, half: 0, p99: 0, cpu: Number.NaN };
  for (let round = 0; round < storms; round++) {
    await delay(seconds * 500);
    const cpuBefore = rig.target.process?.cpuSeconds();
    const latency = clients.probe.count(seconds);
    crowd.say('storm');
    const { lastMs, p50Ms, refused } = await crowd.json<StormResult>(openMsMax);
    const { p99Ms } = await latency;
    if (refused > 0) session.note(`storm: ${kind} refused or reset ${refused} attempts in a storm`);
    if (cpuBefore !== undefined) {
      const spent = (rig.target.process?.cpuSeconds() ?? Number.NaN) - cpuBefore;
      worst.cpu = Math.max(
        Number.isNaN(worst.cpu) ? 0 : worst.cpu,
        (spent * 1000) / Math.max(seconds, lastMs / 1000),
      );
    }
    worst.last = Math.max(worst.last, lastMs / 1000);
    worst.half = Math.max(worst.half, p50Ms / 1000);
    worst.p99 = Math.max(worst.p99, p99Ms ?? Number.POSITIVE_INFINITY);
  }
  await rig.feed.setRate(0);
  crowd.say('check');
  const { events, missing, doubled } = await crowd.json<StormCheck>(openMsMax);
  const sample = (value: number): Sample => ({ value, events });
  return {
    back: sample(worst.last),
    half: sample(worst.half),
    latency: sample(worst.p99),
    cpu: sample(worst.cpu),
    wrong: sample(missing + doubled),
  };
}

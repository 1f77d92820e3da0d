// What more cores add: live delivery with fan-out workers in place of one thread for everything, and whether those who are
// served slow the ingest of a backlog down.

import { setTimeout as delay } from 'node:timers/promises';
import { deliver, liveFigures } from './figure-fanout.ts';
import { LoadClient, loadOf, sampleOf } from './load.ts';
import { type Figure, figureOf, type Sample } from './report.ts';
import { Rig } from './rig.ts';
import type { Session } from './session.ts';

const liveWorkers = [0, 1, 2];
const ingestWorkers = [0, 1];
const quickWorkers = [1];

/** Live delivery and ingest with each number of workers; ours only. */
export async function workerFigures(session: Session): Promise<Figure[]> {
  if (!session.hasWorkers) {
    session.note('workers: left out, the daemon has no --workers');
    return [];
  }
  const subscribers = session.quick ? 20 : 1000;
  const load = { subscribers, rate: session.quick ? 500 : 2000, encoding: 'JSON' } as const;
  const figures: Figure[] = [];
  for (const workers of session.quick ? quickWorkers : liveWorkers) {
    const name = `${workers} workers: live, ${subscribers} x ${load.rate}`;
    const runs = await session.alternate(name, () => deliver(session, 'node', load, workers));
    figures.push(...liveFigures(name, runs));
  }
  for (const workers of session.quick ? quickWorkers : ingestWorkers) {
    for (const live of [0, subscribers]) {
      const name = `${workers} workers: ingest beside ${live} live`;
      const runs = await session.alternate(name, () => ingestBeside(session, workers, live));
      figures.push(figureOf(name, 'events/s', 'higher', runs));
    }
  }
  session.note('workers: the relay of the ingest rows has more than is taken; cpu is for one stored event');
  return figures;
}

/** Events stored a second, while the relay publishes as many as are taken. */
async function ingestBeside(session: Session, workers: number, subscribers: number): Promise<Sample> {
  const [warmup, seconds] = session.quick ? [0.3, 1] : [2, 6];
  await using rig = await Rig.start(session, 'node', { rate: Number.POSITIVE_INFINITY, workers });
  await using crowd =
    subscribers > 0 ? await LoadClient.crowd(rig.target, { connections: subscribers }) : undefined;
  await delay(warmup * 1000);
  const startMs = performance.now();
  const before = await rig.metric('log_stored_events');
  const load = await loadOf(rig.target, async () => {
    const counted = await (crowd?.count(seconds) ?? delay(seconds * 1000));
    const stored = (await rig.metric('log_stored_events')) - before;
    return {
      messages: stored,
      bytes: counted?.bytes ?? 0,
      seconds: (performance.now() - startMs) / 1000,
      coreShare: counted?.coreShare ?? 0,
      ended: counted?.ended ?? 0,
    };
  });
  return sampleOf(load, load.messages / load.seconds);
}

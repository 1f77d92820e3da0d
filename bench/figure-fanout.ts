// Live delivery to many unfiltered subscribers at a given rate of events: what arrives, what it costs the server, and
// how late one more subscriber sees events whose only job is to look at their time.

import { setTimeout as delay } from 'node:timers/promises';
import { defaultDictionaryId } from '../lib/codec/dictionary.ts';
import { LoadClient, loadOf, rateOf, sampleOf } from './load.ts';
import { type Figure, figureOf, pick, type Rounds, type Sample } from './report.ts';
import { Rig } from './rig.ts';
import type { Session, SideKind } from './session.ts';

/** A crowd and the events that it is sent. */
export interface LiveLoad {
  readonly subscribers: number;
  /** Events a second. */
  readonly rate: number;
  readonly encoding: Encoding;
}

export type Encoding = 'JSON' | 'zstd';

/** The part of a subscription's URL that asks for an encoding. */
export const encodingQueries: Readonly<Record<Encoding, string>> = {
  JSON: '',
  // What is stored; other servers have one dictionary, and ignore the name.
  zstd: `compress=true&zstdDictionary=${defaultDictionaryId}`,
};

const loads: readonly LiveLoad[] = [
  { subscribers: 100, rate: 500, encoding: 'JSON' },
  { subscribers: 100, rate: 2000, encoding: 'JSON' },
  { subscribers: 1000, rate: 500, encoding: 'JSON' },
  { subscribers: 1000, rate: 2000, encoding: 'JSON' },
  { subscribers: 1000, rate: 2000, encoding: 'zstd' },
];
const quickLoads: readonly LiveLoad[] = [{ subscribers: 20, rate: 500, encoding: 'zstd' }];

/** What one run says. */
export interface LiveRun {
  readonly deliveries: Sample;
  readonly p50: Sample;
  readonly p99: Sample;
}

/** Deliveries a second and latency under each load. */
export async function fanoutFigures(session: Session): Promise<Figure[]> {
  const figures: Figure[] = [];
  for (const load of session.quick ? quickLoads : loads) {
    const { subscribers, rate, encoding } = load;
    const name = `live ${encoding}, ${subscribers} x ${rate} events/s`;
    const runs = await session.eachSide(name, (kind) => deliver(session, kind, load));
    figures.push(...liveFigures(name, runs));
  }
  session.note("live: a row's cpu µs/event are of the server, for one delivery; ingest is in them");
  session.note(
    'live: latency is that of one JSON subscriber more; it begins where a server stamps an event, so what a server leaves with the relay is not in it',
  );
  return figures;
}

/** The rows of one load. */
export function liveFigures(name: string, runs: Rounds<LiveRun>): Figure[] {
  return [
    figureOf(
      name,
      'deliveries/s',
      'higher',
      pick(runs, (run) => run.deliveries),
    ),
    figureOf(
      '  latency, p50',
      'ms',
      'lower',
      pick(runs, (run) => run.p50),
    ),
    figureOf(
      '  latency, p99',
      'ms',
      'lower',
      pick(runs, (run) => run.p99),
    ),
  ];
}

/** Puts a load on a server. @param workers of our daemon, in place of those of the session. */
export async function deliver(
  session: Session,
  kind: SideKind,
  { subscribers, rate, encoding }: LiveLoad,
  workers?: number,
): Promise<LiveRun> {
  const [warmup, seconds] = session.quick ? [0.5, 1.5] : [3, 8];
  await using rig = await Rig.start(session, kind, { rate, ...(workers !== undefined && { workers }) });
  const { target } = rig;
  const query = encodingQueries[encoding];
  await using clients = await LoadClient.crowdAndProbe(target, { connections: subscribers, query });
  const { crowd, probe } = clients;
  await delay(warmup * 1000);
  const latency = probe.count(seconds);
  const load = await loadOf(target, () => crowd.count(seconds));
  const { p50Ms, p99Ms } = await latency;
  if (load.ended > 0) session.note(`live: ${kind} ended ${load.ended} of ${subscribers} connections`);
  return { deliveries: sampleOf(load, rateOf(load)), p50: sampleOf(load, p50Ms), p99: sampleOf(load, p99Ms) };
}

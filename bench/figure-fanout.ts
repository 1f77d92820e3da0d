// Live delivery to many unfiltered subscribers at a given rate of events: what arrives, what it costs the server, and
// how late one more subscriber sees events whose only job is to look at their time.

import type { LatencyResult, LoadResult } from './load-client.ts';
import { Process, TemporaryDirectory } from './processes.ts';
import { type Figure, figureOf, type Sample } from './report.ts';
import { Server, type ServerKind, startRelay } from './servers.ts';
import type { Session } from './session.ts';

const loads = [
  { subscribers: 100, rate: 500 },
  { subscribers: 100, rate: 2000 },
  { subscribers: 1000, rate: 500 },
  { subscribers: 1000, rate: 2000 },
] as const;
const quickLoads = [{ subscribers: 20, rate: 500 }] as const;
const answerMsMax = 120_000;

/** What one run says. */
interface Run {
  readonly deliveries: Sample;
  readonly p50: Sample;
  readonly p99: Sample;
}

/** Deliveries a second and latency under each load. */
export async function fanoutFigures(session: Session): Promise<Figure[]> {
  const figures: Figure[] = [];
  for (const { subscribers, rate } of session.quick ? quickLoads : loads) {
    const name = `live, ${subscribers} subscribers x ${rate} events/s`;
    const runs = { ours: [] as Run[], baseline: [] as Run[] };
    const measure = async (kind: ServerKind, into: Run[]): Promise<Sample> => {
      const run = await deliver(session, kind, subscribers, rate);
      into.push(run);
      return run.deliveries;
    };
    const deliveries = await session.alternate(
      name,
      () => measure('native', runs.ours),
      () => measure('baseline', runs.baseline),
    );
    figures.push(figureOf(name, 'deliveries/s', 'higher', deliveries));
    for (const quantile of ['p50', 'p99'] as const) {
      const of = (side: Run[]): Sample[] => side.map((run) => run[quantile]);
      const latency = { ours: of(runs.ours), baseline: of(runs.baseline) };
      figures.push(figureOf(`  latency, ${quantile}`, 'ms', 'lower', latency));
    }
  }
  session.note("live: a row's cpu µs/event are of the server, for one delivery; ingest is in them");
  session.note(
    'live: latency begins where a server stamps an event; what it leaves with the relay is not in it',
  );
  return figures;
}

async function deliver(session: Session, kind: ServerKind, subscribers: number, rate: number): Promise<Run> {
  const [warmup, seconds] = session.quick ? [0.5, 2] : [3, 8];
  const timing = ['--warmup-seconds', String(warmup), '--seconds', String(seconds)];
  const frames = await session.frames();
  await using directory = await TemporaryDirectory.make();
  await using relay = await startRelay(frames, { rate: frames.framesFor(rate) });
  await using server = await Server.start(kind, { relay, dataDir: directory.path });
  const url = ['--url', server.url];
  await using crowd = Process.start('bench/load-client.ts', [
    ...[...url, '--connections', String(subscribers), ...timing],
  ]);
  await crowd.take((line) => (line === 'counting' ? line : undefined), answerMsMax);
  const cpuBefore = server.process.cpuSeconds();
  // The looker warms up while the crowd is counted, and looks at the rest of that time.
  await using looker = Process.start('bench/load-client.ts', [
    ...[...url, '--latency', '--warmup-seconds', '0.5', '--seconds', String(seconds - 1)],
  ]);
  const load = await crowd.json<LoadResult>(answerMsMax);
  const cpuSeconds = server.process.cpuSeconds() - cpuBefore;
  const peakRssBytes = server.process.peakRssBytes();
  const latency = await looker.json<LatencyResult>(answerMsMax);
  const sampled = { events: latency.messages };
  return {
    deliveries: {
      value: load.messages / load.seconds,
      events: load.messages,
      bytes: load.bytes,
      cpuUsPerEvent: (cpuSeconds * 1e6) / load.messages,
      peakRssBytes,
    },
    p50: { value: latency.p50Ms, ...sampled },
    p99: { value: latency.p99Ms, ...sampled },
  };
}

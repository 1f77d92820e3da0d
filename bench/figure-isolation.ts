// What many replays at full speed do to live delivery and to ingest: the latency of a live subscriber, and whether the log
// keeps up with the relay, while a crowd is live and others replay the whole log over and over.

import { setTimeout as delay } from 'node:timers/promises';
import type { LatencyResult, LoadResult } from './load-client.ts';
import { Process, TemporaryDirectory } from './processes.ts';
import { type Figure, figureOf, type Sample } from './report.ts';
import { Server, type ServerKind, startRelay } from './servers.ts';
import type { Session } from './session.ts';

const answerMsMax = 180_000;

interface Run {
  readonly p50: Sample;
  readonly p99: Sample;
  readonly replayed: Sample;
  /** Events stored a second, of the relay's rate. */
  readonly ingest: Sample;
}

/** Latency of live delivery beside replays, ours and the baseline's. */
export async function isolationFigures(session: Session): Promise<Figure[]> {
  const size = session.quick
    ? { live: 20, replays: 4, rate: 500, backlog: 5_000 }
    : { live: 1000, replays: 100, rate: 500, backlog: session.events(200_000, 0) };
  const name = `${size.replays} replays beside ${size.live} live subscribers`;
  const runs = { ours: [] as Run[], baseline: [] as Run[] };
  const measure = async (kind: ServerKind, into: Run[]): Promise<Sample> => {
    const run = await crowd(session, kind, size);
    into.push(run);
    return run.p99;
  };
  const p99 = await session.alternate(
    name,
    () => measure('native', runs.ours),
    () => measure('baseline', runs.baseline),
  );
  const of = (key: keyof Run): { ours: Sample[]; baseline: Sample[] } => ({
    ours: runs.ours.map((run) => run[key]),
    baseline: runs.baseline.map((run) => run[key]),
  });
  session.note(
    `isolation: ${size.rate} events/s live, ${size.backlog} in the log before; cpu is the server's for one delivery`,
  );
  return [
    figureOf(`${name}: latency, p99`, 'ms', 'lower', p99),
    figureOf('  latency, p50', 'ms', 'lower', of('p50')),
    figureOf('  replayed meanwhile', 'events/s', 'higher', of('replayed')),
    figureOf('  ingest, of the rate', '%', 'higher', of('ingest')),
  ];
}

interface Size {
  readonly live: number;
  readonly replays: number;
  readonly rate: number;
  readonly backlog: number;
}

async function crowd(session: Session, kind: ServerKind, size: Size): Promise<Run> {
  const [warmup, seconds] = session.quick ? [0.5, 2] : [3, 10];
  const timing = ['--warmup-seconds', String(warmup), '--seconds', String(seconds)];
  const frames = await session.frames();
  // The baseline takes minutes for what we take seconds for; it replays a tenth, over and over.
  const backlog = kind === 'baseline' ? size.backlog / 10 : size.backlog;
  await using directory = await TemporaryDirectory.make();
  await using relay = await startRelay(frames, {
    rate: frames.framesFor(size.rate),
    backlog: frames.framesFor(backlog),
  });
  await using server = await Server.start(kind, { relay, dataDir: directory.path, cursor: 1 });
  await server.stored(backlog * 0.95);
  const url = ['--url', server.url];
  await using live = Process.start('bench/load-client.ts', [
    ...url,
    '--connections',
    String(size.live),
    ...timing,
  ]);
  await using replays = Process.start('bench/load-client.ts', [
    ...['--url', `${server.url}?cursor=0`, '--connections', String(size.replays), ...timing],
  ]);
  const counting = (line: string): string | undefined => (line === 'counting' ? line : undefined);
  await Promise.all([live.take(counting, answerMsMax), replays.take(counting, answerMsMax)]);
  const cpuBefore = server.process.cpuSeconds();
  const storedBefore = await server.metric('log_stored_events');
  const startMs = performance.now();
  await using looker = Process.start('bench/load-client.ts', [
    ...[...url, '--latency', '--warmup-seconds', '0.5', '--seconds', String(seconds - 1)],
  ]);
  await delay((seconds - 1) * 1000);
  const stored = (await server.metric('log_stored_events')) - storedBefore;
  const share = (stored / ((performance.now() - startMs) / 1000) / size.rate) * 100;
  const [liveLoad, replayLoad] = await Promise.all([
    live.json<LoadResult>(answerMsMax),
    replays.json<LoadResult>(answerMsMax),
  ]);
  const cpuSeconds = server.process.cpuSeconds() - cpuBefore;
  const latency = await looker.json<LatencyResult>(answerMsMax);
  const messages = liveLoad.messages + replayLoad.messages;
  const cost = { cpuUsPerEvent: (cpuSeconds * 1e6) / messages, peakRssBytes: server.process.peakRssBytes() };
  return {
    p50: { value: latency.p50Ms, events: latency.messages },
    p99: { value: latency.p99Ms, events: latency.messages, ...cost },
    replayed: {
      value: replayLoad.messages / replayLoad.seconds,
      events: replayLoad.messages,
      bytes: replayLoad.bytes,
    },
    ingest: { value: share, events: stored },
  };
}

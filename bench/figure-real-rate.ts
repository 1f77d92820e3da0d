// What a server takes at the network's real rate, with a dozen subscribers who want different things, half of them compressed:
// processor time by thread, waits and system calls, memory, what it writes, and how late events come. It is the daemon's usual day;
// the figures at full speed say little of it.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import type { LatencyResult } from './latency-probe.ts';
import { LoadClient } from './load.ts';
import type { LoadResult } from './load-client.ts';
import type { LocalProcess } from './local-process.ts';
import { type Figure, figureOf, pick, type Sample } from './report.ts';
import { Rig } from './rig.ts';
import type { Session, SideKind } from './session.ts';

/** Events a second. */
const rate = 500;
/**
 * A daemon runs for months. Code that runs 60 times a second is hot late: in the second minute V8 still optimizes a function a second,
 * which is 5 of 75 ms; after four it is seldom.
 */
const [warmupSeconds, seconds] = [240, 40];
const [quickWarmupSeconds, quickSeconds] = [0.5, 2];
/** How long system calls are counted, after everything else: it slows the process down. */
const traceSeconds = 4;
/** Of a dozen subscribers; a probe is the twelfth. */
export const realRateQueries = [
  'compress=true',
  '',
  'compress=true',
  'wantedCollections=app.bsky.feed.post',
  'wantedCollections=app.bsky.feed.post&compress=true',
  'wantedCollections=app.bsky.feed.like',
  'wantedCollections=app.bsky.feed.*&compress=true',
  'wantedCollections=app.bsky.graph.*',
  'wantedCollections=app.bsky.graph.follow&compress=true',
  'wantedCollections=app.bsky.actor.profile',
  'wantedCollections=app.bsky.feed.post&wantedCollections=app.bsky.feed.repost&compress=true',
];

/** What one turn of one side says, by the row of the table. */
type Run = ReadonlyMap<string, Sample>;

/** Rows, in order, with their unit. What is known of one side alone is left out on the others. */
const rows: readonly (readonly [name: string, unit: string])[] = [
  [`real rate, ${rate}/s to ${realRateQueries.length + 1} subscribers`, 'cpu ms/s'],
  ['  of it the main thread', 'cpu ms/s'],
  ['  waits, all threads', 'per second'],
  ['  system calls', 'per second'],
  ['  resident', 'MiB'],
  ['  anonymous', 'MiB'],
  ['  latency, p50', 'ms'],
  ['  latency, p99', 'ms'],
  ['  latency from the relay, p50', 'ms'],
  ['  latency from the relay, p99', 'ms'],
  ['  written', 'bytes/event'],
];

/** See the file comment. */
export async function realRateFigures(session: Session): Promise<Figure[]> {
  const runs = await session.eachSide(rows[0][0], (kind) => measure(session, kind));
  session.note(
    `real rate: cpu µs/event are of the server for one event; latency begins at time_us, or where the relay published (identity and account events)`,
  );
  session.note(
    "real rate: written is write_bytes of the server's process; the disk's own and the file system's are not in it",
  );
  return rows
    .filter(([name]) => runs.ours.every((run) => run.has(name)))
    .map(([name, unit]) => {
      const known = (side: readonly Run[] = []): Run[] => side.filter((run) => run.has(name));
      const { ours, baseline, peer } = runs;
      const measured = { ours: known(ours), baseline: known(baseline), peer: known(peer) };
      return figureOf(
        name,
        unit,
        'lower',
        pick(measured, (run) => run.get(name) as Sample),
      );
    });
}

async function measure(session: Session, kind: SideKind): Promise<Run> {
  await using rig = await Rig.start(session, kind, { rate });
  await using clients = await LoadClient.crowdAndProbe(rig.target, { queries: realRateQueries });
  await delay((session.quick ? quickWarmupSeconds : warmupSeconds) * 1000);
  const { process } = rig.target;
  const spent = process && spending(process);
  const counted = session.quick ? quickSeconds : seconds;
  const eventsBefore = await rig.feed.publishedEvents();
  const [load, latency] = await Promise.all([clients.crowd.count(counted), clients.probe.count(counted)]);
  const events = (await rig.feed.publishedEvents()) - eventsBefore;
  const found = [
    ...(spent?.(load.seconds, events) ?? Array<undefined>(7)).slice(0, 3),
    process && (await systemCallsOf(process)),
    process && process.rssBytes() / 2 ** 20,
    process && process.anonymousBytes() / 2 ** 20,
    ...latencies(latency),
    spent?.(load.seconds, events)[3],
  ];
  // Other runtimes have no thread of that meaning.
  if (kind === 'peer') found[1] = undefined;
  return samplesOf(new Map(rows.map(([name], at) => [name, found[at]])), events, load);
}

function latencies({ p50Ms, p99Ms, relayP50Ms, relayP99Ms }: LatencyResult): (number | undefined)[] {
  return [p50Ms, p99Ms, relayP50Ms, relayP99Ms].map((ms) => ms ?? undefined);
}

/** Processor time, all and the main thread's, and waits, a second; bytes written for an event: since this is called. */
function spending(
  process: LocalProcess,
): (seconds: number, events: number) => [number, number, number, number] {
  const main = (): number => process.threadSeconds().get('main') ?? Number.NaN;
  const read = (): number[] => [
    process.cpuSeconds() * 1000,
    main() * 1000,
    process.waits(),
    process.writtenBytes(),
  ];
  const before = read();
  let spent: number[] | undefined;
  return (seconds, events) => {
    spent ??= read().map((value, at) => value - before[at]);
    const [cpu, mainCpu, waits, written] = spent;
    return [cpu / seconds, mainCpu / seconds, waits / seconds, written / events];
  };
}

function samplesOf(values: ReadonlyMap<string, number | undefined>, events: number, load: LoadResult): Run {
  const samples = new Map<string, Sample>();
  for (const [name, value] of values) {
    if (value === undefined || Number.isNaN(value)) continue;
    const isFirst = name === rows[0][0];
    const cpuUsPerEvent = (value * 1000 * load.seconds) / events;
    samples.set(name, { value, events, ...(isFirst && { cpuUsPerEvent, loadCoreShare: load.coreShare }) });
  }
  return samples;
}

/** System calls a second, by strace; undefined where there is none, or it may not look. */
async function systemCallsOf({ pid }: LocalProcess): Promise<number | undefined> {
  const tracer = spawn('strace', ['-c', '-f', '-qq', '-p', String(pid)], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let text = '';
  tracer.stderr.setEncoding('latin1').on('data', (part: string) => {
    text += part;
  });
  const closed = once(tracer, 'close').catch(() => undefined);
  await Promise.race([delay(traceSeconds * 1000), closed]);
  tracer.kill('SIGINT');
  await closed;
  // The columns: % of time, seconds, µs a call, calls, errors if there are any, and the name.
  const total = /^\s*100\.00\s+\S+\s+\S+\s+(\d+)\s.*total$/m.exec(text)?.[1];
  return total === undefined ? undefined : Number(total) / traceSeconds;
}

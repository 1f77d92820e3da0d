// A server on a machine of 128 MB and half a core: what the network's rate takes of it with a dozen subscribers, and how long it takes to
// catch up with what the relay has kept while it was stopped. It has to live through both.

import { setTimeout as delay } from 'node:timers/promises';
import { realRateQueries } from './figure-real-rate.ts';
import { LoadClient } from './load.ts';
import { TemporaryDirectory } from './processes.ts';
import { type Figure, figureOf, pick, type Sample } from './report.ts';
import { Relay, type Server } from './servers.ts';
import type { Session, SideKind } from './session.ts';
import { SmallMachine } from './small-machine.ts';

/** Events a second. */
const rate = 500;
const memoryBytes = 128 * 2 ** 20;
const cores = 0.5;
const [warmupSeconds, seconds] = [10, 30];
const [quickWarmupSeconds, quickSeconds] = [1, 3];
/** What an hour brings. */
const [missedEvents, quickMissedEvents] = [rate * 3600, 10_000];
/** Of it; the rest is on its way. */
const storedShare = 0.99;

interface Run {
  readonly stored: Sample;
  readonly cpu: Sample;
  readonly resident: Sample;
  readonly anonymous: Sample;
  readonly p50: Sample;
  readonly p99: Sample;
  readonly caughtUp: Sample;
  readonly peak: Sample;
}

/** See the file comment. */
export async function smallMachineFigures(session: Session): Promise<Figure[]> {
  const name = `small machine, ${memoryBytes / 2 ** 20} MB and ${cores} cores`;
  const probe = SmallMachine.make(memoryBytes, cores);
  if (probe === undefined) {
    session.note('small machine: left out, no control groups can be made here');
    return [];
  }
  await probe[Symbol.asyncDispose]();
  const missed = session.events(missedEvents, quickMissedEvents);
  const runs = await session.alternate(name, () => measure(session, 'node', missed));
  session.note(
    `small machine: ${rate} events/s to ${realRateQueries.length + 1} subscribers; then it is stopped, the relay publishes ${missed} events, and it is started again with subscribers that wait for it`,
  );
  const row = (title: string, unit: string, better: Figure['better'], read: (run: Run) => Sample): Figure =>
    figureOf(title, unit, better, pick(runs, read));
  return [
    row(`${name}: stored, of the rate`, '%', 'higher', ({ stored }) => stored),
    row('  processor time', 'cpu ms/s', 'lower', ({ cpu }) => cpu),
    row('  resident', 'MiB', 'lower', ({ resident }) => resident),
    row('  anonymous', 'MiB', 'lower', ({ anonymous }) => anonymous),
    row('  latency, p50', 'ms', 'lower', ({ p50 }) => p50),
    row('  latency, p99', 'ms', 'lower', ({ p99 }) => p99),
    row('  caught up with what it missed', 'events/s', 'higher', ({ caughtUp }) => caughtUp),
    row('  anonymous meanwhile, at most', 'MiB', 'lower', ({ peak }) => peak),
  ];
}

async function measure(session: Session, kind: Exclude<SideKind, 'peer'>, missed: number): Promise<Run> {
  const [warmup, counted] = session.quick ? [quickWarmupSeconds, quickSeconds] : [warmupSeconds, seconds];
  const frames = await session.frames();
  await using machine = SmallMachine.make(memoryBytes, cores) as SmallMachine;
  await using directory = await TemporaryDirectory.make();
  await using relay = await Relay.start(frames, { rate: frames.framesFor(rate) });
  const start = (): Promise<Server> =>
    machine.within(() => session.start(kind, { relay, dataDir: directory.path }));
  const usual = await (async () => {
    await using server = await start();
    await using clients = await LoadClient.crowdAndProbe(server, { queries: realRateQueries });
    await delay(warmup * 1000);
    const before = { cpu: server.process.cpuSeconds(), stored: await server.metric('log_stored_events') };
    const eventsBefore = await relay.publishedEvents();
    const startMs = performance.now();
    const latency = await clients.probe.count(counted);
    const took = (performance.now() - startMs) / 1000;
    const events = (await relay.publishedEvents()) - eventsBefore;
    const sample = (value: number): Sample => ({ value, events });
    return {
      stored: sample((((await server.metric('log_stored_events')) - before.stored) / events) * 100),
      cpu: sample(((server.process.cpuSeconds() - before.cpu) * 1000) / took),
      resident: sample(server.process.rssBytes() / 2 ** 20),
      anonymous: sample(server.process.anonymousBytes() / 2 ** 20),
      p50: sample(latency.p50Ms ?? Number.NaN),
      p99: sample(latency.p99Ms ?? Number.NaN),
    };
  })();
  await relay.setRate(0);
  const stored = await relay.publishedEvents();
  await relay.publish(frames.framesFor(missed));
  await relay.setRate(frames.framesFor(rate));
  const after = await catchUp(session, relay, start, stored, missed);
  const ended = machine.outOfMemory();
  if (ended > 0) throw new Error(`small machine: ${ended} processes were ended for want of memory`);
  return { ...usual, ...after };
}

/** From the start of the process on. */
async function catchUp(
  session: Session,
  relay: Relay,
  start: () => Promise<Server>,
  stored: number,
  missed: number,
): Promise<Pick<Run, 'caughtUp' | 'peak'>> {
  const startMs = performance.now();
  await using server = await start();
  await using clients = await LoadClient.crowdAndProbe(server, { queries: realRateQueries });
  let peak = 0;
  const wanted = stored + missed * storedShare;
  const looking = setInterval(() => {
    peak = Math.max(peak, server.process.anonymousBytes());
  }, 200);
  try {
    await server.stored(wanted);
  } finally {
    clearInterval(looking);
  }
  const took = (performance.now() - startMs) / 1000;
  await clients.probe.count(session.quick ? 1 : 5);
  await relay.setRate(0);
  const sample = (value: number): Sample => ({ value, events: missed });
  return { caughtUp: sample(missed / took), peak: sample(peak / 2 ** 20) };
}

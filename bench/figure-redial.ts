// Ten thousand subscribers to a quiet account each, who come back every minute with their cursor: what that costs, how long their
// handshakes and events take, and that nobody misses an event or gets it twice. In the columns of the plain server is our own first wire.

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { eventsOf } from '../simulator/lib/synthetic-frame.ts';
import { Process, TemporaryDirectory } from './processes.ts';
import type { RedialResult } from './redial-client.ts';
import type { RelayFrames } from './relay-frames.ts';
import { type Figure, figureOf, pick, type Sample } from './report.ts';
import { Rig } from './rig.ts';
import { onSecondWire } from './servers.ts';
import type { Session } from './session.ts';

const usual = { subscribers: 10_000, everyMs: 60_000, seconds: 190, rate: 100 };
const quick = { subscribers: 200, everyMs: 3_000, seconds: 6, rate: 200 };
/** Accounts enough that each is quiet. */
const network = { frames: 3_000, accounts: 1_000, historyRecords: 2 };
const quickNetwork = { frames: 500, accounts: 200, historyRecords: 2 };
const openMsMax = 900_000;
const lateMsMax = 120_000;

interface Run extends RedialResult {
  /** Milliseconds of the server's processor time a second. */
  readonly cpuMs: number;
}

/** All of them. */
export async function redialFigures(session: Session): Promise<Figure[]> {
  const { subscribers, everyMs, rate } = session.quick ? quick : usual;
  session.note("redial: the plain server's columns are our own first wire; cpu ms/s is all of the server's");
  const frames = await session.makeFrames(session.quick ? quickNetwork : network);
  const name = `redial, ${subscribers} every ${everyMs / 1000} s, ${rate} events/s`;
  const runs = await session.alternate(
    name,
    () => measure(session, frames, true),
    () => measure(session, frames, false),
  );
  const figure = (label: string, unit: string, value: (run: Run) => number): Figure => {
    const sample = (run: Run): Sample => ({
      value: value(run),
      events: run.events,
      loadCoreShare: run.coreShare,
    });
    return figureOf(label, unit, 'lower', pick(runs, sample));
  };
  return [
    figure(name, 'cpu ms/s', ({ cpuMs }) => cpuMs),
    figure('  handshake, p99', 'ms', ({ dialP99Ms }) => dialP99Ms),
    figure('  handshake, longest', 'ms', ({ dialMaxMs }) => dialMaxMs),
    figure('  event, p99', 'ms', ({ lateP99Ms }) => lateP99Ms),
    figure('  event, latest', 'ms', ({ lateMaxMs }) => lateMaxMs),
  ];
}

/** @throws when an event did not come, or came twice. */
async function measure(session: Session, frames: RelayFrames, isSecondWire: boolean): Promise<Run> {
  const { subscribers, everyMs, seconds, rate } = session.quick ? quick : usual;
  await using rig = await Rig.start(session, 'node', { rate, frames });
  await using directory = await TemporaryDirectory.make();
  const dids = [...new Set([...frames.once()].filter((frame) => eventsOf(frame) > 0).map(({ did }) => did))];
  const path = join(directory.path, 'dids');
  writeFileSync(path, Array.from({ length: subscribers }, (_, at) => dids[at % dids.length]).join('\n'));
  const target = isSecondWire ? onSecondWire(rig.target) : rig.target;
  await using crowd = Process.start('bench/redial-client.ts', [
    ...['--url', target.url, '--parameter', isSecondWire ? 'dids' : 'wantedDids'],
    ...['--dids-file', path, '--every-ms', String(everyMs)],
  ]);
  await crowd.take((line) => line === 'open' || undefined, openMsMax);
  const before = target.process?.cpuSeconds() ?? Number.NaN;
  crowd.say(`count ${seconds}`);
  await crowd.take((line) => line === 'counted' || undefined, seconds * 1000 + lateMsMax);
  const cpuMs = (((target.process?.cpuSeconds() ?? Number.NaN) - before) * 1000) / seconds;
  const result = await crowd.json<RedialResult>(lateMsMax);
  const { redials, retries, doubled, lost } = result;
  if (retries > 0)
    session.note(`redial: ${retries} attempts and connections came to nothing, and were made again`);
  if (doubled + lost > 0 || redials === 0) {
    throw new Error(
      `of ${result.events} events ${lost} were lost and ${doubled} came twice, in ${redials} redials`,
    );
  }
  return { ...result, cpuMs };
}

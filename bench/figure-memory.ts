// Memory of a server with many subscribers for whom nothing comes, with some who take nothing of what comes, and after all
// have gone.

import { setTimeout as delay } from 'node:timers/promises';
import { LoadClient } from './load.ts';
import { type Figure, figureOf, type Measured, type Rounds, type Sample } from './report.ts';
import { Rig } from './rig.ts';
import type { ServerKind } from './servers.ts';
import type { Session } from './session.ts';

/** Events a second. */
const rate = 500;
/** Events that fill the blocks held in memory, so that these do not grow meanwhile. */
const backlog = 100_000;

interface Size {
  /** Idle subscribers at first; as many stall later. */
  readonly some: number;
  readonly all: number;
  readonly backlog: number;
  readonly settleSeconds: number;
  readonly stallSeconds: number;
}

/** What is measured, at one moment. */
interface Moment {
  /** Mebibytes that are resident. */
  readonly rss: Sample;
  /** Mebibytes of the JavaScript heap that are in use. */
  readonly heap: Sample;
}

/** The moments of a run, in their order; the baseline has no `stalled`. */
type Stage = 'none' | 'some' | 'all' | 'stalled' | 'gone';
type Run = Partial<Record<Stage, Moment>>;

/** Resident memory and heap at each moment. */
export async function memoryFigures(session: Session): Promise<Figure[]> {
  const size: Size = session.quick
    ? { some: 50, all: 200, backlog: 5_000, settleSeconds: 0.3, stallSeconds: 1 }
    : { some: 1_000, all: 10_000, backlog, settleSeconds: 3, stallSeconds: 10 };
  const { some, all, stallSeconds } = size;
  const runs = await session.alternate(
    'memory',
    () => grow(session, 'node', size),
    () => grow(session, 'baseline', size),
  );
  session.note(
    `memory: ${size.backlog} events before, ${rate} a second meanwhile; the heap is the main thread's, with what nobody has collected yet`,
  );
  session.note('memory: the baseline is spared those who stall, for it keeps all that they do not take');
  return [
    ...momentFigures('memory, no subscriber', runs, 'none'),
    ...momentFigures(`memory, ${some} idle subscribers`, runs, 'some'),
    ...momentFigures(`memory, ${all} idle subscribers`, runs, 'all'),
    figureOf('  for one of them', 'KiB RSS', 'lower', perSubscriber(runs, all)),
    ...momentFigures(`memory, ${some} of them stalled ${stallSeconds} s`, runs, 'stalled'),
    ...momentFigures('memory, all gone', runs, 'gone'),
  ];
}

async function grow(session: Session, kind: ServerKind, size: Size): Promise<Run> {
  await using rig = await Rig.start(session, kind, { rate, backlog: size.backlog });
  const measure = async (seconds: number): Promise<Moment> => {
    await delay(seconds * 1000);
    return momentOf(rig);
  };
  const none = await measure(size.settleSeconds);
  const queries = Array.from({ length: size.all }, (_, at) => `wantedDids=${nobody(at)}`);
  const first = await LoadClient.crowd(rig.target, { queries: queries.slice(0, size.some) });
  const some = await measure(size.settleSeconds);
  await using rest = await LoadClient.crowd(rig.target, { queries: queries.slice(size.some) });
  const all = await measure(size.settleSeconds);
  await first[Symbol.asyncDispose]();
  let stalled: Moment | undefined;
  if (kind !== 'baseline') {
    await using _stalled = await LoadClient.crowd(rig.target, { connections: size.some, stalled: true });
    stalled = await measure(size.stallSeconds);
  }
  await rest[Symbol.asyncDispose]();
  return { none, some, all, ...(stalled && { stalled }), gone: await measure(size.settleSeconds) };
}

/** The DID of an account that never writes. */
function nobody(at: number): string {
  return `did:plc:${at.toString(2).replaceAll('0', 'a').replaceAll('1', 'b').padStart(24, 'z')}`;
}

async function momentOf(rig: Rig): Promise<Moment> {
  const { process } = rig.target;
  const rss = process?.rssBytes() ?? Number.NaN;
  const heap = await rig.metric('nodejs_heap_size_used_bytes');
  const events = await rig.metric('log_stored_events');
  const sample = (bytes: number): Sample => ({ value: bytes / 2 ** 20, events, bytes });
  const peakRssBytes = process?.peakRssBytes() ?? Number.NaN;
  return { rss: { ...sample(rss), peakRssBytes }, heap: sample(heap) };
}

function momentFigures(name: string, { ours, baseline = [] }: Rounds<Run>, stage: Stage): Figure[] {
  const measured = (key: keyof Moment): Measured => ({
    ours: ours.flatMap((run) => run[stage]?.[key] ?? []),
    baseline: baseline.flatMap((run) => run[stage]?.[key] ?? []),
  });
  return [
    figureOf(name, 'MiB RSS', 'lower', measured('rss')),
    figureOf('  heap', 'MiB', 'lower', measured('heap')),
  ];
}

/** What `subscribers` added to the resident memory, for each. */
function perSubscriber({ ours, baseline = [] }: Rounds<Run>, subscribers: number): Measured {
  const sample = ({ none, all }: Run): Sample[] => {
    if (none === undefined || all === undefined) return [];
    const bytes = (all.rss.bytes ?? 0) - (none.rss.bytes ?? 0);
    return [{ value: bytes / subscribers / 1024, events: subscribers, bytes }];
  };
  return { ours: ours.flatMap(sample), baseline: baseline.flatMap(sample) };
}

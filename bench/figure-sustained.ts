// The highest rate of events that a thousand unfiltered subscribers can be sent: the relay goes faster step by step, until
// not all is delivered any more or it comes late.

import { setTimeout as delay } from 'node:timers/promises';
import { type Encoding, encodingQueries } from './figure-fanout.ts';
import { type CrowdAndProbe, type Load, LoadClient, loadOf, rateOf, sampleOf } from './load.ts';
import { type Figure, figureOf, pick, type Sample } from './report.ts';
import { Rig } from './rig.ts';
import type { Session, SideKind } from './session.ts';

/** Events a second, one step after the other. */
const rates = [
  100, 150, 200, 300, 400, 500, 750, 1000, 1500, 2000, 2500, 3000, 3500, 4000, 5000, 6000, 7000, 8000, 10_000,
  12_000, 15_000, 20_000, 30_000,
] as const;
const quickRates = [500, 750] as const;
/** What ours starts with: the steps below are the baseline's. */
const oursFirstRate = 1000;
/** Of what the relay has published, for every subscriber. */
const deliveredShareMin = 0.99;
/** Of the rate that the relay was told: below, it is the relay that cannot. */
const publishedShareMin = 0.95;
const p99MsMax = 1000;

/** The last step that was good. */
interface Sustained {
  readonly rate: Sample;
  readonly p99: Sample;
}

/** Highest sustained rates of both encodings. */
export async function sustainedFigures(session: Session): Promise<Figure[]> {
  const subscribers = session.quick ? 20 : 1000;
  const figures: Figure[] = [];
  for (const encoding of session.quick ? (['JSON'] as const) : (['JSON', 'zstd'] as const)) {
    const name = `sustained ${encoding}, ${subscribers} subscribers`;
    const climbWith = (kind: SideKind): Promise<Sustained> => climb(session, kind, subscribers, encoding);
    const runs = await session.alternate(
      name,
      () => climbWith('node'),
      () => climbWith('baseline'),
      session.peer?.readsOurs ? () => climbWith('peer') : undefined,
    );
    figures.push(
      figureOf(
        name,
        'events/s',
        'higher',
        pick(runs, ({ rate }) => rate),
      ),
    );
    figures.push(
      figureOf(
        '  latency there, p99',
        'ms',
        'lower',
        pick(runs, ({ p99 }) => p99),
      ),
    );
  }
  session.note(
    `sustained: the last rate at which ${deliveredShareMin * 100} % is delivered and p99 is at most ${p99MsMax} ms; cpu is the server's for one delivery, the load generator's share that of the busiest step, the failed one included`,
  );
  return figures;
}

async function climb(
  session: Session,
  kind: SideKind,
  subscribers: number,
  encoding: Encoding,
): Promise<Sustained> {
  const steps = session.quick ? quickRates : rates.filter((rate) => kind !== 'node' || rate >= oursFirstRate);
  await using rig = await Rig.start(session, kind, { rate: steps[0] });
  const query = encodingQueries[encoding];
  await using clients = await LoadClient.crowdAndProbe(rig.target, { connections: subscribers, query });
  let good: Step | undefined;
  let loadCoreShare = 0;
  for (const rate of steps) {
    await rig.feed.setRate(rate);
    // Once more: a moment in which the machine did something else is not the server's limit.
    let step = await measure(session, rig, clients);
    if (!isGood(step, rate, subscribers)) step = await measure(session, rig, clients);
    loadCoreShare = Math.max(loadCoreShare, step.load.coreShare);
    if (!isGood(step, rate, subscribers)) break;
    good = step;
  }
  if (good === undefined) {
    session.note(`sustained: ${kind} failed at the first rate, ${steps[0]} events/s`);
    return { rate: { value: 0, events: 0 }, p99: { value: 0, events: 0 } };
  }
  const { load, eventsPerSecond, p99Ms } = good;
  return {
    rate: { ...sampleOf(load, eventsPerSecond), loadCoreShare },
    p99: sampleOf(load, p99Ms),
  };
}

interface Step {
  readonly load: Load;
  /** Published by the relay. */
  readonly eventsPerSecond: number;
  readonly p99Ms: number;
}

async function measure(
  session: Session,
  { target, feed }: Rig,
  { crowd, probe }: CrowdAndProbe,
): Promise<Step> {
  const [settle, seconds] = session.quick ? [0.3, 0.7] : [1.5, 4];
  await delay(settle * 1000);
  const startMs = performance.now();
  const before = await feed.publishedEvents();
  const latency = probe.count(seconds);
  const load = await loadOf(target, () => crowd.count(seconds));
  const published = (await feed.publishedEvents()) - before;
  const eventsPerSecond = published / ((performance.now() - startMs) / 1000);
  // Of no event at all: later than anything.
  const { p99Ms } = await latency;
  return { load, eventsPerSecond, p99Ms: p99Ms ?? Number.POSITIVE_INFINITY };
}

function isGood({ load, eventsPerSecond, p99Ms }: Step, rate: number, subscribers: number): boolean {
  const delivered = rateOf(load) / subscribers;
  return (
    delivered >= eventsPerSecond * deliveredShareMin &&
    eventsPerSecond >= rate * publishedShareMin &&
    p99Ms <= p99MsMax
  );
}

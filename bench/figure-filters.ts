// Live delivery to many subscribers who each want something else: a few accounts, what points at a few accounts, or one
// collection, at the network's rate.
// What it costs should follow what is delivered; so beside it stands what the same events cost without subscribers.

import { setTimeout as delay } from 'node:timers/promises';
import { CollectionMix, defaultWeights } from '../simulator/lib/collection-mix.ts';
import { eventsOf } from '../simulator/lib/synthetic-frame.ts';
import { LoadClient, loadOf, rateOf, sampleOf } from './load.ts';
import type { RelayFrames } from './relay-frames.ts';
import { type Figure, figureOf, pick, type Sample } from './report.ts';
import { Rig } from './rig.ts';
import type { Session, SideKind } from './session.ts';
import { subjectEventsOf } from './subject-events.ts';

/** Events a second. */
const rate = 500;
/** Times through the frames, while it is counted: 9 seconds. */
const rounds = 2;
const quickRounds = 1;
const counts = [100, 1_000, 10_000] as const;
const quickCounts = [200] as const;
const wantedAccounts = 3;
/** Accounts enough that each is quiet, and collections enough for everybody to want one of their own. */
const network = { accounts: 2_000, historyRecords: 10 };
const quickNetwork = { accounts: 100, historyRecords: 5 };
const madeUpCollections = 10_000;
/** Of all writes, how many go to those. */
const madeUpShare = 0.5;
/** Of what matches; below, a note says so. */
const deliveredShareMin = 0.95;

/** One way to want something of one's own. */
interface Wish {
  readonly name: string;
  /** Whether the baseline can be asked for it. */
  readonly isPlain: boolean;
  /** Queries of `count` subscribers, each with another filter. */
  queries(count: number): string[];
  /** Events that match, summed over the subscribers, of each event that there is. */
  matchesPerEvent(count: number): number;
}

interface Run {
  /** Milliseconds of the server's processor time a second. */
  readonly cpu: Sample;
  readonly deliveries: Sample;
}

/** Cost of an idle server, then of growing crowds of each kind. */
export async function filterFigures(session: Session): Promise<Figure[]> {
  const mix = new CollectionMix(manyCollections());
  const frames = await session.makeFrames(
    session.quick ? { frames: 300, mix, ...quickNetwork } : { frames: 2_000, mix, ...network },
  );
  const idle = `filters, no subscriber, ${rate} events/s`;
  const idleRuns = await session.alternate(
    idle,
    () => measure(session, 'node', frames, [], 0),
    () => measure(session, 'baseline', frames, [], 0),
  );
  const figures = [
    figureOf(
      idle,
      'cpu ms/s',
      'lower',
      pick(idleRuns, ({ cpu }) => cpu),
    ),
  ];
  for (const wish of [didWish(frames), await subjectWish(frames), collectionWish(frames)]) {
    for (const count of session.quick ? quickCounts : counts) {
      const name = `filters, ${count} x ${wish.name}`;
      const queries = wish.queries(count);
      const expected = wish.matchesPerEvent(count) * rate;
      const runs = await session.alternate(
        name,
        () => measure(session, 'node', frames, queries, expected),
        wish.isPlain ? () => measure(session, 'baseline', frames, queries, expected) : undefined,
      );
      figures.push(
        figureOf(
          name,
          'cpu ms/s',
          'lower',
          pick(runs, ({ cpu }) => cpu),
        ),
        figureOf(
          '  delivered',
          'deliveries/s',
          'higher',
          pick(runs, ({ deliveries }) => deliveries),
        ),
      );
    }
  }
  session.note(
    `filters: ${rate} events/s; cpu ms/s is all of the server's, ingest included, and cpu µs/event the same for one delivery; the row without subscribers is for one event`,
  );
  session.note(
    'filters: subjects are accounts that records point at; the baseline knows none. Deletions come too where their record is known',
  );
  session.note('filters: events without a collection pass every collection filter, as in v1');
  return figures;
}

async function measure(
  session: Session,
  kind: SideKind,
  frames: RelayFrames,
  queries: readonly string[],
  expected: number,
): Promise<Run> {
  const warmup = session.quick ? 0.5 : 3;
  // Every frame as often as every other: the rare ones go to everybody.
  const seconds = ((session.quick ? quickRounds : rounds) * frames.pool.eventsPerRound) / rate;
  await using rig = await Rig.start(session, kind, { rate, frames });
  // Without subscribers nobody connects: the idle server is measured for as long.
  await using crowd = queries.length > 0 ? await LoadClient.crowd(rig.target, { queries }) : undefined;
  await delay(warmup * 1000);
  const load = await loadOf(rig.target, async () => {
    if (crowd !== undefined) return crowd.count(seconds);
    await delay(seconds * 1000);
    return { messages: Math.round(rate * seconds), bytes: 0, seconds, coreShare: 0, ended: 0 };
  });
  const deliveries = rateOf(load);
  if (deliveries < expected * deliveredShareMin) {
    session.note(
      `filters: ${kind} delivered ${deliveries.toFixed(0)} of ${expected.toFixed(0)} a second that match for ${queries.length} subscribers`,
    );
  }
  const cpuMs = ((load.cpuSeconds ?? Number.NaN) * 1000) / load.seconds;
  return { cpu: sampleOf(load, cpuMs), deliveries: sampleOf(load, deliveries) };
}

/** The usual collections, and made-up ones that nearly nobody writes to. */
function manyCollections(): Record<string, number> {
  const weights = defaultWeights();
  const usual = Object.values(weights).reduce((sum, weight) => sum + weight, 0);
  const each = (usual * madeUpShare) / (1 - madeUpShare) / madeUpCollections;
  for (let at = 0; at < madeUpCollections; at++) weights[madeUpCollection(at)] = each;
  return weights;
}

function madeUpCollection(at: number): string {
  return `test.sim.wish${at}.entry`;
}

/** Queries of `count` subscribers who want three accounts each. */
export function didQueries(frames: RelayFrames, count: number): string[] {
  return didWish(frames).queries(count);
}

/** By the account that an event is of. */
function didWish(frames: RelayFrames): Wish {
  const eventsBy = new Map<string, number[]>();
  let event = 0;
  for (const frame of frames.once()) {
    for (let left = eventsOf(frame); left > 0; left--) addTo(eventsBy, frame.did, event++);
  }
  return accountWish('DIDs', 'wantedDids', eventsBy, event, true);
}

/** By the accounts that a record points at, or at records of which. Deletions that do come on top. */
async function subjectWish(frames: RelayFrames): Promise<Wish> {
  const eventsBy = new Map<string, number[]>();
  let event = 0;
  for await (const { accounts } of subjectEventsOf(frames)) {
    for (const did of accounts) addTo(eventsBy, did, event);
    event++;
  }
  return accountWish('subjects', 'wantedSubjects', eventsBy, event, false);
}

function addTo(eventsBy: Map<string, number[]>, did: string, event: number): void {
  const events = eventsBy.get(did);
  if (events === undefined) eventsBy.set(did, [event]);
  else events.push(event);
}

/** Three accounts each, every set another one. @param eventsBy of `eventCount` events those that an account brings. */
function accountWish(
  name: string,
  parameter: string,
  eventsBy: ReadonlyMap<string, readonly number[]>,
  eventCount: number,
  isPlain: boolean,
): Wish {
  const dids = [...eventsBy.keys()];
  // Neighbours for the first ones, then every second, every third and so on: no set comes twice.
  const wantedBy = (at: number): string[] =>
    Array.from({ length: wantedAccounts }, (_, nth) => {
      const stride = 1 + Math.floor(at / dids.length);
      return dids[(at + nth * stride) % dids.length];
    });
  const matchesOf = (names: readonly string[]): number =>
    new Set(names.flatMap((did) => eventsBy.get(did) ?? [])).size;
  return {
    name: `${wantedAccounts} ${name}`,
    isPlain,
    queries: (count) =>
      Array.from({ length: count }, (_, at) =>
        wantedBy(at)
          .map((did) => `${parameter}=${did}`)
          .join('&'),
      ),
    matchesPerEvent: (count) =>
      Array.from({ length: count }, (_, at) => matchesOf(wantedBy(at))).reduce((sum, one) => sum + one, 0) /
      eventCount,
  };
}

/** One collection each: those in the frames first, then others, for which only events without a collection come. */
function collectionWish(frames: RelayFrames): Wish {
  const events = new Map<string, number>();
  let withoutCollection = 0;
  for (const frame of frames.once()) {
    for (const { collection } of frame.ops) events.set(collection, (events.get(collection) ?? 0) + 1);
    if (frame.kind !== 'commit') withoutCollection += eventsOf(frame);
  }
  for (let at = 0; at < madeUpCollections; at++) {
    const name = madeUpCollection(at);
    if (!events.has(name)) events.set(name, 0);
  }
  const wanted = [...events];
  return {
    name: 'one collection',
    isPlain: true,
    queries: (count) => wanted.slice(0, count).map(([name]) => `wantedCollections=${name}`),
    matchesPerEvent: (count) =>
      wanted.slice(0, count).reduce((total, [, one]) => total + one + withoutCollection, 0) /
      frames.pool.eventsPerRound,
  };
}

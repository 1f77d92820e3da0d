// How far a stream is: counts for `--stats`, by kind, operation and collection, and the bar of a replay. Collections are
// named by strangers; how many are kept is CollectionCounts' to bound. Pure but for the times it is given.

import type { StreamEvent, StreamStatus } from '../../client/lib/subscribe.ts';
import { formatMoment, formatSpan, grouped, printable } from '../../lib/text.ts';
import { CollectionCounts } from '../command/collections.ts';

/** Collections counted at a time, at least. */
const collectionsMax = 10_000;
const nameColumns = 44;
const barColumns = 24;

/** A snapshot of the counts. */
export interface TallyReport {
  readonly events: number;
  readonly seconds: number;
  readonly eventsPerSecond: number;
  readonly kinds: Readonly<Record<string, number>>;
  readonly operations: Readonly<Record<string, number>>;
  readonly collections: readonly { readonly collection: string; readonly events: number }[];
  /** Of commits to collections that are not listed. */
  readonly otherCollections: number;
}

/** See the file comment. */
export class Tally {
  /** Those of one wire alone are listed once they have come. */
  readonly #kinds: { commit: number } & Partial<Record<StreamEvent['kind'], number>> = {
    ...{ commit: 0, identity: 0, account: 0 },
  };
  readonly #operations = { create: 0, update: 0, delete: 0 };
  readonly #collections = new CollectionCounts(collectionsMax);
  readonly #startMs: number;
  events = 0;

  constructor(startMs: number) {
    this.#startMs = startMs;
  }

  add(event: StreamEvent): void {
    this.events++;
    this.#kinds[event.kind] = (this.#kinds[event.kind] ?? 0) + 1;
    if (event.kind !== 'commit') return;
    this.#operations[event.commit.operation]++;
    this.#collections.add(event.commit.collection, 1);
  }

  /** @param top collections listed. */
  report(top: number, nowMs: number): TallyReport {
    const seconds = Math.max(0.001, (nowMs - this.#startMs) / 1000);
    const collections = this.#collections.top(top);
    const listed = collections.reduce((sum, { events }) => sum + events, 0);
    return {
      events: this.events,
      seconds: Number(seconds.toFixed(3)),
      eventsPerSecond: Math.round(this.events / seconds),
      kinds: { ...this.#kinds },
      operations: { ...this.#operations },
      collections,
      otherCollections: this.#kinds.commit - listed,
    };
  }
}

/** The counts as lines for a person. `ratePerSecond` is of the moment, `progress` says how far the stream is. */
export function tallyLines(
  report: TallyReport,
  ratePerSecond: number | undefined,
  progress: string,
): string[] {
  const { events, seconds, kinds, operations, collections, otherCollections } = report;
  const now = ratePerSecond === undefined ? '' : `, now ${grouped(ratePerSecond)}`;
  const rate = `${grouped(report.eventsPerSecond)} a second${now}`;
  const row = (name: string, count: number): string => {
    const share = events === 0 ? 0 : (count / events) * 100;
    return `  ${name.padEnd(nameColumns)}${grouped(count).padStart(14)}${share.toFixed(1).padStart(7)} %`;
  };
  const rows = (counts: Readonly<Record<string, number>>): string[] =>
    Object.entries(counts).map(([name, count]) => row(name, count));
  return [
    `${grouped(events)} events in ${formatSpan(seconds)}, ${rate}; ${progress}`,
    ...rows(kinds),
    'operations',
    ...rows(operations),
    'collections',
    ...collections.map(({ collection, events: count }) => row(printable(collection, nameColumns - 2), count)),
    ...(otherCollections > 0 ? [row('all others', otherCollections)] : []),
  ];
}

/** What a replay covers, in microseconds since 1970. */
export interface ReplaySpan {
  readonly startUs: number;
  readonly endUs: number;
}

/** `[######------]  50 %  12,345 events a second  1 h 2 min behind`; `columns` cuts it. */
export function replayBar(
  status: StreamStatus,
  span: ReplaySpan,
  ratePerSecond: number,
  columns: number,
): string {
  const { newestUs = span.startUs } = status;
  const done = Math.min(1, Math.max(0, (newestUs - span.startUs) / Math.max(1, span.endUs - span.startUs)));
  const filled = Math.round(done * barColumns);
  const bar = '#'.repeat(filled) + '-'.repeat(barColumns - filled);
  const share = String(Math.floor(done * 100)).padStart(3);
  return `[${bar}] ${share} %  ${grouped(ratePerSecond)} events a second  ${progressOf(status)}`.slice(
    0,
    columns - 1,
  );
}

/** What is waited for before the first event; `columns` cuts it. */
export function waitingLine({ state, connections }: StreamStatus, url: string, columns: number): string {
  const server = printable(url, nameColumns);
  const text =
    state === 'ended'
      ? ''
      : connections === 0
        ? `connecting to ${server} …`
        : `connected to ${server}, waiting for the first event that matches`;
  return text.slice(0, columns - 1);
}

/** Where a stream is: live, so far behind, without a connection, or ended. */
export function progressOf({ state, live, lagUs, newestUs }: StreamStatus): string {
  if (state === 'ended') return newestUs === undefined ? 'nothing' : `up to ${formatMoment(newestUs)}`;
  if (state === 'waiting' || state === 'connecting') return 'not connected';
  if (live) return 'live';
  return lagUs === undefined ? 'nothing yet' : `${formatSpan(lagUs / 1_000_000)} behind`;
}

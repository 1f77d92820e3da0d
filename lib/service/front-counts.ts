// What a front has done since start, and how it stands, as data that can cross threads: plain numbers, and closed lists
// of names with numbers. Counted by lib/fanout, lib/wire and lib/http; read for metrics and the status page.

import type { Fanout } from '../fanout/fanout.ts';
import type { PublicListener } from '../http/public-listener.ts';

/** Numbers by name; the names are one of the closed lists of the file that counts. */
export type Counts = Readonly<Record<string, number>>;

/** Sums since start, except where it says "now". */
export interface FrontCounts {
  /** Subscribers connected now, whether they receive or wait for their hello. */
  readonly sessions: number;
  /** Subscribers that receive now; those at the tip among them. */
  readonly subscribers: number;
  readonly live: number;
  /** How far the slowest subscriber is behind the newest event now. */
  readonly slowestLagUs: number;
  readonly deliveredEvents: number;
  readonly deliveredBytes: number;
  readonly sessionsOpened: number;
  readonly sessionEnds: Counts;
  readonly clientMessages: Counts;
  readonly refusals: Counts;
  /** Connections dropped because too many were no subscribers, and those that the system could not hand over. */
  readonly socketsRefused: number;
  readonly acceptsFailed: number;
}

/** Of nobody. */
export const noCounts: FrontCounts = {
  sessions: 0,
  subscribers: 0,
  live: 0,
  slowestLagUs: 0,
  deliveredEvents: 0,
  deliveredBytes: 0,
  sessionsOpened: 0,
  sessionEnds: {},
  clientMessages: {},
  refusals: {},
  socketsRefused: 0,
  acceptsFailed: 0,
};

/** Reads the counts of one thread. */
export function readCounts(fanout: Fanout, listener: PublicListener): FrontCounts {
  const { subscribe } = listener;
  const { sessionCounts } = subscribe;
  return {
    sessions: subscribe.sessions.size,
    ...fanout.standing(),
    deliveredEvents: fanout.totals.events,
    deliveredBytes: fanout.totals.bytes,
    sessionsOpened: sessionCounts.opened,
    sessionEnds: Object.fromEntries(sessionCounts.ended),
    clientMessages: Object.fromEntries(sessionCounts.messages),
    refusals: Object.fromEntries(subscribe.refusals),
    socketsRefused: listener.socketsRefused,
    acceptsFailed: listener.acceptsFailed,
  };
}

/** The counts of several threads as one: sums, and the slowest of all. */
export function sumOf(counts: readonly FrontCounts[]): FrontCounts {
  const total: Record<string, unknown> = {};
  for (const one of counts) {
    for (const [name, value] of Object.entries(one)) total[name] = add(total[name], value);
  }
  const slowestLagUs = Math.max(0, ...counts.map((one) => one.slowestLagUs));
  return { ...(total as unknown as FrontCounts), slowestLagUs };
}

function add(sum: unknown, value: number | Counts): number | Counts {
  if (typeof value === 'number') return ((sum as number | undefined) ?? 0) + value;
  const sums = { ...(sum as Counts | undefined) };
  for (const [name, number] of Object.entries(value)) sums[name] = (sums[name] ?? 0) + number;
  return sums;
}

// What a subscriber server has done since start, and what it has now, as data that can cross threads: plain numbers, and
// closed lists of names with numbers. Counted by lib/fanout, lib/session and lib/http; read by lib/monitor.

import { isMainThread, threadId } from 'node:worker_threads';
import type { EncodedTotals } from '../fanout/dictionary-encoding.ts';
import type { Fanout } from '../fanout/fanout.ts';
import type { PublicListener } from '../http/public-listener.ts';
import type { LogStats } from '../log/event-log.ts';
import { threadMemory } from '../memory.ts';
import { type MemoryWatch, memoryStates } from './memory-watch.ts';

/** Numbers by name; the names are one of the closed lists of the file that counts. */
export type Counts = Readonly<Record<string, number>>;

/** Sums since start, except where it says "now". */
export interface DeliveryCounts {
  /** Subscribers connected now, whether they receive or wait for their hello. */
  readonly sessions: number;
  /** Subscribers that receive now; those at the published position among them. */
  readonly subscribers: number;
  readonly live: number;
  /** Of those that receive, the ones with compression. */
  readonly zstdSubscribers: number;
  /** How far the slowest subscriber is behind the newest event now. */
  readonly slowestLagUs: number;
  readonly deliveredEvents: number;
  readonly deliveredBytes: number;
  /** Of what was delivered, the zstd part. */
  readonly zstdEvents: number;
  readonly zstdBytes: number;
  /** Events made into zstd frames without a dictionary, their bytes, and those of their stored zstd messages. */
  readonly withoutDictionary: Counts;
  /** Waits for the delivery rate of an address, and how long they were together. */
  readonly pacingWaits: number;
  readonly pacingWaitedMs: number;
  /** How long each thread had something to do, by its name: what is left is idle. */
  readonly busyMs: Counts;
  /** By thread, now: V8's heap without its youngest objects, what it may be, what is outside of it, and of that array buffers. */
  readonly heapUsedBytes: Counts;
  readonly heapLimitBytes: Counts;
  readonly externalBytes: Counts;
  readonly arrayBufferBytes: Counts;
  /** By thread, now: one of `memoryStates`. */
  readonly memoryState: Counts;
  readonly sessionsOpened: number;
  readonly sessionEnds: Counts;
  readonly clientMessages: Counts;
  readonly refusals: Counts;
  /** Subscriptions with a parameter that is nearly a part of a filter, by the part. */
  readonly misspelt: Counts;
  /** Bytes that clients make it hold now, by kind, and connections that had to go for that, by the bound. */
  readonly heldBytes: Counts;
  readonly heldShed: Counts;
  /** Most that one address holds in a thread, and what a thread may hold for all. */
  readonly heldBytesOfAddress: number;
  readonly heldBytesMax: number;
  /** Requests for proofs, by what became of them. */
  readonly proofAnswers: Counts;
  /** DIDs and subjects of all different filters. */
  readonly wantedDids: number;
  /** Connections dropped because too many were no subscribers, and those that the system could not hand over. */
  readonly socketsRefused: number;
  readonly acceptsFailed: number;
}

/** Before anything was counted. */
export const noCounts: DeliveryCounts = {
  sessions: 0,
  subscribers: 0,
  live: 0,
  zstdSubscribers: 0,
  slowestLagUs: 0,
  deliveredEvents: 0,
  deliveredBytes: 0,
  zstdEvents: 0,
  zstdBytes: 0,
  withoutDictionary: {},
  pacingWaits: 0,
  pacingWaitedMs: 0,
  busyMs: {},
  heapUsedBytes: {},
  heapLimitBytes: {},
  externalBytes: {},
  arrayBufferBytes: {},
  memoryState: {},
  sessionsOpened: 0,
  sessionEnds: {},
  clientMessages: {},
  refusals: {},
  misspelt: {},
  heldBytes: {},
  heldShed: {},
  heldBytesOfAddress: 0,
  heldBytesMax: 0,
  proofAnswers: {},
  wantedDids: 0,
  socketsRefused: 0,
  acceptsFailed: 0,
};

/** Reads the counts of one thread. */
export function readCounts(
  fanout: Fanout,
  listener: PublicListener,
  memory: MemoryWatch,
  withoutDictionary: Readonly<EncodedTotals>,
): DeliveryCounts {
  const { sessions, held } = listener;
  const waiting = listener.waitingRequests.held;
  return {
    sessions: sessions.members.size,
    ...fanout.stats(),
    deliveredEvents: fanout.totals.events,
    deliveredBytes: fanout.totals.bytes,
    zstdEvents: fanout.totals.zstdEvents,
    zstdBytes: fanout.totals.zstdBytes,
    withoutDictionary: { ...withoutDictionary },
    pacingWaits: fanout.rates.pacing.waits,
    pacingWaitedMs: fanout.rates.pacing.waitedMs,
    ...readThread(),
    memoryState: { [threadName()]: memoryStates[memory.state] },
    sessionsOpened: sessions.counts.opened,
    sessionEnds: Object.fromEntries(sessions.counts.ended),
    clientMessages: Object.fromEntries(sessions.counts.messages),
    refusals: Object.fromEntries(sessions.refusals),
    misspelt: Object.fromEntries(sessions.counts.misspelt),
    heldBytes: { ...held.bytes, waiting: waiting.bytes.request },
    heldShed: { ...held.shed, waiting: waiting.shed.address + waiting.shed.all + waiting.shed.connection },
    heldBytesOfAddress: held.mostOfAddress,
    heldBytesMax: held.limits.bytesMax,
    proofAnswers: { ...listener.proofAnswers },
    wantedDids: fanout.groups.wantedDids,
    socketsRefused: listener.connections.refused,
    acceptsFailed: listener.acceptsFailed,
  };
}

/** What every thread has, also one that serves nobody. */
type ThreadCounts = Pick<
  DeliveryCounts,
  'busyMs' | 'heapUsedBytes' | 'heapLimitBytes' | 'externalBytes' | 'arrayBufferBytes'
>;

/** How long this thread had something to do since it started, and its memory. */
export function readThread(): ThreadCounts {
  const name = threadName();
  const { usedBytes, limitBytes, externalBytes, arrayBufferBytes } = threadMemory();
  return {
    busyMs: { [name]: performance.eventLoopUtilization().active },
    heapUsedBytes: { [name]: usedBytes },
    heapLimitBytes: { [name]: limitBytes },
    externalBytes: { [name]: externalBytes },
    arrayBufferBytes: { [name]: arrayBufferBytes },
  };
}

/** The counts of the threads that serve subscribers, with those of this one, which may be none of them. */
export function withThisThread(counts: DeliveryCounts): DeliveryCounts {
  const own = readThread();
  // Without workers it is counted there already.
  return {
    ...counts,
    busyMs: { ...own.busyMs, ...counts.busyMs },
    heapUsedBytes: { ...own.heapUsedBytes, ...counts.heapUsedBytes },
    heapLimitBytes: { ...own.heapLimitBytes, ...counts.heapLimitBytes },
    externalBytes: { ...own.externalBytes, ...counts.externalBytes },
    arrayBufferBytes: { ...own.arrayBufferBytes, ...counts.arrayBufferBytes },
  };
}

/** `main`, or `worker_` and a number from 1 on. */
function threadName(): string {
  return isMainThread ? 'main' : `worker_${threadId}`;
}

/** The same counts with a lag that is at most the log's length: the distance to a cursor of 0 tells nothing. */
export function withinLog(
  counts: DeliveryCounts,
  log: Pick<LogStats, 'firstTimeUs' | 'lastTimeUs'>,
): DeliveryCounts {
  return { ...counts, slowestLagUs: Math.min(counts.slowestLagUs, log.lastTimeUs - log.firstTimeUs) };
}

/** The counts of several threads as one: sums, and the slowest of all. */
export function sumOf(counts: readonly DeliveryCounts[]): DeliveryCounts {
  const total: Record<string, unknown> = {};
  for (const one of counts) {
    for (const [name, value] of Object.entries(one)) total[name] = add(total[name], value);
  }
  const most = (of: (one: DeliveryCounts) => number): number => Math.max(0, ...counts.map(of));
  return {
    ...(total as unknown as DeliveryCounts),
    slowestLagUs: most((one) => one.slowestLagUs),
    heldBytesOfAddress: most((one) => one.heldBytesOfAddress),
  };
}

function add(sum: unknown, value: number | Counts): number | Counts {
  if (typeof value === 'number') return ((sum as number | undefined) ?? 0) + value;
  return addCounts((sum as Counts | undefined) ?? {}, value);
}

function addCounts(sum: Counts, more: Counts): Counts {
  const sums = { ...sum };
  for (const [name, number] of Object.entries(more)) sums[name] = (sums[name] ?? 0) + number;
  return sums;
}

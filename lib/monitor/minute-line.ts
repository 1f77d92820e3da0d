// One line a minute of what matters, and one of what was dropped when something was: what is left to read when there is
// no Prometheus. It is made of status reports, which name no client, and looks at nothing else but CPU time.

import type { Logger } from '../logger.ts';
import type { StatusReport } from '../status/status-report.ts';
import { formatBytes, formatSpan, grouped } from '../text.ts';
import { rounded } from './meter.ts';

const intervalMs = 60_000;

/** A report, and what was spent until then. */
interface Moment {
  readonly atMs: number;
  readonly cpuMs: number;
  readonly report: StatusReport;
}

/** What a minute line is measured with; a test sets its own. */
export interface MinuteClock {
  /** Monotonic milliseconds. */
  readonly nowMs: () => number;
  /** CPU milliseconds of the process, all threads. */
  readonly cpuMs: () => number;
}

const processClock: MinuteClock = {
  nowMs: () => performance.now(),
  cpuMs: () => {
    const { user, system } = process.cpuUsage();
    return (user + system) / 1000;
  },
};

/** See the file comment. */
export class MinuteLine {
  readonly #logger: Pick<Logger, 'info' | 'isForPeople'>;
  readonly #clock: MinuteClock;
  #last: Moment | undefined;

  constructor(logger: Pick<Logger, 'info' | 'isForPeople'>, clock: MinuteClock = processClock) {
    this.#logger = logger;
    this.#clock = clock;
  }

  /** Takes a report, of which there is about one a second; writes when a minute is over. */
  take(report: StatusReport): void {
    const { nowMs, cpuMs } = this.#clock;
    const now: Moment = { atMs: nowMs(), cpuMs: cpuMs(), report };
    const last = this.#last;
    if (last !== undefined && now.atMs - last.atMs < intervalMs) return;
    this.#last = now;
    if (last !== undefined) this.#write(last, now);
  }

  #write(last: Moment, { atMs, cpuMs, report }: Moment): void {
    const elapsedMs = atMs - last.atMs;
    const before = last.report;
    const perSecond = (after: number, earlier: number): number =>
      rounded(((after - earlier) * 1000) / elapsedMs);
    const { upstream, subscribers, log } = report;
    const minute = {
      eventsPerSecond: perSecond(report.events.total, before.events.total),
      relay: upstream.relay,
      lagMs: upstream.lagMs,
      stalled: upstream.stalled ?? undefined,
      subscribers: subscribers.connected,
      live: subscribers.live,
      behind: subscribers.catchingUp,
      slowestLagMs: subscribers.slowestLagMs,
      deliveriesPerSecond: perSecond(subscribers.events, before.subscribers.events),
      sentBytesPerSecond: Math.round(perSecond(subscribers.bytes, before.subscribers.bytes)),
      logBytes: log.bytes,
      logSeconds: Math.round((log.lastTimeUs - log.firstTimeUs) / 1e6),
      memoryBytes: report.memoryBytes,
      cpuCores: rounded((cpuMs - last.cpuMs) / elapsedMs),
    };
    if (this.#logger.isForPeople) this.#logger.info({}, minuteText(minute));
    else this.#logger.info(minute, 'the last minute');
    const dropped = dropsBetween(before, report);
    if (Object.keys(dropped).length > 0) this.#logger.info(dropped, 'dropped in the last minute');
  }
}

/** What a minute line says; rates are per second. */
interface Minute {
  readonly eventsPerSecond: number;
  readonly relay: string | null;
  readonly lagMs: number | null;
  readonly stalled: string | undefined;
  readonly subscribers: number;
  readonly behind: number;
  readonly slowestLagMs: number;
  readonly sentBytesPerSecond: number;
  readonly logBytes: number;
  readonly logSeconds: number;
  readonly memoryBytes: number;
  readonly cpuCores: number;
}

/** `97 events/s, 10 ms behind the relay · 3 subscribers, none behind · 1.2 MiB/s out · …`. */
function minuteText(minute: Minute): string {
  const { relay, lagMs, stalled, subscribers, behind } = minute;
  const lag = lagMs === null || relay === null ? '' : `, ${formatSpan(lagMs / 1000)} behind the network`;
  const slowest =
    behind === 0 ? 'none' : `${grouped(behind)} up to ${formatSpan(minute.slowestLagMs / 1000)}`;
  const parts = [
    relay === null ? 'no relay' : '',
    stalled === undefined ? '' : `ingest waits (${stalled})`,
    `${grouped(Math.round(minute.eventsPerSecond))} events/s${lag}`,
    subscribers === 0 ? 'no subscribers' : `subscribers: ${grouped(subscribers)}, ${slowest} behind`,
    subscribers === 0 ? '' : `${formatBytes(minute.sentBytesPerSecond)}/s out`,
    `log ${formatSpan(minute.logSeconds)}, ${formatBytes(minute.logBytes)}`,
    `memory ${formatBytes(minute.memoryBytes)}`,
    `${minute.cpuCores} cores`,
  ];
  return parts.filter((part) => part !== '').join(' · ');
}

/** How many more there are of each reason. */
function dropsBetween(before: StatusReport, after: StatusReport): Record<string, number> {
  const had = new Map(before.drops.reasons.map(({ reason, count }) => [reason, count]));
  return Object.fromEntries(
    after.drops.reasons
      .map(({ reason, count }): [string, number] => [reason, count - (had.get(reason) ?? 0)])
      .filter(([, count]) => count > 0),
  );
}

// Makes the status report once a second, in the thread that ingests, from plain numbers that others keep anyway. It owns
// the rates and the list of last drops, and knows what is a closed list of names and what is not; where reports go is its
// caller's business: to the routes of this thread, or to worker threads.

import type { Compressor } from '../codec/compressor.ts';
import type { Ingest } from '../ingest/ingest.ts';
import type { IngestTotals } from '../ingest/ingest-totals.ts';
import type { RelayLink } from '../ingest/relay-link.ts';
import type { Block } from '../log/block.ts';
import type { EventLog } from '../log/event-log.ts';
import type { Drop, ReasonCount, StatusReport, SubscriberReport } from '../status/status-report.ts';
import type { Relay } from '../upstream/relay-url.ts';
import type { DeliveryCounts } from '../worker/delivery-counts.ts';
import { EventMeter, rounded } from './event-meter.ts';
import { Looks, Meter } from './meter.ts';

/** How often a report is made. */
const intervalMs = 1000;
/** Drops that are listed with their time. */
const lastDropsMax = 20;

/** Where the numbers are. */
export interface StatusSources {
  readonly version: string;
  readonly workers: number;
  readonly retentionMs: number;
  readonly retentionBytes: number;
  readonly relays: readonly Relay[];
  readonly compressor: Pick<Compressor, 'name' | 'dictionaryId'>;
  readonly totals: Pick<IngestTotals, 'drops'>;
  readonly log: Pick<EventLog, 'stats' | 'positions'>;
  /** Now, in microseconds, on the clock that events are stamped with. */
  readonly nowUs: () => number;
  readonly link: Pick<RelayLink, 'relay' | 'connectedSinceUs'>;
  readonly ingest: Pick<Ingest, 'newestFrameTimeUs' | 'stalledBy'>;
  /** Of all threads together. Without an answer there is no report. */
  readonly counts: () => Promise<SubscriberCounts>;
  /** Takes each report. */
  readonly report: (report: StatusReport) => void;
}

/** What is told of subscribers. */
export type SubscriberCounts = Pick<
  DeliveryCounts,
  'sessions' | 'subscribers' | 'live' | 'slowestLagUs' | 'deliveredEvents' | 'deliveredBytes' | 'refusals'
>;

/** Started by its constructor; `stop` ends it. */
export class Status {
  readonly #sources: StatusSources;
  readonly #startedAtUs: number;
  readonly #looks = new Looks();
  readonly #events = new EventMeter(this.#looks);
  readonly #jsonBytes = new Meter();
  readonly #zstdBytes = new Meter();
  readonly #deliveredEvents = new Total();
  readonly #deliveredBytes = new Total();
  readonly #drops = new Map<string, number>();
  #lastDrops: Drop[] = [];
  /** Kept while no relay is connected, for its sequence. */
  #lastRelay: Relay | undefined;
  #lookedAtMs = performance.now();
  #isLooking = false;
  #isStopped = false;
  readonly #timer: NodeJS.Timeout;

  constructor(sources: StatusSources) {
    this.#sources = sources;
    this.#startedAtUs = sources.nowUs();
    this.#timer = setInterval(() => void this.#look(), intervalMs);
  }

  /** Counts a block that was published. */
  count(block: Block): void {
    this.#events.count(block.index);
    this.#jsonBytes.count += block.json.length;
    this.#zstdBytes.count += block.zstd.length;
  }

  /** Makes no more reports. */
  stop(): void {
    this.#isStopped = true;
    clearInterval(this.#timer);
  }

  /** Never rejects. */
  async #look(): Promise<void> {
    if (this.#isLooking) return;
    this.#isLooking = true;
    try {
      const counts = await this.#sources.counts();
      if (!this.#isStopped) this.#lookAt(counts);
    } catch {
      // A thread that is being replaced: the next look is a second away.
    }
    this.#isLooking = false;
  }

  #lookAt(counts: SubscriberCounts): void {
    const { nowUs, totals, report } = this.#sources;
    const atMs = performance.now();
    // A timer may be late, but never makes two looks of one moment.
    this.#looks.next(Math.max(atMs - this.#lookedAtMs, 1) / 1000);
    this.#lookedAtMs = atMs;
    this.#deliveredEvents.look(counts.deliveredEvents, this.#looks);
    this.#deliveredBytes.look(counts.deliveredBytes, this.#looks);
    this.#jsonBytes.look(this.#looks);
    this.#zstdBytes.look(this.#looks);
    this.#events.look();
    this.#lookAtDrops(nowUs(), totals.drops);
    report(this.#make(counts));
  }

  #lookAtDrops(timeUs: number, drops: Iterable<[string, number]>): void {
    const now: Drop[] = [];
    for (const [reason, total] of drops) {
      const count = total - (this.#drops.get(reason) ?? 0);
      if (count > 0) now.push({ timeUs, reason, count });
      this.#drops.set(reason, total);
    }
    if (now.length > 0) this.#lastDrops = [...now, ...this.#lastDrops].slice(0, lastDropsMax);
  }

  #make(counts: SubscriberCounts): StatusReport {
    const { version, workers, compressor, log, nowUs } = this.#sources;
    const { retentionMs, retentionBytes } = this.#sources;
    const timeUs = nowUs();
    const stats = log.stats();
    const json = this.#jsonBytes.perSecond(this.#looks);
    const ratio = json === 0 ? null : rounded(this.#zstdBytes.perSecond(this.#looks) / json);
    const reasons = counted(this.#drops);
    return {
      timeUs,
      version,
      uptimeMs: toMs(timeUs - this.#startedAtUs),
      workers,
      memoryBytes: process.memoryUsage.rss(),
      events: this.#events.report(),
      upstream: this.#upstream(timeUs),
      log: {
        firstTimeUs: stats.firstTimeUs,
        lastTimeUs: stats.lastTimeUs,
        events: stats.storedEvents,
        bytes: stats.storedBytes,
        retentionMs,
        retentionBytes,
      },
      compression: { ratio, compressor: compressor.name, dictionaryId: compressor.dictionaryId },
      subscribers: this.#subscribers(counts),
      drops: {
        total: reasons.reduce((sum, { count }) => sum + count, 0),
        reasons,
        last: this.#lastDrops,
      },
    };
  }

  #upstream(timeUs: number): StatusReport['upstream'] {
    const { link, ingest, relays, log } = this.#sources;
    const { relay, connectedSinceUs } = link;
    this.#lastRelay = relay ?? this.#lastRelay ?? relays[0];
    const lagUs = upstreamLagUs(ingest, timeUs);
    return {
      relays: relays.map(({ id }) => id),
      relay: relay?.id ?? null,
      connectedSinceUs: connectedSinceUs ?? null,
      sequence: log.positions.get(this.#lastRelay.id) ?? null,
      lagMs: lagUs === undefined ? null : toMs(lagUs),
      stalled: ingest.stalledBy ?? null,
    };
  }

  #subscribers(counts: SubscriberCounts): SubscriberReport {
    return {
      connected: counts.sessions,
      live: counts.live,
      catchingUp: counts.subscribers - counts.live,
      slowestLagMs: toMs(counts.slowestLagUs),
      eventsPerSecond: rounded(this.#deliveredEvents.perSecond(this.#looks)),
      bytesPerSecond: Math.round(this.#deliveredBytes.perSecond(this.#looks)),
      events: counts.deliveredEvents,
      bytes: counts.deliveredBytes,
      refusals: counted(Object.entries(counts.refusals)),
    };
  }
}

/** The rate of a sum that someone else keeps. */
class Total {
  readonly #meter = new Meter();
  #before = 0;

  look(total: number, looks: Looks): void {
    // A thread that was started anew has lost what it had counted.
    this.#meter.count = Math.max(0, total - this.#before);
    this.#before = total;
    this.#meter.look(looks);
  }

  perSecond(looks: Looks): number {
    return this.#meter.perSecond(looks);
  }
}

/** How old the newest frame is; undefined before the first. A relay whose clock is ahead of ours is not behind. */
export function upstreamLagUs(
  { newestFrameTimeUs }: Pick<Ingest, 'newestFrameTimeUs'>,
  nowUs: number,
): number | undefined {
  return newestFrameTimeUs === undefined ? undefined : Math.max(0, nowUs - newestFrameTimeUs);
}

function counted(counts: Iterable<readonly [string, number]>): ReasonCount[] {
  return [...counts]
    .filter(([, count]) => count > 0)
    .map(([reason, count]) => ({ reason, count }))
    .sort((a, b) => b.count - a.count);
}

function toMs(us: number): number {
  return Math.round(us / 1000);
}

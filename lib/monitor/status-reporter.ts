// Makes the status report once a second, in the thread that ingests, from plain numbers that others keep anyway. It owns
// the tick, the rates of bytes and deliveries and the list of last drops; rates of events are event-counts.ts's, and where
// reports go, to the routes of this thread or to worker threads, is up to monitor.ts.

import type { Compressor } from '../codec/compressor.ts';
import { v2DictionaryIds } from '../codec/dictionary.ts';
import { coverageMeanings } from '../event/coverage.ts';
import { isVouched, numberOf, verdictOf, verdicts } from '../event/verdict.ts';
import type { QueueState } from '../ingest/ingest.ts';
import type { IngestTotals } from '../ingest/ingest-totals.ts';
import type { RelayLink } from '../ingest/relay-link.ts';
import type { EventLog } from '../log/event-log.ts';
import type {
  CoverageReport,
  Drop,
  ReasonCount,
  StatusReport,
  SubscriberReport,
  VerificationReport,
} from '../status/status-report.ts';
import type { Relay } from '../upstream/relay-url.ts';
import type { DeliveryCounts } from '../worker/delivery-counts.ts';
import type { EventCounts } from './event-counts.ts';
import { type HeapCounts, readMemory } from './memory-sum.ts';
import { rounded, SumMeter, Tick } from './meter.ts';
import { upstreamLagUs } from './upstream-lag.ts';
import type { VerificationState } from './verify-metrics.ts';

/** How often a report is made. */
const intervalMs = 1000;
/** Drops that are listed with their time. */
const lastDropsMax = 20;
/** Rows of the coverage ledger that are listed. */
const coverageRowsMax = 20;

/** Where the numbers are. */
export interface StatusSources {
  readonly version: string;
  readonly aboutUrl: string | undefined;
  readonly workers: number;
  readonly retentionMs: number;
  readonly retentionBytes: number;
  readonly relays: readonly Relay[];
  readonly compressor: Pick<Compressor, 'name' | 'dictionaryId'>;
  readonly totals: Pick<IngestTotals, 'drops'>;
  /** Sampled here and nowhere else. */
  readonly published: EventCounts;
  readonly log: Pick<EventLog, 'stats' | 'positions' | 'coverage' | 'databaseBytes'>;
  /** Now, in microseconds, on the clock that events are stamped with. */
  readonly nowUs: () => number;
  readonly link: Pick<RelayLink, 'relay' | 'connectedSinceUs' | 'failure'>;
  readonly queue: Pick<QueueState, 'newestFrameTimeUs' | 'stalledBy'>;
  /** What checks commits, if anything does. */
  readonly verification?: Omit<VerificationState, 'outstandingBytes'> | undefined;
  /** Of all threads together. A report waits for the answer. */
  readonly counts: () => Promise<SubscriberCounts>;
  /** Takes each report. */
  readonly report: (report: StatusReport) => void;
  /** Called when no more reports can be made. Once. */
  readonly failed: (error: unknown) => void;
}

/** What is told of subscribers. */
export type SubscriberCounts = Pick<
  DeliveryCounts,
  'sessions' | 'subscribers' | 'live' | 'slowestLagUs' | 'deliveredEvents' | 'deliveredBytes' | 'refusals'
> &
  HeapCounts;

/** Started by its constructor; `stop` ends it. */
export class StatusReporter {
  readonly #sources: StatusSources;
  readonly #startedAtUs: number;
  readonly #tick = new Tick();
  readonly #jsonBytes = new SumMeter();
  readonly #zstdBytes = new SumMeter();
  readonly #deliveredEvents = new SumMeter();
  readonly #deliveredBytes = new SumMeter();
  readonly #drops = new Map<string, number>();
  #lastDrops: Drop[] = [];
  /** Kept while no relay is connected, for its sequence. */
  #lastRelay: Relay | undefined;
  #tickAtMs = performance.now();
  /** The threads have been asked and have not answered. */
  #isWaiting = false;
  #isStopped = false;
  readonly #timer: NodeJS.Timeout;

  constructor(sources: StatusSources) {
    this.#sources = sources;
    this.#startedAtUs = sources.nowUs();
    this.#timer = setInterval(() => void this.#makeReport(), intervalMs);
  }

  /** Makes no more reports. */
  stop(): void {
    this.#isStopped = true;
    clearInterval(this.#timer);
  }

  /** Never rejects. */
  async #makeReport(): Promise<void> {
    if (this.#isWaiting) return;
    this.#isWaiting = true;
    try {
      const counts = await this.#sources.counts();
      if (this.#isStopped) return;
      this.#sample(counts);
      this.#sources.report(this.#reportOf(counts));
    } catch (error) {
      // A worker that ended answers no more, and has been told of already; all else is a mistake in here.
      if (this.#isStopped) return;
      this.stop();
      this.#sources.failed(error);
    } finally {
      this.#isWaiting = false;
    }
  }

  #sample(counts: SubscriberCounts): void {
    const { nowUs, totals, published } = this.#sources;
    const atMs = performance.now();
    // A timer may be late, but never makes two ticks of one moment.
    this.#tick.next(Math.max(atMs - this.#tickAtMs, 1) / 1000);
    this.#tickAtMs = atMs;
    this.#deliveredEvents.sample(counts.deliveredEvents, this.#tick);
    this.#deliveredBytes.sample(counts.deliveredBytes, this.#tick);
    this.#jsonBytes.sample(published.jsonBytes, this.#tick);
    this.#zstdBytes.sample(published.zstdBytes, this.#tick);
    published.sample(this.#tick);
    this.#sampleDrops(nowUs(), totals.drops);
  }

  #sampleDrops(timeUs: number, drops: Iterable<[string, number]>): void {
    const now: Drop[] = [];
    for (const [reason, total] of drops) {
      const count = total - (this.#drops.get(reason) ?? 0);
      if (count > 0) now.push({ timeUs, reason, count });
      this.#drops.set(reason, total);
    }
    if (now.length > 0) this.#lastDrops = [...now, ...this.#lastDrops].slice(0, lastDropsMax);
  }

  #reportOf(counts: SubscriberCounts): StatusReport {
    const { version, aboutUrl = null, workers, compressor, log, nowUs, published } = this.#sources;
    const { retentionMs, retentionBytes } = this.#sources;
    const timeUs = nowUs();
    const stats = log.stats();
    const json = this.#jsonBytes.perSecond(this.#tick);
    const ratio = json === 0 ? null : rounded(this.#zstdBytes.perSecond(this.#tick) / json);
    const reasons = counted(this.#drops);
    const memory = readMemory(counts, log);
    return {
      timeUs,
      version,
      aboutUrl,
      uptimeMs: toMs(timeUs - this.#startedAtUs),
      workers,
      memoryBytes: memory.residentBytes,
      memory,
      events: published.report(this.#tick),
      upstream: this.#upstream(timeUs),
      log: {
        firstTimeUs: stats.firstTimeUs,
        lastTimeUs: stats.lastTimeUs,
        events: stats.storedEvents,
        bytes: stats.storedBytes,
        retentionMs,
        retentionBytes,
      },
      compression: {
        ratio,
        compressor: compressor.name,
        dictionaryId: compressor.dictionaryId,
        v2DictionaryId: v2DictionaryIds[0],
      },
      subscribers: this.#subscribers(counts),
      drops: {
        total: reasons.reduce((sum, { count }) => sum + count, 0),
        reasons,
        last: this.#lastDrops,
      },
      coverage: this.#coverage(),
      verification: verificationOf(this.#sources.verification),
    };
  }

  #coverage(): CoverageReport {
    const rows = this.#sources.log.coverage.newest(coverageRowsMax).toReversed();
    const last = rows.map(({ reason, relay, fromUs, toUs, count }) => {
      return { reason, relay: relay === '' ? null : relay, fromUs, toUs, count, ...coverageMeanings[reason] };
    });
    return { last };
  }

  #upstream(timeUs: number): StatusReport['upstream'] {
    const { link, queue, relays, log } = this.#sources;
    const { relay, connectedSinceUs, failure } = link;
    this.#lastRelay = relay ?? this.#lastRelay ?? relays[0];
    const lagUs = upstreamLagUs(queue, timeUs);
    return {
      relays: relays.map(({ id }) => id),
      relay: relay?.id ?? null,
      connectedSinceUs: connectedSinceUs ?? null,
      failure: failure === undefined ? null : { ...failure, relay: failure.relay.id, next: failure.next.id },
      sequence: log.positions.get(this.#lastRelay.numbering) ?? null,
      lagMs: lagUs === undefined ? null : toMs(lagUs),
      stalled: queue.stalledBy ?? null,
    };
  }

  #subscribers(counts: SubscriberCounts): SubscriberReport {
    return {
      connected: counts.sessions,
      live: counts.live,
      catchingUp: counts.subscribers - counts.live,
      slowestLagMs: toMs(counts.slowestLagUs),
      eventsPerSecond: rounded(this.#deliveredEvents.perSecond(this.#tick)),
      bytesPerSecond: Math.round(this.#deliveredBytes.perSecond(this.#tick)),
      events: counts.deliveredEvents,
      bytes: counts.deliveredBytes,
      refusals: counted(Object.entries(counts.refusals)),
    };
  }
}

function verificationOf(state: StatusSources['verification']): VerificationReport | null {
  if (state === undefined) return null;
  const byVerdict = new Map(verdicts.map((verdict) => [verdict, 0]));
  for (const [reason, commits] of state.counts) {
    const verdict = verdictOf(reason);
    byVerdict.set(verdict, (byVerdict.get(verdict) as number) + commits);
  }
  const found = [...byVerdict].filter(([, count]) => count > 0);
  const others = [...state.counts].filter(([reason]) => !isVouched(numberOf(reason)));
  return {
    commits: found.reduce((sum, [, count]) => sum + count, 0),
    verdicts: found.map(([verdict, count]) => ({ verdict, count })),
    reasons: counted(others),
    isUp: state.isUp,
    isArmed: state.isArmed ?? null,
    waiting: state.waitingFrames ?? 0,
    dropped: state.dropped ?? 0,
  };
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

// Prometheus metrics, read from plain totals when they are asked for: nothing here runs per event. Every label has a
// closed set of values. The only importer of prom-client.

import { Counter, collectDefaultMetrics, Gauge, Registry } from 'prom-client';
import type { Compressor } from '../codec/compressor.ts';
import { frameTypes } from '../decode/frame.ts';
import type { EventLog } from '../log/event-log.ts';
import { disconnectReasons } from '../upstream/disconnect-reason.ts';
import type { Relay } from '../upstream/relay-url.ts';
import { type FrontCounts, noCounts } from './front-counts.ts';
import type { IngestTotals } from './ingest-totals.ts';
import type { RelayLink } from './relay-link.ts';

/** Where the numbers are. */
export interface MetricSources {
  readonly version: string;
  readonly compressor: Compressor;
  readonly relays: readonly Relay[];
  readonly totals: IngestTotals;
  readonly log: EventLog;
  readonly link: RelayLink;
  /** Of all threads that serve subscribers together. */
  readonly counts: () => Promise<FrontCounts>;
}

/** The daemon's metrics registry. */
export class Metrics {
  readonly #registry = new Registry();
  readonly #readCounts: () => Promise<FrontCounts>;
  /** As of the read that is under way. */
  #counts: FrontCounts = noCounts;

  constructor(sources: MetricSources) {
    collectDefaultMetrics({ register: this.#registry });
    this.#readCounts = sources.counts;
    const { totals, log, link } = sources;
    const info = this.#gauge('build_info', 'What runs; always 1', ['version', 'compressor']);
    info.set({ version: sources.version, compressor: sources.compressor.name }, 1);
    this.#counted('frames_total', 'Frames taken from the relay', 'type', () =>
      Object.entries(frameTypes).map(([name, type]) => [name, totals.frames[type]]),
    );
    this.#counted('drops_total', 'Frames and ops that are not in the log', 'reason', () => totals.drops);
    this.#sum('frame_bytes_total', 'Bytes of frames taken from the relay', () => totals.frameBytes);
    this.#sum('events_total', 'Events made from frames', () => totals.events);
    this.#sum('delivered_events_total', 'Events written to subscribers', () => this.#counts.deliveredEvents);
    this.#sum('delivered_bytes_total', 'Bytes written to subscribers', () => this.#counts.deliveredBytes);
    this.#level('subscribers', 'Subscribers connected', () => this.#counts.sessions);
    this.#level('subscribers_live', 'Subscribers at the newest event', () => this.#counts.live);
    this.#level(
      'slowest_subscriber_lag_seconds',
      'How far the slowest subscriber is behind',
      () => this.#counts.slowestLagUs / 1e6,
    );
    this.#level('log_stored_events', 'Events in the log', () => log.stats().storedEvents);
    this.#level('log_stored_bytes', 'Bytes of blocks in the log', () => log.stats().storedBytes);
    this.#level('log_memory_bytes', 'Bytes of blocks held in memory', () => log.stats().memoryBytes);
    this.#level('log_first_time_seconds', 'Time of the oldest event', () => log.stats().firstTimeUs / 1e6);
    this.#level('log_last_time_seconds', 'Time of the newest event', () => log.stats().lastTimeUs / 1e6);
    this.#labelled('upstream_connected', 'Whether this relay is the one connected', 'relay', () =>
      sources.relays.map((relay) => [relay.id, relay === link.relay ? 1 : 0]),
    );
    this.#labelled('upstream_sequence', 'Last stored sequence of this relay', 'relay', () =>
      sources.relays.flatMap((relay): [string, number][] => {
        const seq = log.positions.get(relay.id);
        return seq === undefined ? [] : [[relay.id, seq]];
      }),
    );
    this.#counted('upstream_disconnects_total', 'Connections and attempts that ended', 'reason', () =>
      disconnectReasons.map((reason) => [reason, link.disconnects.get(reason) ?? 0]),
    );
    this.#sum('sessions_total', 'Subscribers since start', () => this.#counts.sessionsOpened);
    this.#counted('session_ends_total', 'Subscribers that ended', 'reason', () =>
      Object.entries(this.#counts.sessionEnds),
    );
    this.#counted('refusals_total', 'Requests to subscribe that were refused', 'reason', () =>
      Object.entries(this.#counts.refusals),
    );
    this.#counted('client_messages_total', 'Messages from subscribers', 'outcome', () =>
      Object.entries(this.#counts.clientMessages),
    );
    this.#sum(
      'sockets_refused_total',
      'Connections dropped: too many that are no subscribers',
      () => this.#counts.socketsRefused,
    );
    this.#sum(
      'accepts_failed_total',
      'Connections that the system could not hand over',
      () => this.#counts.acceptsFailed,
    );
  }

  /** The text that Prometheus reads. */
  async read(): Promise<{ contentType: string; body: string }> {
    this.#counts = await this.#readCounts();
    return { contentType: this.#registry.contentType, body: await this.#registry.metrics() };
  }

  #gauge<Label extends string>(
    name: string,
    help: string,
    labelNames: Label[],
    collect?: () => void,
  ): Gauge<Label> {
    const options = { name: `slipstream_${name}`, help, labelNames, registers: [this.#registry] };
    return new Gauge(collect === undefined ? options : { ...options, collect });
  }

  #level(name: string, help: string, read: () => number): void {
    const gauge: Gauge = this.#gauge(name, help, [], () => gauge.set(read()));
  }

  #labelled(name: string, help: string, label: string, read: () => Iterable<[string, number]>): void {
    const gauge: Gauge<string> = this.#gauge(name, help, [label], () => {
      for (const [value, number] of read()) gauge.set({ [label]: value }, number);
    });
  }

  #sum(name: string, help: string, read: () => number): void {
    const counter: Counter = new Counter({
      name: `slipstream_${name}`,
      help,
      registers: [this.#registry],
      collect: () => {
        counter.reset();
        counter.inc(read());
      },
    });
  }

  #counted(name: string, help: string, label: string, read: () => Iterable<[string, number]>): void {
    const counter: Counter<string> = new Counter({
      name: `slipstream_${name}`,
      help,
      labelNames: [label],
      registers: [this.#registry],
      collect: () => {
        counter.reset();
        for (const [value, number] of read()) counter.inc({ [label]: value }, number);
      },
    });
  }
}

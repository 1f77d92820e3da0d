// Prometheus text, made when it is asked for, from the tables of metrics and from what prom-client knows of the process.
// What the metrics are is in the tables. The only importer of prom-client.

import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import type { MemoryReport } from '../status/status-report.ts';
import { type DeliveryCounts, noCounts } from '../worker/delivery-counts.ts';
import { clusterMetrics } from './cluster-metrics.ts';
import { type DaemonSources, daemonMetrics } from './daemon-metrics.ts';
import type { DiskSpace } from './disk-space.ts';
import type { ClusterReport } from './link-state.ts';
import { LoopLag } from './loop-lag.ts';
import { memoryMetrics } from './memory-metrics.ts';
import { readMemory } from './memory-sum.ts';
import type { Metric } from './metric.ts';
import { type ProofSources, proofMetrics } from './proof-metrics.ts';
import { subscriberMetrics } from './subscriber-metrics.ts';
import { v1Metrics } from './v1-metrics.ts';
import { type VerificationState, verifyMetrics } from './verify-metrics.ts';

/** Seconds: a write is a millisecond, with --fsync that of a disk, and much more only when something is wrong. */
const writeBuckets = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5];

/** Writes that are noted together: one by one each finds the processor's caches full of other things, and takes 17 us. */
const notedWrites = 256;

/** Of prom-client: gauges by names that are kept for counters, each the sum of one that stays. */
const misnamedGauges = [
  'nodejs_active_resources_total',
  'nodejs_active_handles_total',
  'nodejs_active_requests_total',
];

/** Milliseconds between the wake-ups by which prom-client measures what {@link LoopLag} does: the most that Node takes, so never. */
const neverMs = 2 ** 31 - 1;

/** Where the numbers are. */
export interface MetricSources extends DaemonSources {
  readonly proofs?: ProofSources | undefined;
  readonly disk: Pick<DiskSpace, 'freeBytes' | 'totalBytes' | 'refresh'>;
  /** Of a node of a cluster. */
  readonly cluster?: ClusterReport | undefined;
  /** What checks commits, if anything does. */
  readonly verification?: VerificationState | undefined;
  /** Of all threads that serve subscribers together. */
  readonly counts: () => Promise<DeliveryCounts>;
}

/** The daemon's metrics registry. */
export class Metrics {
  readonly #registry = new Registry();
  readonly #sources: MetricSources;
  readonly #writes: Histogram;
  /** How long those took that are not in the histogram yet. */
  readonly #unnoted: number[] = [];
  readonly #lag = new LoopLag();
  /** As of the read that is under way. */
  #counts: DeliveryCounts = noCounts;
  #memory: MemoryReport | undefined;

  constructor(sources: MetricSources) {
    this.#sources = sources;
    collectDefaultMetrics({ register: this.#registry, eventLoopMonitoringPrecision: neverMs });
    const lag = this.#lag.metrics();
    for (const name of [...misnamedGauges, ...lag.map((metric) => metric.name)])
      this.#registry.removeSingleMetric(name);
    const memory = memoryMetrics(
      () => this.#counts,
      () => this.#memory,
    );
    const cluster = sources.cluster === undefined ? [] : clusterMetrics(sources.cluster);
    const counts = (): DeliveryCounts => this.#counts;
    const daemon = [...daemonMetrics(sources), ...verifyMetrics(sources.verification), ...cluster];
    const subscribers = [...subscriberMetrics(counts), ...proofMetrics(sources.proofs, counts)];
    const own = [...daemon, ...subscribers, ...memory, ...lag];
    const relayIds = sources.relays.map(({ id }) => id);
    for (const metric of [...own, ...v1Metrics(own, relayIds)]) this.#add(metric);
    this.#writes = new Histogram({
      name: 'slipstream_log_write_seconds',
      help: 'How long the log took to store a block',
      buckets: writeBuckets,
      registers: [this.#registry],
    });
  }

  /** The log has stored a block. */
  written(seconds: number): void {
    if (this.#unnoted.push(seconds) === notedWrites) this.#note();
  }

  /** The text that Prometheus reads. */
  async read(): Promise<{ contentType: string; body: string }> {
    const { counts, disk, log } = this.#sources;
    const [current] = await Promise.all([counts(), disk.refresh()]);
    this.#counts = current;
    this.#memory = readMemory(current, log);
    this.#lag.take();
    this.#note();
    return { contentType: this.#registry.contentType, body: await this.#registry.metrics() };
  }

  #note(): void {
    for (const seconds of this.#unnoted) this.#writes.observe(seconds);
    this.#unnoted.length = 0;
  }

  #add({ name, type, help, labels, read }: Metric): void {
    const options = { name, help, labelNames: [...labels], registers: [this.#registry] };
    const isCounter = type === 'counter';
    const collect = (): void => {
      metric.reset();
      // Without labels, a reset leaves a zero that nobody has read.
      if (labels.length === 0) metric.remove();
      for (const [values, value] of read()) {
        const named = Object.fromEntries(labels.map((label, at) => [label, values[at]]));
        if (isCounter) metric.inc(named, value);
        else (metric as Gauge).set(named, value);
      }
    };
    const metric: Counter | Gauge = isCounter
      ? new Counter({ ...options, collect })
      : new Gauge({ ...options, collect });
  }
}

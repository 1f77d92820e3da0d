// What watches the daemon: the status report, metrics, readiness, the line a minute, and the operator's listener. It is
// told of blocks and writes, asks for everything else, and changes nothing. Built by service.ts.

import type { Compressor } from '../codec/compressor.ts';
import type { TrustedTime } from '../event/trusted-time.ts';
import type { IngestTotals } from '../ingest/ingest-totals.ts';
import type { Block } from '../log/block.ts';
import type { EventLog } from '../log/event-log.ts';
import type { Logger, ProcessLogger } from '../logger.ts';
import type { Relay } from '../upstream/relay-url.ts';
import { withinLog, withThisThread } from '../worker/delivery-counts.ts';
import type { Delivery } from '../worker/subscriber-server.ts';
import { DiskSpace } from './disk-space.ts';
import { EventCounts } from './event-counts.ts';
import type { ClusterReport, LinkState } from './link-state.ts';
import { Metrics } from './metrics.ts';
import { MetricsListener } from './metrics-listener.ts';
import { MinuteLine } from './minute-line.ts';
import type { ProofSources } from './proof-metrics.ts';
import { Readiness } from './readiness.ts';
import { StatusReporter } from './status-reporter.ts';
import type { VerificationState } from './verify-metrics.ts';

/** What the monitor asks, and whom it tells. */
export interface MonitorOptions {
  readonly version: string;
  readonly aboutUrl: string | undefined;
  readonly workers: number;
  readonly dataDir: string;
  readonly retentionMs: number;
  readonly retentionBytes: number;
  readonly relays: readonly Relay[];
  readonly compressor: Pick<Compressor, 'name' | 'dictionaryId'>;
  readonly totals: IngestTotals;
  readonly log: EventLog;
  /** What keeps commits for proofs, if anything does. */
  readonly proofs?: ProofSources | undefined;
  readonly link: LinkState;
  /** Of a node of a cluster. */
  readonly cluster?: ClusterReport | undefined;
  /** What checks commits, if anything does. */
  readonly verification?: VerificationState | undefined;
  readonly delivery: Pick<Delivery, 'counts' | 'report'>;
  readonly logger: Logger & Pick<ProcessLogger, 'lostLines'>;
  /** Now, in microseconds, on the clock that events are stamped with. */
  readonly nowUs: () => number;
  readonly time: Pick<TrustedTime, 'steps' | 'aheadMs'>;
  /** Called when no more reports can be made. */
  readonly failed: (error: unknown) => void;
}

/** Started by its constructor, but for its listener; `stop` ends the reports. */
export class Monitor {
  readonly readiness: Readiness;
  /** The caller starts and stops it: it answers while the rest of the daemon stops. */
  readonly listener: MetricsListener;
  readonly #published = new EventCounts();
  readonly #reporter: StatusReporter;
  readonly #metrics: Metrics;

  constructor(options: MonitorOptions) {
    const { version, workers, relays, compressor, totals, log, link, nowUs, time } = options;
    const { delivery, logger } = options;
    const { cluster, verification } = options;
    const readiness = new Readiness(link, cluster);
    const checks = () => readiness.checks();
    const minuteLine = new MinuteLine(logger);
    /** What the report and the metrics are both made from. */
    const shared = {
      version,
      workers,
      relays,
      compressor,
      totals,
      log,
      link,
      cluster,
      verification,
      nowUs,
      time,
      lostLines: () => logger.lostLines,
      queue: link.ingest.queue,
      published: this.#published,
      counts: async () => withThisThread(withinLog(await delivery.counts(), log.stats())),
    };
    this.readiness = readiness;
    const { dataDir, retentionBytes, proofs } = options;
    this.#metrics = new Metrics({ ...shared, proofs, checks, retentionBytes, disk: new DiskSpace(dataDir) });
    this.#reporter = new StatusReporter({
      ...shared,
      aboutUrl: options.aboutUrl,
      retentionMs: options.retentionMs,
      retentionBytes,
      report(report) {
        readiness.answered();
        minuteLine.take(report);
        delivery.report(report);
      },
      failed: options.failed,
    });
    this.listener = new MetricsListener({
      readMetrics: () => this.#metrics.read(),
      readChecks: checks,
      onError: (error) => logger.error({ error }, 'metrics failed'),
    });
  }

  /** A block has been stored and is about to be sent. */
  count(block: Block): void {
    this.#published.count(block);
  }

  /** The log took that long to store a block. */
  written(seconds: number): void {
    this.#metrics.written(seconds);
  }

  /** Makes no more reports. */
  stop(): void {
    this.#reporter.stop();
  }
}

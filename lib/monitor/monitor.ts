// What watches the daemon: the status report, metrics, readiness, the line a minute, and the operator's listener. It is
// told of blocks and writes, asks for everything else, and changes nothing. Built by service.ts.

import { MetricsListener } from '../http/metrics-listener.ts';
import type { RelayLink } from '../ingest/relay-link.ts';
import type { Block } from '../log/block.ts';
import type { EventLog } from '../log/event-log.ts';
import type { Logger } from '../logger.ts';
import { withinLog } from '../worker/delivery-counts.ts';
import type { Delivery } from '../worker/subscriber-server.ts';
import { DiskSpace } from './disk-space.ts';
import { EventCounts } from './event-counts.ts';
import { type MetricSources, Metrics } from './metrics.ts';
import { MinuteLine } from './minute-line.ts';
import { Readiness } from './readiness.ts';
import { Status, type StatusSources } from './status-reporter.ts';

/** Where the numbers are; what the monitor has itself is left out. */
export interface MonitorOptions
  extends Omit<
    StatusSources & MetricSources,
    'published' | 'disk' | 'checks' | 'counts' | 'report' | 'ingest'
  > {
  readonly dataDir: string;
  readonly log: EventLog;
  readonly link: RelayLink;
  readonly delivery: Pick<Delivery, 'counts' | 'report'>;
  readonly logger: Logger;
}

/** Started by its constructor, but for its listener; `stop` ends the reports. */
export class Monitor {
  readonly readiness: Readiness;
  /** The caller starts and stops it: it answers while the rest of the daemon stops. */
  readonly listener: MetricsListener;
  readonly #published = new EventCounts();
  readonly #status: Status;
  readonly #metrics: Metrics;

  constructor(options: MonitorOptions) {
    const { link, log, delivery, logger } = options;
    const readiness = new Readiness(link);
    const minuteLine = new MinuteLine(logger);
    const sources = {
      ...options,
      ingest: link.ingest,
      published: this.#published,
      disk: new DiskSpace(options.dataDir),
      checks: () => readiness.checks(),
      counts: async () => withinLog(await delivery.counts(), log.stats()),
    };
    this.readiness = readiness;
    this.#metrics = new Metrics(sources);
    this.#status = new Status({
      ...sources,
      report(report) {
        readiness.answered();
        minuteLine.take(report);
        delivery.report(report);
      },
    });
    this.listener = new MetricsListener({
      readMetrics: () => this.#metrics.read(),
      readChecks: sources.checks,
      onError: (error) => logger.error({ error }, 'metrics failed'),
    });
  }

  /** A block has been stored and is about to be sent. */
  count(block: Block): void {
    this.#status.count(block);
    this.#published.count(block);
  }

  /** The log took that long to store a block. */
  written(seconds: number): void {
    this.#metrics.written(seconds);
  }

  /** Makes no more reports. */
  stop(): void {
    this.#status.stop();
  }
}

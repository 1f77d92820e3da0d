// The metrics of what comes in and is kept: relay, ingest, log, disk, readiness. What subscribers get is
// subscriber-metrics.ts. docs/operations.md explains each; a test compares the two.

import type { Compressor } from '../codec/compressor.ts';
import { frameTypes } from '../decode/frame.ts';
import type { TrustedTime } from '../event/trusted-time.ts';
import type { QueueState } from '../ingest/ingest.ts';
import type { IngestTotals } from '../ingest/ingest-totals.ts';
import type { RelayLink } from '../ingest/relay-link.ts';
import type { EventLog } from '../log/event-log.ts';
import { disconnectReasons } from '../upstream/disconnect-reason.ts';
import type { Relay } from '../upstream/relay-url.ts';
import type { DiskSpace } from './disk-space.ts';
import type { EventCounts } from './event-counts.ts';
import { byName, counter, counters, gauge, gauges, type Metric, type Sample } from './metric.ts';
import type { Checks } from './metrics-listener.ts';
import { upstreamLagUs } from './upstream-lag.ts';

/** Where the numbers are. */
export interface DaemonSources {
  readonly version: string;
  readonly workers: number;
  readonly compressor: Pick<Compressor, 'name' | 'dictionaryId'>;
  readonly relays: readonly Relay[];
  readonly totals: IngestTotals;
  readonly published: EventCounts;
  readonly log: Pick<
    EventLog,
    'stats' | 'positions' | 'deletions' | 'coverageTotals' | 'databaseBytes' | 'tableDamages'
  >;
  readonly link: Pick<RelayLink, 'relay' | 'connectedSinceUs' | 'disconnects'>;
  readonly queue: Pick<QueueState, 'newestFrameTimeUs' | 'stalledBy' | 'pendingBytes' | 'isPaused'>;
  readonly disk: Pick<DiskSpace, 'freeBytes' | 'totalBytes'>;
  /** What the data directory may take; 0: no limit. */
  readonly retentionBytes: number;
  /** Now, in microseconds, on the clock that events are stamped with. */
  readonly nowUs: () => number;
  readonly time: Pick<TrustedTime, 'steps' | 'aheadMs'>;
  readonly lostLines: () => number;
  readonly checks: () => Checks;
}

/** The table. */
export function daemonMetrics(sources: DaemonSources): Metric[] {
  const { version, workers, compressor, time, checks } = sources;
  const build = [version, compressor.name, String(compressor.dictionaryId), String(workers)];
  return [
    gauges(
      'slipstream_build_info',
      'What runs; always 1',
      ['version', 'compressor', 'dictionary', 'workers'],
      () => [[build, 1]],
    ),
    gauges('slipstream_check_ok', 'Whether this check of /health/ready holds', ['check'], () =>
      Object.entries(checks()).map(([name, { ok }]): Sample => [[name], ok ? 1 : 0]),
    ),
    counter('slipstream_log_lines_lost_total', 'Lines of the log file that nobody read', sources.lostLines),
    counter('slipstream_clock_steps_total', 'Large steps of the wall clock', () => time.steps),
    gauge(
      'slipstream_clock_ahead_seconds',
      'How far the wall clock is ahead of the time that events get',
      () => time.aheadMs / 1000,
    ),
    ...upstreamMetrics(sources),
    ...ingestMetrics(sources),
    ...logMetrics(sources),
  ];
}

function upstreamMetrics({ relays, link, log, queue, totals, nowUs }: DaemonSources): Metric[] {
  const seconds = (us: number | undefined): number | undefined => (us === undefined ? undefined : us / 1e6);
  return [
    gauges('slipstream_upstream_connected', 'Whether this relay is the one connected', ['relay'], () =>
      byName(relays.map((relay) => [relay.id, relay === link.relay ? 1 : 0])),
    ),
    gauge('slipstream_upstream_connected_timestamp_seconds', 'When the relay was connected', () =>
      seconds(link.connectedSinceUs),
    ),
    gauges('slipstream_upstream_sequence', 'Stored sequence to go on after at this relay', ['relay'], () =>
      relays.flatMap((relay): Sample[] => {
        const seq = log.positions.get(relay.numbering);
        return seq === undefined ? [] : [[[relay.id], seq]];
      }),
    ),
    gauge(
      'slipstream_upstream_newest_frame_timestamp_seconds',
      'Time that the newest frame taken carries',
      () => seconds(queue.newestFrameTimeUs),
    ),
    gauge('slipstream_upstream_lag_seconds', 'Now minus the time that the newest frame taken carries', () =>
      seconds(upstreamLagUs(queue, nowUs())),
    ),
    counters('slipstream_upstream_disconnects_total', 'Connections and attempts that ended', ['reason'], () =>
      byName(disconnectReasons.map((reason) => [reason, link.disconnects.get(reason) ?? 0])),
    ),
    counters('slipstream_relay_outcomes_total', "What happened to a relay's numbering", ['outcome'], () =>
      byName(totals.outcomes),
    ),
  ];
}

function ingestMetrics({ totals, published, queue }: DaemonSources): Metric[] {
  return [
    counters('slipstream_frames_total', 'Frames taken from the relay', ['type'], () =>
      byName(Object.entries(frameTypes).map(([name, type]) => [name, totals.frames[type]])),
    ),
    counter('slipstream_frame_bytes_total', 'Bytes of frames taken from the relay', () => totals.frameBytes),
    counters('slipstream_drops_total', 'Frames and ops that are not in the log', ['reason'], () =>
      byName(totals.drops),
    ),
    counter('slipstream_events_total', 'Events made from frames', () => totals.events),
    counters('slipstream_v1_only_events_total', 'Events that only the first wire shows', ['reason'], () =>
      byName(totals.v1Only),
    ),
    counters('slipstream_published_events_total', 'Events stored and sent', ['kind'], () =>
      byName(published.kinds()),
    ),
    counters(
      'slipstream_published_commits_total',
      'Events of kind commit, by what they do to which collection',
      ['operation', 'collection'],
      () => published.commits().map(([operation, name, count]): Sample => [[operation, name], count]),
    ),
    counters('slipstream_published_bytes_total', 'Bytes of published events in each copy', ['encoding'], () =>
      byName([
        ['json', published.jsonBytes],
        ['zstd', published.zstdBytes],
      ]),
    ),
    counter('slipstream_published_blocks_total', 'Blocks stored and sent', () => published.blocks),
    gauge(
      'slipstream_ingest_queue_bytes',
      'Bytes of blocks that wait to be stored',
      () => queue.pendingBytes,
    ),
    gauge('slipstream_ingest_paused', 'Whether the relay waits for the log', () => Number(queue.isPaused)),
    gauge('slipstream_ingest_stalled', 'Whether the log waits for room on the disk', () =>
      queue.stalledBy === undefined ? 0 : 1,
    ),
  ];
}

function logMetrics({ log, disk, retentionBytes }: DaemonSources): Metric[] {
  return [
    gauge('slipstream_log_stored_events', 'Events in the log', () => log.stats().storedEvents),
    gauge('slipstream_log_stored_bytes', 'Bytes of blocks in the log', () => log.stats().storedBytes),
    gauge('slipstream_log_memory_bytes', 'Bytes of blocks held in memory', () => log.stats().memoryBytes),
    gauge(
      'slipstream_log_first_event_timestamp_seconds',
      'Time of the oldest event',
      () => log.stats().firstTimeUs / 1e6,
    ),
    gauge(
      'slipstream_log_last_event_timestamp_seconds',
      'Time of the newest event',
      () => log.stats().lastTimeUs / 1e6,
    ),
    counters(
      'slipstream_deletions_total',
      'Deletions, by whether the log knows what their record pointed at',
      ['record'],
      () => byName(Object.entries(log.deletions)),
    ),
    counters(
      'slipstream_coverage_rows_total',
      'Findings that events may be missing, or have come twice',
      ['reason'],
      () => byName(log.coverageTotals),
    ),
    counter(
      'slipstream_log_damages_total',
      'Tables of the log that were found damaged',
      () => log.tableDamages,
    ),
    gauge(
      'slipstream_log_limit_bytes',
      'What the data directory may take; 0: no limit',
      () => retentionBytes,
    ),
    gauge('slipstream_disk_free_bytes', 'Free bytes where the log is', () => disk.freeBytes),
    gauge('slipstream_disk_bytes', 'Size of the file system that the log is on', () => disk.totalBytes),
  ];
}

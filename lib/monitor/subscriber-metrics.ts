// The metrics of what goes out: subscribers, deliveries, refusals, threads. All are read from one set of counts, taken of
// all threads when metrics are asked for. docs/operations.md explains each.

import { wantedDidBytes } from '../event/filter.ts';
import type { Counts, DeliveryCounts } from '../worker/delivery-counts.ts';
import { byName, counter, counters, gauge, gauges, type Metric } from './metric.ts';

/** @param counts of all threads, as of the read that is under way. */
export function subscriberMetrics(counts: () => DeliveryCounts): Metric[] {
  const named = (read: (from: DeliveryCounts) => Counts) => () => byName(Object.entries(read(counts())));
  const split = (all: number, zstd: number) =>
    byName([
      ['json', all - zstd],
      ['zstd', zstd],
    ]);
  return [
    gauge('slipstream_subscribers', 'Subscribers connected', () => counts().sessions),
    gauge('slipstream_subscribers_live', 'Subscribers at the newest event', () => counts().live),
    gauge(
      'slipstream_subscribers_behind',
      'Subscribers that catch up',
      () => counts().subscribers - counts().live,
    ),
    gauges('slipstream_subscribers_by_encoding', 'Subscribers that receive', ['encoding'], () =>
      split(counts().subscribers, counts().zstdSubscribers),
    ),
    gauge(
      'slipstream_slowest_subscriber_lag_seconds',
      'How far the slowest subscriber is behind',
      () => counts().slowestLagUs / 1e6,
    ),
    counters('slipstream_delivered_events_total', 'Events written to subscribers', ['encoding'], () =>
      split(counts().deliveredEvents, counts().zstdEvents),
    ),
    counters('slipstream_delivered_bytes_total', 'Bytes written to subscribers', ['encoding'], () =>
      split(counts().deliveredBytes, counts().zstdBytes),
    ),
    counter(
      'slipstream_zstd_without_dictionary_events_total',
      'Events made into zstd frames without a dictionary',
      () => counts().withoutDictionary.events ?? 0,
    ),
    counters(
      'slipstream_zstd_without_dictionary_bytes_total',
      'Bytes of those, and what they take with the dictionary that events are stored with',
      ['dictionary'],
      () => {
        const { bytes = 0, storedBytes = 0 } = counts().withoutDictionary;
        return byName([
          ['none', bytes],
          ['stored', storedBytes],
        ]);
      },
    ),
    counter(
      'slipstream_pacing_waits_total',
      'Waits for the delivery rate of an address',
      () => counts().pacingWaits,
    ),
    counter(
      'slipstream_pacing_wait_seconds_total',
      'How long those waits were',
      () => counts().pacingWaitedMs / 1000,
    ),
    counter('slipstream_sessions_total', 'Subscribers since start', () => counts().sessionsOpened),
    counters(
      'slipstream_session_ends_total',
      'Subscribers that ended',
      ['reason'],
      named((from) => from.sessionEnds),
    ),
    counters(
      'slipstream_refusals_total',
      'Requests to subscribe that were refused',
      ['reason'],
      named((from) => from.refusals),
    ),
    counters(
      'slipstream_misspelt_parameters_total',
      'Subscriptions with a parameter that is nearly a part of a filter, and was ignored',
      ['meant'],
      named((from) => from.misspelt),
    ),
    counters(
      'slipstream_client_messages_total',
      'Messages from subscribers',
      ['outcome'],
      named((from) => from.clientMessages),
    ),
    gauges('slipstream_client_bytes', 'Bytes that clients make the daemon hold', ['kind'], () =>
      byName([...Object.entries(counts().heldBytes), ['filter', counts().wantedDids * wantedDidBytes]]),
    ),
    gauge(
      'slipstream_client_bytes_of_address_max',
      'Most that one address holds in a thread',
      () => counts().heldBytesOfAddress,
    ),
    gauge(
      'slipstream_client_bytes_limit',
      'What clients may make the daemon hold, but for filters and requests that wait',
      () => counts().heldBytesMax,
    ),
    counters(
      'slipstream_client_bytes_shed_total',
      'Connections that had to go for what they held',
      ['bound'],
      named((from) => from.heldShed),
    ),
    counter(
      'slipstream_sockets_refused_total',
      'Connections dropped: too many that are not subscribers',
      () => counts().socketsRefused,
    ),
    counter(
      'slipstream_accepts_failed_total',
      'Connections that the system could not hand over',
      () => counts().acceptsFailed,
    ),
    counters('slipstream_thread_busy_seconds_total', 'Time that a thread had work', ['thread'], () =>
      byName(Object.entries(counts().busyMs).map(([name, ms]) => [name, ms / 1000])),
    ),
  ];
}

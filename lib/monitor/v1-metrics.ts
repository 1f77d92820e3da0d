// Jetstream v1's metrics that mean the same here, by their names and labels there, for dashboards that exist. Each is
// read from one of ours: no number has a source of its own. Clients' addresses are no labels here, and collections that
// are not in our list are `other`.

import { counter, counters, gauge, gauges, type Metric, type Sample, sum } from './metric.ts';

const countedTypes = ['commit', 'identity', 'account', 'error'];

/**
 * @param own the metrics to read from.
 * @param relayIds of all relays: v1 has one, and what is not kept apart here bears the names of all.
 */
export function v1Metrics(own: readonly Metric[], relayIds: readonly string[]): Metric[] {
  const byOwnName = new Map(own.map((metric) => [metric.name, metric]));
  const read = (name: string): Sample[] => [...(byOwnName.get(`slipstream_${name}`) as Metric).read()];
  const total = (name: string) => () => sum(read(name));
  const url = relayIds.join(',');
  const one = (value: number | undefined): Sample[] => (value === undefined ? [] : [[[url], value]]);
  const value = (name: string): number | undefined => read(name)[0]?.[1];
  const nanoseconds = (name: string) => () => one(value(name)).map(([at, s]): Sample => [at, s * 1e9]);
  const stage = (name: string, help: string, from: string) =>
    counters(`consumer_events_${name}_total`, help, ['socket_url'], () => one(sum(read(from))));
  return [
    counters(
      'consumer_events_processed_total',
      'v1: slipstream_frames_total',
      ['event_type', 'socket_url'],
      () =>
        read('frames_total')
          .filter(([[type]]) => countedTypes.includes(type))
          .map(([[type], count]): Sample => [[type, url], count]),
    ),
    counters(
      'consumer_ops_processed_total',
      'v1: slipstream_published_commits_total',
      ['kind', 'op_path', 'socket_url'],
      () =>
        read('published_commits_total').map(
          ([[operation, collection], count]): Sample => [[operation, collection, url], count],
        ),
    ),
    stage('sequenced', 'v1: slipstream_events_total', 'events_total'),
    stage('persisted', 'v1: slipstream_published_events_total', 'published_events_total'),
    stage('emitted', 'v1: slipstream_published_events_total', 'published_events_total'),
    gauges('consumer_last_seq', 'v1: slipstream_upstream_sequence', ['socket_url'], () =>
      read('upstream_sequence'),
    ),
    gauges(
      'consumer_last_evt_created_at',
      'v1: slipstream_upstream_newest_frame_timestamp_seconds, in nanoseconds',
      ['socket_url'],
      nanoseconds('upstream_newest_frame_timestamp_seconds'),
    ),
    gauges(
      'consumer_last_evt_processed_at',
      'v1: slipstream_log_last_event_timestamp_seconds, in nanoseconds',
      ['socket_url'],
      nanoseconds('log_last_event_timestamp_seconds'),
    ),
    gauges(
      'consumer_last_evt_created_evt_processed_gap',
      'v1: slipstream_log_last_event_timestamp_seconds - slipstream_upstream_newest_frame_timestamp_seconds',
      ['socket_url'],
      () => {
        const created = value('upstream_newest_frame_timestamp_seconds');
        return one(
          created === undefined ? undefined : (value('log_last_event_timestamp_seconds') as number) - created,
        );
      },
    ),
    gauge('jetstream_subscribers_connected', 'v1: slipstream_subscribers', total('subscribers')),
    counter(
      'jetstream_events_emitted_total',
      'v1: slipstream_published_events_total',
      total('published_events_total'),
    ),
    counter(
      'jetstream_bytes_emitted_total',
      'v1: slipstream_published_bytes_total of JSON',
      () => read('published_bytes_total').find(([[encoding]]) => encoding === 'json')?.[1],
    ),
    counter(
      'jetstream_events_delivered_total',
      'v1: slipstream_delivered_events_total',
      total('delivered_events_total'),
    ),
    counter(
      'jetstream_bytes_delivered_total',
      'v1: slipstream_delivered_bytes_total',
      total('delivered_bytes_total'),
    ),
  ];
}

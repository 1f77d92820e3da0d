// The metrics of a node of a cluster, which a daemon alone does not have. docs/cluster.md explains each; a test compares the two.

import type { ClusterReport } from './link-state.ts';
import { byName, counter, counters, gauge, gauges, type Metric } from './metric.ts';

/** The table. */
export function clusterMetrics(node: ClusterReport): Metric[] {
  const { counts, nodeId, role } = node;
  const sums = (name: string, help: string, label: string, read: ReadonlyMap<string, number>): Metric =>
    counters(name, help, [label], () => byName(read));
  return [
    gauges('slipstream_cluster_node_info', 'Which node this is; always 1', ['node', 'role'], () => [
      [[nodeId, role], 1],
    ]),
    gauge('slipstream_cluster_writing', 'Whether this node reads the relay and writes', () =>
      Number(node.isWriting),
    ),
    counter('slipstream_cluster_turns_total', 'Times that this node began to write', () => node.turns),
    gauge(
      'slipstream_cluster_sequence',
      "Number of the newest message of the stream in this node's log",
      () => node.sequence,
    ),
    gauge(
      'slipstream_cluster_behind_messages',
      'Messages that are known of and not in the log yet',
      () => node.behind,
    ),
    gauge('slipstream_cluster_caught_up', 'Whether this node has had everything', () =>
      Number(node.isCaughtUp),
    ),
    gauge('slipstream_cluster_connected', 'Whether a NATS server is connected', () =>
      Number(node.isConnected),
    ),
    counter('slipstream_cluster_reconnects_total', 'Connections after the first', () => node.reconnects),
    gauge('slipstream_cluster_heard_seconds', 'Time since the NATS servers were last heard of', () =>
      Number.isFinite(node.heardMs) ? node.heardMs / 1000 : undefined,
    ),
    gauge(
      'slipstream_cluster_clock_skew_seconds',
      "How far this machine's clock is ahead of that of the NATS servers",
      () => node.clockSkewMs / 1000,
    ),
    sums(
      'slipstream_cluster_appends_total',
      'Blocks, by how their way into the stream ended',
      'end',
      counts.appends,
    ),
    sums('slipstream_cluster_retries_total', 'Attempts that were made again', 'reason', counts.retries),
    sums(
      'slipstream_cluster_follows_total',
      'Messages by where they came from, and doubts',
      'note',
      counts.follows,
    ),
    sums('slipstream_cluster_lease_total', 'What became of the lease', 'note', counts.leases),
  ];
}

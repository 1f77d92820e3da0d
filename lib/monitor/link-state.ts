// What is looked at of the way in, whoever it is: the relay's link of a daemon alone, or a node of a cluster, which has one only while it
// writes. Numbers and states; nothing here does anything.

import type { ClusterCounts } from '../cluster/cluster-counts.ts';
import type { NodeNote } from '../cluster/roster.ts';
import type { QueueState } from '../ingest/ingest.ts';
import type { RelayLink } from '../ingest/relay-link.ts';

/** Of the way in. */
export interface LinkState extends Pick<RelayLink, 'relay' | 'connectedSinceUs' | 'failure' | 'disconnects'> {
  readonly ingest: { readonly queue: QueueState };
}

/** Of a node of a cluster. */
export interface ClusterReport {
  readonly nodeId: string;
  readonly role: 'both' | 'ingest' | 'serve';
  readonly counts: ClusterCounts;
  readonly isWriting: boolean;
  /** Turns as the writer since start. */
  readonly turns: number;
  /** The node that wrote the newest message; empty before one was seen. */
  readonly writerId: string;
  /** Of the newest message in this node's log. */
  readonly sequence: number;
  /** Messages that are known of and not here yet. */
  readonly behind: number;
  /** Whether it has had all there was at least once since it last began to follow. */
  readonly isCaughtUp: boolean;
  readonly isConnected: boolean;
  readonly reconnects: number;
  /** Milliseconds since the servers were last heard of. */
  readonly heardMs: number;
  /** How far this machine's clock is ahead of the servers', in milliseconds. */
  readonly clockSkewMs: number;
  /** This node and the others, as far as they tell of themselves. */
  readonly nodes: readonly NodeNote[];
}

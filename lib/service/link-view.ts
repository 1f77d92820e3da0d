// What those see of a cluster's node who look at its way in: the relay's link while there is one, and the queue of whoever fills the log
// at the moment. It holds nothing.

import type { QueueState } from '../ingest/ingest.ts';
import type { RelayLink } from '../ingest/relay-link.ts';
import type { LinkState } from '../monitor/link-state.ts';

/** See the file comment. */
export function linkView(
  disconnects: LinkState['disconnects'],
  link: () => RelayLink | undefined,
  queue: () => QueueState,
): LinkState {
  return {
    disconnects,
    get relay() {
      return link()?.relay;
    },
    get connectedSinceUs() {
      return link()?.connectedSinceUs;
    },
    get failure() {
      return link()?.failure;
    },
    ingest: { queue: queueView(queue) },
  };
}

/** The queue that there is at the moment. */
function queueView(queue: () => QueueState): QueueState {
  return {
    get stalledBy() {
      return queue().stalledBy;
    },
    get pendingBytes() {
      return queue().pendingBytes;
    },
    get isPaused() {
      return queue().isPaused;
    },
    get isStoring() {
      return queue().isStoring;
    },
    get isOver() {
      return queue().isOver;
    },
    get idleMs() {
      return queue().idleMs;
    },
    get writingMs() {
      return queue().writingMs;
    },
    get newestFrameTimeUs() {
      return queue().newestFrameTimeUs;
    },
  };
}

// The seam between the pull loop and a client's connection: batches of wire-ready bytes on one side, a socket on the
// other. Transports own their socket; the pull loop owns positions and filters.
import type { Filter } from '../event/filter.ts';

/** Which copy of the events a subscriber receives. */
export type Encoding = 'json' | 'zstd';

/** A client's connection, as the pull loop sees it. */
export interface Transport {
  readonly encoding: Encoding;
  /** The client's address, for limits that count all its connections together. */
  readonly remoteAddress: string;
  /**
   * Takes whole WebSocket frames, in order. The bytes are shared with other subscribers: never written to.
   * Returns false when the socket is full; the transport then calls `Subscriber.drained` once it is not.
   */
  write(bytes: Uint8Array): boolean;
  /** Ends the connection with a close frame; `reason` is cut to what a close frame holds. */
  close(code: number, reason: string): void;
}

/** A position in the log, a filter and a transport: the handle that `Fanout.subscribe` returns. */
export interface Subscription {
  /** Replaces the whole filter, from the next block on. */
  setFilter(filter: Filter): void;
  /** The transport's socket takes bytes again. */
  drained(): void;
  /** Forgets the subscriber. Idempotent; does not close the transport. */
  end(): void;
}

/** Where a session attaches its transport. Implemented by the pull loop. */
export interface SubscriptionSource {
  /** Starts delivery of every event with `time_us` greater than `afterTimeUs`; `undefined` is live from now on. */
  subscribe(transport: Transport, filter: Filter, afterTimeUs: number | undefined): Subscription;
}

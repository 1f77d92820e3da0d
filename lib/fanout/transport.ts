// The seam between the delivery loop and a client's connection: batches of wire-ready bytes on one side, a socket on the
// other. Transports own their socket, and what a client is told; the delivery loop owns positions and filters.

import type { Gap } from '../event/coverage.ts';
import type { Filter } from '../event/filter.ts';
import type { Encoding } from './encodings.ts';

/** How far a subscriber has got. */
export interface Progress {
  /** Everything that matches up to here has been sent: a subscription after it misses nothing and gets nothing twice. */
  readonly positionUs: number;
  /** `time_us` of the newest event; never less than `positionUs`. */
  readonly newestUs: number;
  /** Whether the next event is sent as soon as it is there; false while catching up. */
  readonly live: boolean;
}

/**
 * Why the delivery loop ends a connection: no room for its filter, in all or of its address, the log could not be read, or memory is
 * short.
 */
export type CloseReason = 'no_room' | 'no_room_of_address' | 'delivery_failed' | 'memory_short';

/** A client's connection, as the delivery loop sees it. Of these calls only `close` may call back into the loop. */
export interface Transport {
  readonly encoding: Encoding;
  /** The client's address, for limits that count all its connections together. */
  readonly remoteAddress: string;
  /** Whether `progress` is to be called. Fixed. */
  readonly wantsProgress: boolean;
  /** Whether `gap` is to be called. Fixed; who does not want it pays nothing for it. */
  readonly wantsGaps: boolean;
  /**
   * The last `time_us` that is of any use; absent: there is none. Once everything up to there has been sent, `progress`
   * is called, whether it is wanted or not, and the subscription ends.
   */
  readonly throughUs?: number;
  /**
   * Takes whole messages, in order. The bytes are shared with other subscribers: never written to.
   * Returns false when the socket is full; the transport then calls `Subscription.drained` once it is not.
   */
  write(bytes: Uint8Array): boolean;
  /** False when the system has all that was written: nobody reads the bytes of the last `write` any more. Absent: that is not known. */
  readonly hasUnsent?: boolean;
  /**
   * Takes note of the progress: at the newest event, when it is reached for the first time or again, and every few seconds, but
   * not while the socket is full.
   */
  progress(report: Progress): void;
  /**
   * Says that events may be missing, or come twice, at this place in the stream. Returns as `write` does.
   */
  gap(gap: Gap): boolean;
  /** Ends the connection; the client is told why, where that can still be said. */
  close(reason: CloseReason): void;
}

/** A position in the log, a filter and a transport: the handle that `Fanout.subscribe` returns. */
export interface Subscription {
  /** Every event up to here has been written to the transport, or did not match. */
  readonly positionUs: number;
  /**
   * Replaces the whole filter: for every event after those that have been sent or passed over. It may end the
   * connection, with the reasons of {@link SubscriptionSource.subscribe}.
   */
  setFilter(filter: Filter): void;
  /** The transport's socket takes bytes again. */
  drained(): void;
  /** Forgets the subscriber. Idempotent; does not close the transport. */
  end(): void;
}

/** Where a session attaches its transport. Implemented by the delivery loop. */
export interface SubscriptionSource {
  /**
   * Starts delivery of every event with `time_us` greater than `afterTimeUs`; `undefined` is live from now on. Before it
   * returns it may call `progress`, and, when there is no room for the filter's DIDs, `close`.
   */
  subscribe(transport: Transport, filter: Filter, afterTimeUs: number | undefined): Subscription;
}

// The seam between the pull loop and a client's connection: batches of wire-ready bytes on one side, a socket on the
// other. Transports own their socket; the pull loop owns positions and filters.
import type { Filter } from '../event/filter.ts';
import type { BlockIndex } from '../log/block.ts';

/** Messages of consecutive events, and where each of them ends. */
export interface Messages {
  readonly messages: Uint8Array;
  readonly ends: Uint32Array;
}

/** The form in which a subscriber receives events. */
export interface Encoding {
  /** Unique: subscribers share bytes when this and their filter are equal. */
  readonly name: string;
  /** The stored copy that it is made from. */
  readonly stored: 'json' | 'zstd';
  /** Present when what is sent is zstd: counted apart. */
  readonly compressed?: true;
  /**
   * Makes other messages, one for each event, of the stored ones; absent: those are sent as they are. Called once for the
   * newest block, however many receive it, and once for each block that a replay reads. Must not throw.
   */
  readonly recode?: (index: BlockIndex, messages: Uint8Array) => Messages;
}

/** The stored copies as they are. */
export const encodings: Readonly<Record<'json' | 'zstd', Encoding>> = {
  json: { name: 'json', stored: 'json' },
  zstd: { name: 'zstd', stored: 'zstd', compressed: true },
};

/** How far a subscriber has got. */
export interface Progress {
  /** Everything that matches up to here has been sent: who starts after it misses nothing and gets nothing twice. */
  readonly positionUs: number;
  /** `time_us` of the newest event; never less than `positionUs`. */
  readonly tipUs: number;
  /** Whether the next event is sent as soon as it is there; false while catching up. */
  readonly live: boolean;
}

/** A client's connection, as the pull loop sees it. Of these calls only `close` may call back into the loop. */
export interface Transport {
  readonly encoding: Encoding;
  /** The client's address, for limits that count all its connections together. */
  readonly remoteAddress: string;
  /** Whether `progress` is to be called. Fixed. */
  readonly wantsProgress: boolean;
  /**
   * The last `time_us` that is of any use; absent: there is none. Once everything up to there has been sent, `progress`
   * is called, whether it is wanted or not, and the subscription ends.
   */
  readonly throughUs?: number;
  /**
   * Takes whole WebSocket messages, in order. The bytes are shared with other subscribers: never written to.
   * Returns false when the socket is full; the transport then calls `Subscription.drained` once it is not.
   */
  write(bytes: Uint8Array): boolean;
  /**
   * Takes note of the progress: at the tip, when it is reached for the first time or again, and every few seconds, but
   * not while the socket is full.
   */
  progress(report: Progress): void;
  /** Ends the connection with a close frame; `reason` is cut to what a close frame holds. */
  close(code: number, reason: string): void;
}

/** A position in the log, a filter and a transport: the handle that `Fanout.subscribe` returns. */
export interface Subscription {
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

/** Where a session attaches its transport. Implemented by the pull loop. */
export interface SubscriptionSource {
  /**
   * Starts delivery of every event with `time_us` greater than `afterTimeUs`; `undefined` is live from now on. Before it
   * returns it may call `progress`, and, when there is no room for the filter's DIDs, `close` with code 1013.
   */
  subscribe(transport: Transport, filter: Filter, afterTimeUs: number | undefined): Subscription;
}

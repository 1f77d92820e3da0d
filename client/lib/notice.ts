// What a stream tells about itself: a snapshot when asked, and notices as things happen. Types only.

import type { EndReason } from './connection.ts';
import type { Gap, MalformedReason, Progress, Told } from './event.ts';
import type { WireName } from './wire.ts';

/** What a stream is doing. */
export type StreamState =
  /** Before the first `next()`. */
  | 'idle'
  | 'connecting'
  | 'open'
  /** Disconnected until the consumer has caught up. */
  | 'paused'
  /** Until the next attempt. */
  | 'waiting'
  | 'ended';

/** A snapshot of a stream. */
export interface StreamStatus {
  readonly state: StreamState;
  /** What is spoken; `v1` also where the server turned out to have no other. */
  readonly wire: WireName;
  /** Where to subscribe again after everything that the consumer has finished. */
  readonly cursor: number | undefined;
  /** `time_us` up to which events have arrived. */
  readonly newestUs: number | undefined;
  /** No older events are being replayed: what the server says, or else what the clock does. */
  readonly live: boolean;
  /** From `newestUs` to now, in microseconds; 0 when live. */
  readonly lagUs: number | undefined;
  /** What waits for the consumer. */
  readonly queuedEvents: number;
  readonly queuedBytes: number;
  /** Events handed to the consumer. */
  readonly delivered: number;
  /** Events that came again and were dropped. */
  readonly repeated: number;
  readonly malformed: Readonly<Record<MalformedReason, number>>;
  /** Connections that were open. */
  readonly connections: number;
  /** Connections ended because the consumer was slower than the server. */
  readonly pauses: number;
}

/** A connection is over, or an attempt at one. */
export interface Disconnected {
  readonly kind: 'disconnected';
  readonly why: EndReason | 'no_dictionary';
  /** Of the close frame; 1006 when there was none. */
  readonly code: number;
  /** The server's words, of foreign origin; may be empty. */
  readonly reason: string;
  /** Status of the server's answer to the same request over plain HTTP, when the handshake failed. */
  readonly status: number | undefined;
  /** How that answer begins, when it is of 400 to 499; of foreign origin, may be empty. */
  readonly words: string;
  /** Why there was no connection and no answer, as far as the runtime tells: `ECONNREFUSED`, `ENOTFOUND`. */
  readonly cause: string | undefined;
  /** Until the next attempt. */
  readonly retryMs: number;
}

/** What happens to a stream beside events. */
export type StreamNotice =
  | { readonly kind: 'connected' }
  | Disconnected
  /** The queue is full; the stream goes on once half of it is empty. */
  | { readonly kind: 'paused' }
  | ({ readonly kind: 'progress' } & Progress)
  /** Once for each. Told when it arrives: events from before it may still wait for the consumer. */
  | ({ readonly kind: 'gap' } & Gap)
  /** What a server of the v2 wire says about the stream, such as that it starts later than was asked for. */
  | ({ readonly kind: 'info' } & Told)
  /** The replay is over, for the first time or again. */
  | { readonly kind: 'caught_up' }
  /** `text` is the start of the message, of foreign origin; empty for a message that could not be decompressed. */
  | { readonly kind: 'malformed'; readonly reason: MalformedReason; readonly text: string }
  | { readonly kind: 'save_failed'; readonly error: unknown };

// Every bound and interval of the upstream connection, with its unit. No behaviour lives here; tests shorten the
// intervals through `Timing`.

import type { BackoffLimits } from '../backoff.ts';

/**
 * Longest message accepted, in bytes: three times the 5 MB that the protocol allows. ws gathers a message before it
 * hands it over, so this is also what a relay can make us hold.
 */
export const frameMaxBytes = 16 * 1024 * 1024;

/**
 * Fragments of one message: the longest one in pieces of 1 KiB, the smallest that servers write. Each pins the socket
 * chunk that it came in, which is as long as what was read. So a message holds what it was on the wire: its payload, up to
 * ten bytes a fragment, the control frames in between, and what stands beside its first and last piece.
 */
export const fragmentsMax = 16_384;

/** Pings and pongs inside one message, of up to 127 bytes: without a bound they could make each fragment pin 64 KiB. */
export const controlFramesMax = 16_384;

/** Socket chunks gathered for one message: the largest message in chunks of 512 bytes, the smallest TCP segments seen. */
export const bufferedChunksMax = 32_768;

/**
 * Bytes of frames that may still be delivered after `pause()` was called from inside `frame()`: what is left of the
 * one socket chunk being parsed. A chunk is one read, which Node bounds at 64 KiB.
 */
export const framesAfterPauseMaxBytes = 64 * 1024;

/** Longest `detail` of a disconnect, in characters: peers write part of it, and it goes into logs. */
export const detailMaxChars = 200;

/**
 * How long each address of a host is tried before the next, in milliseconds. Node's own 250 or 500 give up a relay that is
 * far, or whose first packet was lost and goes out again after a second, when it has addresses of both families.
 */
export const addressAttemptMs = 2_000;

/** Intervals of the connection, all in milliseconds. */
export interface Timing extends BackoffLimits {
  /** From the start of an attempt (name lookup included) until the WebSocket is open. */
  readonly handshakeTimeoutMs: number;
  /** Between pings; also how long the answer to one may take. */
  readonly pingIntervalMs: number;
  /** From a close frame, theirs or ours, until the socket is destroyed. */
  readonly closeTimeoutMs: number;
  /** Life of a connection with frames on it from which on the back-off starts over. */
  readonly deliveringAfterMs: number;
  /** How long the socket is not read once what had come was, so that frames come together (sips.ts); 0: not at all. */
  readonly restMs: number;
}

/** What a daemon runs with. */
export const defaultTiming: Timing = {
  handshakeTimeoutMs: 20_000,
  pingIntervalMs: 30_000,
  closeTimeoutMs: 2_000,
  deliveringAfterMs: 5_000,
  restMs: 0,
  retryMinMs: 100,
  retryFirstMs: 500,
  retryMaxMs: 30_000,
};

/** Frames on one connection from which on the back-off starts over, however short its life: a catch-up cut off. */
export const deliveringFrames = 64;

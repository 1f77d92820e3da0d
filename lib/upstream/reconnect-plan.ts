// Which relay is tried next, and when: a reducer over ended attempts. It owns no timer and no socket, and does not
// know why an attempt ended, only whether it delivered and whether we asked for the end. Called by `Upstream`.

import { type BackoffLimits, retryDelayMs } from '../backoff.ts';
import { deliveringFrames } from './limits.ts';

/** One attempt to come. */
export interface Attempt {
  /** Index of the relay in the configured list. */
  readonly relayIndex: number;
  /** Wait before it, in milliseconds. */
  readonly delayMs: number;
  /** Attempts in a row that have not delivered. */
  readonly failures: number;
  /** An at-once retry was spent and no connection has delivered since: the next request has to wait its turn. */
  readonly usedImmediateRetry: boolean;
}

/** How an attempt ended. */
export interface AttemptEnd {
  /** It was a connection with frames on it, by `isDelivering`. */
  readonly delivered: boolean;
  /** We dropped it ourselves to connect again. */
  readonly requested: boolean;
}

/** The attempt after `start()`: the first relay, at once. */
export const firstAttempt: Attempt = { relayIndex: 0, delayMs: 0, failures: 0, usedImmediateRetry: false };

/**
 * Whether a connection counts as one that delivers, so that the back-off starts over. One frame does not do: a relay
 * that answers every connection with one error frame and a close would be hammered.
 */
export function isDelivering(frames: number, openForMs: number, deliveringAfterMs: number): boolean {
  return frames >= deliveringFrames || (frames > 0 && openForMs >= deliveringAfterMs);
}

/**
 * The attempt after one that ended. A relay that delivered is tried once more, soon; one that did not gives way to the
 * next in the list, after a growing wait. A requested end retries the same relay at once, but only once until a
 * connection delivers: after that it counts as a failure, so that no handler can make us spin.
 */
export function nextAttempt(
  last: Attempt,
  end: AttemptEnd,
  relays: number,
  random: () => number,
  limits: BackoffLimits,
): Attempt {
  const failures = end.delivered ? 0 : last.failures + 1;
  const usedImmediateRetry = last.usedImmediateRetry && !end.delivered;
  if (end.requested && !usedImmediateRetry)
    return { relayIndex: last.relayIndex, delayMs: 0, failures, usedImmediateRetry: true };
  return {
    relayIndex: end.delivered ? last.relayIndex : (last.relayIndex + 1) % relays,
    delayMs: retryDelayMs(failures, random, limits),
    failures,
    usedImmediateRetry,
  };
}

/** A waiting attempt when a reconnect is requested: at once, unless that was spent already (then as it was). */
export function immediateAttempt(waiting: Attempt): Attempt {
  return waiting.usedImmediateRetry ? waiting : { ...waiting, delayMs: 0, usedImmediateRetry: true };
}

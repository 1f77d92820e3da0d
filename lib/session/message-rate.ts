// How much one client may send in messages, and how long each may take. Sessions ask it and end as it says; what messages
// hold while they come is held-bytes.ts's.

import { filterTextBytesMax } from '../wire/wanted-filter.ts';

/** Bytes a second that a client may send for long: three filters of 10,000 DIDs. */
export const clientBytesPerSecondMax = 1_000_000;
/** Bytes that a client may send at once: the longest message, and change. */
const burstBytes = filterTextBytesMax + 100_000;
/** What the shortest message or ping counts for, in bytes: handling it takes about as long as reading so much. */
const messageBytesMin = 1000;

/** From a message's first byte to its last, in milliseconds. */
export const messageTimeoutMs = 30_000;

/** See the file comment. */
export class MessageRate {
  /** When all that was sent is as old as the rate allows, in milliseconds. */
  #paidUntilMs = 0;

  /** Counts a message of so many bytes; false when it is too much. */
  take(bytes: number, nowMs: number): boolean {
    const costMs = (Math.max(bytes, messageBytesMin) * 1000) / clientBytesPerSecondMax;
    this.#paidUntilMs = Math.max(this.#paidUntilMs, nowMs) + costMs;
    return this.#paidUntilMs - nowMs <= (burstBytes * 1000) / clientBytesPerSecondMax;
  }
}

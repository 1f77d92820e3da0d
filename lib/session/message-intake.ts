// What clients' messages may cost a listener: bytes a second of each client, and bytes of messages, and of bodies, that
// have begun and not ended or wait to be read, of all clients together. It owns the bounds, the sums and the turns at reading
// what is long; sessions and lib/http/request-body.ts report to it and end as it says.

import { filterTextBytesMax } from '../wire/wanted-filter.ts';
import { Turns } from './turns.ts';

/** Bytes a second that a client may send for long: three filters of 10,000 DIDs. */
export const clientBytesPerSecondMax = 1_000_000;
/** Bytes that a client may send at once: the longest message, and change. */
const burstBytes = filterTextBytesMax + 100_000;
/** What the shortest message or ping counts for, in bytes: handling it takes about as long as reading so much. */
const messageBytesMin = 1000;

/** Unfinished bytes that everyone may hold: about what a socket has in any case. */
const freeBytes = 64 * 1024;
/** Unfinished bytes of those that hold more than `freeBytes`, together. */
const unfinishedBytesMax = 64 * 1024 * 1024;

/** From a message's first byte to its last, in milliseconds. */
export const messageTimeoutMs = 30_000;

/** How much one client sends. */
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

/** Who holds an unfinished message or body. */
export interface Holder {
  /** Lets go of what it holds, for want of room, and ends. */
  shed(): void;
}

/** See the file comment. */
export class MessageIntake {
  /** For reading what is long. */
  readonly turns = new Turns();
  /** Those with more than `freeBytes`: few, because of what they hold together. */
  readonly #held = new Map<Holder, number>();
  #bytes = 0;

  /** Unfinished bytes that count. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Notes how much one holds now. When there is no room, those that hold most are shed, this one or others. */
  holds(holder: Holder, bytes: number): void {
    const before = this.#held.get(holder);
    if (bytes <= freeBytes) {
      if (before === undefined) return;
      this.#held.delete(holder);
      this.#bytes -= before;
      return;
    }
    this.#held.set(holder, bytes);
    this.#bytes += bytes - (before ?? 0);
    while (this.#bytes > unfinishedBytesMax) this.#shedLargest();
  }

  #shedLargest(): void {
    let [largest, mostBytes] = [undefined as Holder | undefined, 0];
    for (const [holder, bytes] of this.#held) {
      if (bytes > mostBytes) [largest, mostBytes] = [holder, bytes];
    }
    if (largest === undefined) return;
    this.holds(largest, 0);
    largest.shed();
  }
}

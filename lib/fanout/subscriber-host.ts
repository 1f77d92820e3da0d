// What a subscriber and the loop that drives it agree on: the phases that it goes through, and what it asks of the loop.
// Implemented by fanout.ts, used by subscriber.ts.

import type { LogReader } from '../log/event-log.ts';
import type { AddressTable } from './address-table.ts';
import type { Batch } from './batch.ts';
import type { NewestBlock } from './encoding.ts';
import type { FutureSubscribers } from './future-subscribers.ts';
import type { GroupIndex } from './group-index.ts';
import type { Subscriber } from './subscriber.ts';
import type { Encoding } from './transport.ts';

/** What a subscriber is doing; exactly one at any time. */
export const phases = {
  /** At the published position with a free socket: the next published block is pushed to it. */
  live: 0,
  /** Behind, waiting for its turn in the catch-up queue. */
  queued: 1,
  /** Its socket is full. */
  full: 2,
  /** Waits for the log to read. */
  reading: 3,
  /** Its address has had its share: waits for the delivery rate. */
  paced: 4,
  /** Its position is ahead of the published one. */
  future: 5,
  ended: 6,
} as const;
export type Phase = (typeof phases)[keyof typeof phases];

/** What a subscriber needs from the loop that drives it. */
export interface SubscriberHost {
  readonly log: LogReader;
  readonly rates: AddressTable;
  readonly groups: GroupIndex;
  readonly newest: NewestBlock;
  readonly future: FutureSubscribers;
  /** The position of everyone who is live. */
  readonly publishedUs: number;
  /** Gives the subscriber a {@link Subscriber.turn} soon, behind the others that wait. */
  enqueue(subscriber: Subscriber): void;
  /** Calls {@link Subscriber.read} once the log has time for it. */
  enqueueRead(subscriber: Subscriber): void;
  /** Called for every non-empty write. */
  delivered(batch: Batch, encoding: Encoding): void;
  ended(subscriber: Subscriber): void;
  readFailed(error: unknown): void;
}

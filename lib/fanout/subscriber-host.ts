// What a subscriber (subscriber.ts) needs from the delivery loop that drives it (fanout.ts). Types alone.

import type { LogReader } from '../log/event-log.ts';
import type { AddressTable } from './address-table.ts';
import type { Batch } from './batch.ts';
import type { Encoding, NewestBlock } from './encodings.ts';
import type { FutureSubscribers } from './future-subscribers.ts';
import type { GroupIndex } from './group-index.ts';
import type { RecentDids } from './recent-dids.ts';

/** What a subscriber needs from the loop that drives it. Implemented by fanout.ts. */
export interface SubscriberHost<Subscriber> {
  readonly log: LogReader;
  readonly rates: AddressTable;
  readonly groups: GroupIndex;
  readonly newest: NewestBlock;
  readonly recentDids: RecentDids;
  readonly future: FutureSubscribers;
  /** The position of all live subscribers. */
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

// The pull loop: all subscribers, the groups they form, and the queue of those who catch up. It knows transports, not
// sockets, and the log, not LevelDB. Driven by lib/service, which calls `publish` after each stored block.

import { DidHasher } from '../event/did-hash.ts';
import type { Filter } from '../event/filter.ts';
import type { Block } from '../log/block.ts';
import type { EventLog } from '../log/event-log.ts';
import type { DeliveryRates } from './delivery-rate.ts';
import { Group } from './group.ts';
import { type Batch, filterKey, Selection } from './selection.ts';
import { Subscriber, type SubscriberHost } from './subscriber.ts';
import type { Encoding, Subscription, SubscriptionSource, Transport } from './transport.ts';

/** Turns given per event-loop round, so that sockets and ingest get their share between them: a few milliseconds. */
const turnsPerRound = 8;
/** Reads of the log under way. Node has four threads for them; and each delivers up to a megabyte when it is done. */
const readsMax = 4;

/** Sums since start. */
export interface FanoutTotals {
  events: number;
  bytes: number;
}

/** Delivers the log to its subscribers. */
export class Fanout implements SubscriptionSource, SubscriberHost {
  readonly log: EventLog;
  readonly rates: DeliveryRates;
  readonly totals: FanoutTotals = { events: 0, bytes: 0 };
  readonly #hasher: DidHasher;
  readonly #groups = new Map<string, Group>();
  readonly #subscribers = new Set<Subscriber>();
  readonly #onReadError: (error: unknown) => void;
  #queue: Subscriber[] = [];
  #readQueue: Subscriber[] = [];
  #reads = 0;
  #scheduled = false;
  readonly #round = (): void => this.#runRound();

  /** @param onReadError told of every failed read of the log, once per subscriber that it ends. */
  constructor(log: EventLog, rates: DeliveryRates, onReadError: (error: unknown) => void) {
    this.log = log;
    this.rates = rates;
    this.#hasher = new DidHasher(log.didHashKey);
    this.#onReadError = onReadError;
  }

  /** Subscribers that receive or are caught up. */
  get subscriberCount(): number {
    return this.#subscribers.size;
  }

  subscribe(transport: Transport, filter: Filter, afterTimeUs: number | undefined): Subscription {
    const subscriber = new Subscriber(this, transport, filter, afterTimeUs ?? this.log.lastTimeUs);
    this.#subscribers.add(subscriber);
    this.enqueue(subscriber);
    return subscriber;
  }

  /** Sends a block that the log has just stored to every subscriber at the tip. Blocks come in the log's order. */
  publish(block: Block): void {
    if (block.index.count === 0) return;
    for (const group of this.#groups.values()) group.publish(block);
  }

  enqueue(subscriber: Subscriber): void {
    this.#queue.push(subscriber);
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(this.#round);
  }

  enqueueRead(subscriber: Subscriber): void {
    this.#readQueue.push(subscriber);
    this.#startReads();
  }

  groupOf(filter: Filter, encoding: Encoding): Group {
    const key = `${encoding} ${filterKey(filter)}`;
    let group = this.#groups.get(key);
    if (group === undefined) {
      group = new Group(new Selection(filter, this.#hasher), encoding, () => this.#groups.delete(key));
      this.#groups.set(key, group);
    }
    return group;
  }

  delivered(batch: Batch): void {
    this.totals.events += batch.events;
    this.totals.bytes += batch.bytes.length;
  }

  ended(subscriber: Subscriber): void {
    this.#subscribers.delete(subscriber);
  }

  readFailed(error: unknown): void {
    this.#onReadError(error);
  }

  #startReads(): void {
    while (this.#reads < readsMax) {
      const subscriber = this.#readQueue.shift();
      if (subscriber === undefined) return;
      this.#reads++;
      void subscriber.read().then(this.#readDone);
    }
  }

  readonly #readDone = (): void => {
    this.#reads--;
    this.#startReads();
  };

  #runRound(): void {
    const turns = this.#queue.splice(0, turnsPerRound);
    for (const subscriber of turns) subscriber.turn();
    this.#scheduled = this.#queue.length > 0;
    if (this.#scheduled) setImmediate(this.#round);
  }
}

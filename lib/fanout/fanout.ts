// The pull loop: all subscribers, the groups they form, and the queue of those who catch up. It knows transports, not
// sockets, and the log, not LevelDB. Driven by lib/service, which calls `publish` after blocks have been stored.

import { DidHasher } from '../event/did-hash.ts';
import type { Filter } from '../event/filter.ts';
import type { Block } from '../log/block.ts';
import type { LogReader } from '../log/event-log.ts';
import type { AddressTable } from './address-table.ts';
import type { Batch } from './batch.ts';
import { NewestBlock } from './encoding.ts';
import { FutureSubscribers } from './future-subscribers.ts';
import { GroupIndex } from './group-index.ts';
import { ProgressTimer } from './progress-timer.ts';
import { PublishBatch } from './publish-batch.ts';
import { refuse, Subscriber } from './subscriber.ts';
import type { SubscriberHost } from './subscriber-host.ts';
import type { Encoding, Subscription, SubscriptionSource, Transport } from './transport.ts';

/** Turns given per event-loop round, so that sockets and ingest get their share between them: a few milliseconds. */
const turnsPerRound = 8;

export interface FanoutOptions {
  /** Reads of the log under way. Each delivers up to a megabyte when it is done. */
  readonly readsMax: number;
  /** Between reports to those who want progress. */
  readonly progressIntervalMs: number;
  /** Most wanted DIDs and subjects, of all distinct filters together: up to 48 bytes each. */
  readonly wantedDidsMax: number;
  /**
   * JSON bytes of blocks that are sent by one write, and before anything else gets its turn: as much as a full block,
   * because a full socket keeps it all.
   */
  readonly roundBytesMax: number;
  /** JSON bytes of blocks that may wait to be sent: with more coming in than goes out, everyone takes them from the log. */
  readonly unsentBytesMax: number;
}

export const defaultFanoutOptions: FanoutOptions = {
  // As many threads as Node has for them.
  readsMax: 4,
  progressIntervalMs: 5_000,
  wantedDidsMax: 10_000_000,
  roundBytesMax: 256 * 1024,
  unsentBytesMax: 8 * 1024 * 1024,
};

/** How the subscribers stand. */
export interface SubscriberStats {
  readonly subscribers: number;
  /** Those of them at the tip. */
  readonly live: number;
  /** Those that receive zstd. */
  readonly zstdSubscribers: number;
  /** How far the slowest is behind what has been published. */
  readonly slowestLagUs: number;
}

/** Sums since start: of all, and of that what was zstd. */
export interface FanoutTotals {
  events: number;
  bytes: number;
  zstdEvents: number;
  zstdBytes: number;
}

/** Delivers the log to its subscribers. */
export class Fanout implements SubscriptionSource, SubscriberHost {
  readonly log: LogReader;
  readonly rates: AddressTable;
  readonly groups: GroupIndex;
  readonly newest = new NewestBlock();
  readonly future = new FutureSubscribers();
  readonly totals: FanoutTotals = { events: 0, bytes: 0, zstdEvents: 0, zstdBytes: 0 };
  /**
   * Subscribers get the log up to here; what it holds beyond is about to be published. It is the position of everyone
   * who is live: they are not touched by a block that has nothing for them.
   */
  publishedUs: number;
  readonly #progress: ProgressTimer;
  readonly #publishing: PublishBatch;
  readonly #onReadError: (error: unknown) => void;
  readonly #options: FanoutOptions;
  readonly #subscribers = new Set<Subscriber>();
  /** Blocks that are stored and not published, oldest first. */
  #unsent: Block[] = [];
  #unsentBytes = 0;
  /** Another round is under way or comes soon. */
  #isSending = false;
  #queue: Subscriber[] = [];
  #readQueue: Subscriber[] = [];
  #reads = 0;
  #scheduled = false;
  readonly #round = (): void => this.#runRound();

  /** @param onReadError told of every failed read of the log, once per subscriber that it ends. */
  constructor(
    log: LogReader,
    rates: AddressTable,
    onReadError: (error: unknown) => void,
    options: Partial<FanoutOptions> = {},
  ) {
    this.#options = { ...defaultFanoutOptions, ...options };
    const { progressIntervalMs, wantedDidsMax } = this.#options;
    this.log = log;
    this.rates = rates;
    this.groups = new GroupIndex(new DidHasher(log.didHashKey), wantedDidsMax);
    this.publishedUs = log.lastTimeUs;
    this.#progress = new ProgressTimer(progressIntervalMs);
    this.#publishing = new PublishBatch(this.groups, this.newest);
    this.#onReadError = onReadError;
  }

  /** Looks at every subscriber. */
  stats(): SubscriberStats {
    let live = 0;
    let zstdSubscribers = 0;
    let slowestUs = this.publishedUs;
    for (const subscriber of this.#subscribers) {
      if (subscriber.isLive) live++;
      if (subscriber.transport.encoding.compressed) zstdSubscribers++;
      slowestUs = Math.min(slowestUs, subscriber.positionUs);
    }
    const subscribers = this.#subscribers.size;
    return { subscribers, live, zstdSubscribers, slowestLagUs: this.publishedUs - slowestUs };
  }

  subscribe(transport: Transport, filter: Filter, afterTimeUs: number | undefined): Subscription {
    const group = this.groups.hold(filter, transport.encoding);
    if (group === undefined) {
      refuse(transport);
      return refused;
    }
    const subscriber = new Subscriber(this, transport, group, afterTimeUs ?? this.publishedUs);
    this.#subscribers.add(subscriber);
    if (transport.wantsProgress) this.#progress.add(subscriber);
    subscriber.start();
    return subscriber;
  }

  /**
   * Sends blocks that the log has just stored to the live subscribers that want something of them: a round's worth at
   * once, the rest round by round. They come in the log's order, and none that was stored after this object was made is
   * left out; one that came before is passed over.
   */
  publish(blocks: readonly Block[]): void {
    for (const block of blocks) {
      this.#unsent.push(block);
      this.#unsentBytes += block.json.length;
    }
    if (this.#unsentBytes > this.#options.unsentBytesMax) this.#fallBehind();
    else if (!this.#isSending) this.#sendRound();
  }

  #sendRound(): void {
    let { publishedUs } = this;
    let bytes = 0;
    let taken = 0;
    for (const { index, json } of this.#unsent) {
      if (bytes > 0 && bytes + json.length > this.#options.roundBytesMax) break;
      bytes += json.length;
      if (index.lastTimeUs > publishedUs) {
        this.#publishing.add(this.#unsent[taken], publishedUs);
        publishedUs = index.lastTimeUs;
      }
      taken++;
    }
    this.#unsent.splice(0, taken);
    this.#unsentBytes -= bytes;
    this.publishedUs = publishedUs;
    this.#publishing.send();
    this.future.published(publishedUs);
    this.#isSending = this.#unsent.length > 0;
    if (this.#isSending) setImmediate(this.#nextRound);
  }

  readonly #nextRound = (): void => {
    if (this.#unsent.length > 0) this.#sendRound();
    else this.#isSending = false;
  };

  /** Lets go of what waits to be sent: who is live falls behind, and takes it from the log in turn with the others. */
  #fallBehind(): void {
    for (const subscriber of this.#subscribers) subscriber.fallBehind();
    const last = this.#unsent.at(-1) as Block;
    this.publishedUs = Math.max(this.publishedUs, last.index.lastTimeUs);
    this.#unsent = [];
    this.#unsentBytes = 0;
    this.future.published(this.publishedUs);
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

  delivered({ events, bytes }: Batch, encoding: Encoding): void {
    this.totals.events += events;
    this.totals.bytes += bytes.length;
    if (!encoding.compressed) return;
    this.totals.zstdEvents += events;
    this.totals.zstdBytes += bytes.length;
  }

  ended(subscriber: Subscriber): void {
    this.#subscribers.delete(subscriber);
    this.#progress.delete(subscriber);
  }

  readFailed(error: unknown): void {
    this.#onReadError(error);
  }

  #startReads(): void {
    while (this.#reads < this.#options.readsMax) {
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

/** The handle of who was not let in. */
const refused: Subscription = { setFilter: () => {}, drained: () => {}, end: () => {} };

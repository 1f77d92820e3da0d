// The delivery loop: all subscribers, the groups they form, and the queue of those that catch up. It knows transports, not
// sockets, and the log, not LevelDB. Owned by lib/worker's subscriber server, which calls `publish` with stored blocks.

import { AddressQueue } from '../address-queue.ts';
import { DidHasher } from '../event/did-hash.ts';
import { type Filter, wantedDidsOf } from '../event/filter.ts';
import type { Block } from '../log/block.ts';
import type { LogReader } from '../log/event-log.ts';
import { hasLittleMemory } from '../memory.ts';
import type { AddressTable } from './address-table.ts';
import type { Batch } from './batch.ts';
import { type Encoding, NewestBlock } from './encodings.ts';
import { FutureSubscribers } from './future-subscribers.ts';
import { GroupIndex } from './group-index.ts';
import { ProgressTimer } from './progress-timer.ts';
import { Publication } from './publication.ts';
import { ReadQueue } from './read-queue.ts';
import { RecentDids } from './recent-dids.ts';
import { Subscriber } from './subscriber.ts';
import type { SubscriberHost } from './subscriber-host.ts';
import type { CloseReason, Subscription, SubscriptionSource, Transport } from './transport.ts';

/**
 * Turns given per iteration of the event loop, so that sockets and ingest get their share between them: a few milliseconds. Of those
 * that find little, as of a crowd that comes back, as many as there is time for.
 */
const turnsPerIteration = 8;
const turnsMs = 2;

/**
 * While a crowd comes, events are published this seldom, in milliseconds, if a publication is dear: a write to each of a thousand takes
 * as long as forty handshakes, and takes no longer for three blocks than for one. Who is live has them within a tenth of a second.
 */
const crowdedMs = 40;
const dearMs = 2;

export interface FanoutOptions {
  /** Reads of the log under way. Each delivers up to a megabyte when it is done. */
  readonly readsMax: number;
  /** Between reports to subscribers that want progress. */
  readonly progressIntervalMs: number;
  /** Most wanted DIDs and subjects, of all distinct filters together: up to 48 bytes each, and half as much of those that are gone. */
  readonly wantedDidsMax: number;
  /**
   * JSON bytes of a publication, which is sent by one write, and before anything else gets its turn: as much as a full
   * block, because a full socket keeps it all.
   */
  readonly publishBytesMax: number;
  /** JSON bytes of blocks that may wait to be published: beyond, all live subscribers fall behind and read the log. */
  readonly unpublishedBytesMax: number;
}

const defaultFanoutOptions: FanoutOptions = {
  // As many threads as Node has for them.
  readsMax: 4,
  progressIntervalMs: 5_000,
  // Where memory is short, 7 MiB.
  wantedDidsMax: hasLittleMemory() ? 150_000 : 10_000_000,
  publishBytesMax: 256 * 1024,
  unpublishedBytesMax: 8 * 1024 * 1024,
};

/** Subscribers now. */
export interface SubscriberStats {
  readonly subscribers: number;
  /** Those of them at the published position or ahead of it. */
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
export class Fanout implements SubscriptionSource, SubscriberHost<Subscriber> {
  readonly log: LogReader;
  readonly rates: AddressTable;
  readonly groups: GroupIndex;
  readonly newest = new NewestBlock();
  readonly recentDids: RecentDids;
  readonly future = new FutureSubscribers();
  /** Whether more clients wait to be let in than there is time for; set by who lets them in. */
  isCrowded: () => boolean = () => false;
  readonly totals: FanoutTotals = { events: 0, bytes: 0, zstdEvents: 0, zstdBytes: 0 };
  #publishedUs: number;
  readonly #progress: ProgressTimer;
  readonly #publication: Publication;
  readonly #onReadError: (error: unknown) => void;
  readonly #options: FanoutOptions;
  readonly #subscribers = new Set<Subscriber>();
  /** Those of them that are told of gaps. */
  readonly #wantingGaps = new Set<Subscriber>();
  /** Blocks that are stored and not published, oldest first. */
  #unpublished: Block[] = [];
  #unpublishedBytes = 0;
  /** The next publication is scheduled. */
  #isPublishing = false;
  /** Of the last one: when it was, and how long it took. */
  #publishedAtMs = 0;
  #publishMs = 0;
  readonly #queue = new AddressQueue<Subscriber>();
  readonly #reads: ReadQueue<Subscriber>;
  /** The next turns of the queue are scheduled, or being given. */
  #isTurning = false;

  /** @param onReadError told of every failed read of the log, once per subscriber that it ends. */
  constructor(
    log: LogReader,
    rates: AddressTable,
    onReadError: (error: unknown) => void,
    options: Partial<FanoutOptions> = {},
  ) {
    this.#options = { ...defaultFanoutOptions, ...options };
    const { progressIntervalMs, readsMax, wantedDidsMax } = this.#options;
    this.log = log;
    this.rates = rates;
    this.recentDids = new RecentDids(log);
    this.groups = new GroupIndex(new DidHasher(log.didHashKey), wantedDidsMax);
    this.#publishedUs = log.lastTimeUs;
    this.#reads = new ReadQueue(readsMax);
    this.#progress = new ProgressTimer(progressIntervalMs);
    this.#publication = new Publication(this.groups, this.newest);
    this.#onReadError = onReadError;
  }

  /**
   * Subscribers get the log up to here; what it holds beyond is about to be published. It is the position of all live
   * subscribers: they are not touched by a block that has nothing for them.
   */
  get publishedUs(): number {
    return this.#publishedUs;
  }

  /** Goes through all subscribers. */
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
    const { remoteAddress } = transport;
    const wantedDids = wantedDidsOf(filter);
    if (!this.rates.want(remoteAddress, wantedDids)) return refuse(transport, 'no_room_of_address');
    const group = this.groups.hold(filter, transport.encoding);
    if (group === undefined) {
      this.rates.want(remoteAddress, 0, wantedDids);
      return refuse(transport, 'no_room');
    }
    const subscriber = new Subscriber(this, transport, group, wantedDids, afterTimeUs ?? this.publishedUs);
    this.#subscribers.add(subscriber);
    if (transport.wantsGaps) this.#wantingGaps.add(subscriber);
    if (transport.wantsProgress) this.#progress.add(subscriber);
    subscriber.start();
    return subscriber;
  }

  /** Ends so many of those that are not live, for want of memory: the farthest behind, as are those that do not read. */
  shedBehind(count: number): number {
    const behind = [...this.#subscribers].filter((subscriber) => !subscriber.isLive);
    behind.sort((a, b) => a.positionUs - b.positionUs);
    for (const subscriber of behind.slice(0, count)) {
      subscriber.transport.close('memory_short');
      subscriber.end();
    }
    return Math.min(count, behind.length);
  }

  /**
   * Sends blocks that the log has just stored to the live subscribers that want something of them: one publication at
   * once, the rest one by one. They come in the log's order, and none that was stored after this object was created
   * is left out; one that came before is passed over.
   */
  publish(blocks: readonly Block[]): void {
    for (const block of blocks) {
      this.#unpublished.push(block);
      this.#unpublishedBytes += block.json.length;
    }
    if (this.#unpublishedBytes > this.#options.unpublishedBytesMax) this.#fallBehind();
    else if (!this.#isPublishing && !this.#isPutOff()) this.#publishNext();
  }

  /** See `crowdedMs`; then the next publication is scheduled. */
  #isPutOff(): boolean {
    if (this.#publishMs < dearMs || !this.isCrowded()) return false;
    const waitMs = this.#publishedAtMs + crowdedMs - performance.now();
    if (waitMs < 1) return false;
    this.#isPublishing = true;
    setTimeout(this.#publishRest, waitMs);
    return true;
  }

  #publishNext(): void {
    this.#publishedAtMs = performance.now();
    let publishedUs = this.#publishedUs;
    let bytes = 0;
    let taken = 0;
    for (const { index, json } of this.#unpublished) {
      if (bytes > 0 && bytes + json.length > this.#options.publishBytesMax) break;
      bytes += json.length;
      if (index.lastTimeUs > publishedUs) {
        this.#publication.add(this.#unpublished[taken], publishedUs);
        publishedUs = index.lastTimeUs;
      }
      taken++;
    }
    this.#unpublished.splice(0, taken);
    this.#unpublishedBytes -= bytes;
    // A batch is the same for all members of a group: who is to be told of a gap in the middle takes these blocks in turn.
    if (this.#wantingGaps.size > 0 && this.log.coverage.nextNotice(this.#publishedUs, publishedUs)) {
      for (const subscriber of this.#wantingGaps) subscriber.fallBehind();
    }
    this.#publishedUs = publishedUs;
    this.#publication.send();
    this.#publishMs = performance.now() - this.#publishedAtMs;
    this.future.published(publishedUs);
    this.#isPublishing = this.#unpublished.length > 0;
    if (this.#isPublishing) setImmediate(this.#publishRest);
  }

  readonly #publishRest = (): void => {
    if (this.#unpublished.length > 0) this.#publishNext();
    else this.#isPublishing = false;
  };

  /** Drops the unpublished blocks: live subscribers fall behind, and read them from the log in turn with the others. */
  #fallBehind(): void {
    for (const subscriber of this.#subscribers) subscriber.fallBehind();
    const last = this.#unpublished.at(-1) as Block;
    this.#publishedUs = Math.max(this.publishedUs, last.index.lastTimeUs);
    this.#unpublished = [];
    this.#unpublishedBytes = 0;
    this.future.published(this.publishedUs);
  }

  enqueue(subscriber: Subscriber): void {
    this.#queue.push(subscriber.transport.remoteAddress, subscriber);
    if (this.#isTurning) return;
    this.#isTurning = true;
    setImmediate(this.#giveTurns);
  }

  enqueueRead(subscriber: Subscriber): void {
    this.#reads.push(subscriber.transport.remoteAddress, subscriber);
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
    this.#wantingGaps.delete(subscriber);
    this.#progress.delete(subscriber);
  }

  readFailed(error: unknown): void {
    this.#onReadError(error);
  }

  #startReads(): void {
    for (let reader = this.#reads.next(); reader !== undefined; reader = this.#reads.next()) {
      void this.#read(reader);
    }
  }

  async #read(subscriber: Subscriber): Promise<void> {
    await subscriber.read();
    this.#reads.done(subscriber.transport.remoteAddress);
    this.#startReads();
  }

  readonly #giveTurns = (): void => {
    // One by one: whose turn leaves it with more to come is taken into account at once, so that of two addresses each has half.
    const untilMs = performance.now() + turnsMs;
    for (let turns = 0; turns < turnsPerIteration || performance.now() < untilMs; turns++) {
      const subscriber = this.#queue.shift();
      if (subscriber === undefined) break;
      subscriber.turn();
    }
    this.#isTurning = !this.#queue.isEmpty;
    if (this.#isTurning) setImmediate(this.#giveTurns);
  };
}

/** The handle of a subscriber that was refused. */
const refused: Subscription = { positionUs: 0, setFilter: () => {}, drained: () => {}, end: () => {} };

function refuse(transport: Transport, reason: CloseReason): Subscription {
  transport.close(reason);
  return refused;
}

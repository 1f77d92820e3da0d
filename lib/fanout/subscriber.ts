// One subscriber: a position in the log, a filter group and a transport. The pull step is here: it takes the next
// blocks after the position, from memory or from the log, and writes them. It keeps no queue: while its socket is
// full it holds a number.

import type { Filter } from '../event/filter.ts';
import { firstEventAfter } from '../log/block-index.ts';
import type { EventLog, ReadResult } from '../log/event-log.ts';
import type { DeliveryRate, DeliveryRates } from './delivery-rate.ts';
import type { Group } from './group.ts';
import type { Batch } from './selection.ts';
import type { Subscription, Transport } from './transport.ts';

/** What a subscriber is doing; exactly one at any time. */
export const phases = {
  /** At the tip with a free socket: the next published block is pushed to it. */
  live: 0,
  /** Behind, waiting for its turn in the catch-up queue. */
  queued: 1,
  /** Its socket is full. */
  full: 2,
  /** Waits for the log to read. */
  reading: 3,
  /** Its address has had its share: waits for the delivery rate. */
  paced: 4,
  ended: 5,
} as const;
export type Phase = (typeof phases)[keyof typeof phases];

/** What a subscriber needs from the loop that drives it. */
export interface SubscriberHost {
  readonly log: EventLog;
  readonly rates: DeliveryRates;
  /** Gives the subscriber a {@link Subscriber.turn} soon, behind the others that wait. */
  enqueue(subscriber: Subscriber): void;
  /** Calls {@link Subscriber.read} once the log has time for it. */
  enqueueRead(subscriber: Subscriber): void;
  /** The group for a filter; the subscriber joins it when it goes live. */
  groupOf(filter: Filter, encoding: Transport['encoding']): Group;
  /** Called for every non-empty write. */
  delivered(batch: Batch): void;
  ended(subscriber: Subscriber): void;
  readFailed(error: unknown): void;
}

/** Bytes written per turn, so that one fast replay does not hold up ingest or live subscribers. */
const turnBytesMax = 256 * 1024;
/** Bounds of one read from the log; it doubles while the socket keeps up, and falls back when it does not. */
const readBytesMin = 64 * 1024;
const readBytesMax = 1024 * 1024;

/** See the file comment. Created by `Fanout.subscribe`. */
export class Subscriber implements Subscription {
  readonly transport: Transport;
  readonly #host: SubscriberHost;
  readonly #rate: DeliveryRate | undefined;
  #paceTimer: NodeJS.Timeout | undefined;
  #group: Group;
  phase: Phase = phases.queued;
  /** Every event up to here has been sent or did not match. */
  positionUs: number;
  #readBytes = readBytesMin;

  constructor(host: SubscriberHost, transport: Transport, filter: Filter, afterTimeUs: number) {
    this.#host = host;
    this.transport = transport;
    this.#rate = host.rates.hold(transport.remoteAddress);
    this.positionUs = afterTimeUs;
    this.#group = host.groupOf(filter, transport.encoding);
    this.#group.retain();
  }

  setFilter(filter: Filter): void {
    if (this.phase === phases.ended) return;
    const group = this.#host.groupOf(filter, this.transport.encoding);
    group.retain();
    if (this.phase === phases.live) {
      this.#group.leave(this);
      group.join(this);
    }
    this.#group.release();
    this.#group = group;
  }

  drained(): void {
    if (this.phase !== phases.full) return;
    this.#waitForTurn();
  }

  end(): void {
    if (this.phase === phases.ended) return;
    if (this.phase === phases.live) this.#group.leave(this);
    this.phase = phases.ended;
    clearTimeout(this.#paceTimer);
    this.#host.rates.release(this.transport.remoteAddress);
    this.#group.release();
    this.#host.ended(this);
  }

  /** Called by the group for a subscriber at the tip: `batch` is all that matches up to `lastTimeUs`. */
  push(batch: Batch, lastTimeUs: number): void {
    this.positionUs = lastTimeUs;
    const next = this.#write(batch);
    if (next === phases.queued || this.phase !== phases.live) return;
    this.#group.leave(this);
    this.phase = next;
  }

  /** One turn of catching up. Leaves the subscriber live, queued, full, reading or ended. */
  turn(): void {
    if (this.phase !== phases.queued) return;
    const { log } = this.#host;
    let bytes = 0;
    while (this.phase === phases.queued) {
      const block = log.recentAfter(this.positionUs);
      if (block !== undefined) {
        bytes += this.#deliver(block.index.lastTimeUs, this.#group.cutFrom(block, this.positionUs));
        if (bytes >= turnBytesMax && this.phase === phases.queued) {
          this.#waitForTurn();
          return;
        }
      } else if (this.positionUs >= log.lastTimeUs) {
        this.phase = phases.live;
        this.#group.join(this);
      } else {
        this.phase = phases.reading;
        this.#host.enqueueRead(this);
      }
    }
  }

  /** Reads the next blocks from the log and sends them. Never rejects. */
  async read(): Promise<void> {
    if (this.phase !== phases.reading) return;
    const group = this.#group;
    let result: ReadResult;
    try {
      const { readFilter } = group.selection;
      result = await this.#host.log.read(
        this.positionUs,
        this.transport.encoding,
        this.#readBytes,
        readFilter,
      );
    } catch (error) {
      if (this.phase !== phases.reading) return;
      this.#host.readFailed(error);
      // The text and code are the v1 wire's.
      this.transport.close(1000, 'failed to replay events');
      this.end();
      return;
    }
    if (this.phase !== phases.reading) return;
    this.phase = phases.queued;
    // A filter that changed meanwhile may want blocks that were skipped for the old one: read again.
    if (group !== this.#group) {
      this.#waitForTurn();
      return;
    }
    for (const { index, frames } of result.slices) {
      const from = firstEventAfter(index, this.positionUs);
      this.#deliver(index.lastTimeUs, group.selection.cut(index, frames, this.transport.encoding, from));
      // What was read and not sent is read again: a stalled client costs a position, not memory.
      if (this.phase !== phases.queued) {
        this.#readBytes = readBytesMin;
        return;
      }
    }
    this.positionUs = Math.max(this.positionUs, result.throughUs);
    this.#readBytes = Math.min(this.#readBytes * 2, readBytesMax);
    this.#waitForTurn();
  }

  /** Writes the batch and moves on; returns the bytes written. */
  #deliver(lastTimeUs: number, batch: Batch): number {
    this.positionUs = lastTimeUs;
    const next = this.#write(batch);
    if (this.phase === phases.queued) this.phase = next;
    return batch.bytes.length;
  }

  /** Sends a batch; says in which phase that leaves a subscriber who has more to come: queued, full or paced. */
  #write(batch: Batch): Phase {
    if (batch.events === 0) return phases.queued;
    this.#host.delivered(batch);
    this.#rate?.take(batch.events);
    if (!this.transport.write(batch.bytes)) return phases.full;
    return this.#pace() ? phases.paced : phases.queued;
  }

  /** Whether the address has had its share; the subscriber then gets a turn once it has a new one. */
  #pace(): boolean {
    const waitMs = this.#rate?.waitMs() ?? 0;
    if (waitMs > 0) this.#paceTimer = setTimeout(this.#paceOver, waitMs);
    return waitMs > 0;
  }

  readonly #paceOver = (): void => {
    if (this.phase === phases.paced) this.#waitForTurn();
  };

  #waitForTurn(): void {
    if (this.#pace()) {
      this.phase = phases.paced;
      return;
    }
    this.phase = phases.queued;
    this.#host.enqueue(this);
  }
}

// One subscriber: a position in the log, a filter group and a transport. The delivery step is here: it takes the next
// blocks after the position, from memory or from the log, and writes them. It keeps no queue: while its socket is
// full it holds a number.

import { firstAfter } from '../binary-search.ts';
import type { Gap } from '../event/coverage.ts';
import { type Filter, wantedDidsOf } from '../event/filter.ts';
import { type Block, type BlockIndex, type BlockSlice, firstEventAfter, startOf } from '../log/block.ts';
import type { ReadResult } from '../log/event-log.ts';
import { apartFrom, type Batch } from './batch.ts';
import { Burst, gapBytes, turnBytesMax } from './burst.ts';
import type { DeliveryRate } from './delivery-rate.ts';
import { encodeSlice, type Messages, release, wantedOf } from './encodings.ts';
import type { FutureSubscriber } from './future-subscribers.ts';
import { GapNotices } from './gap-notices.ts';
import type { Group, Member } from './group.ts';
import type { SubscriberHost } from './subscriber-host.ts';
import { type Phase, phases } from './subscriber-phase.ts';
import type { CloseReason, Subscription, Transport } from './transport.ts';

/** See the file comment. Created by `Fanout.subscribe`. */
export class Subscriber implements Subscription, Member, FutureSubscriber {
  readonly transport: Transport;
  #phase: Phase = phases.queued;
  /** Its index among the live members of its group, or among the future subscribers; theirs to set. */
  index = 0;
  readonly #host: SubscriberHost<Subscriber>;
  readonly #rate: DeliveryRate | undefined;
  #group: Group;
  #wantedDids: number;
  #positionUs: number;
  readonly #burst: Burst;
  readonly #gaps?: GapNotices;
  /** Has fallen behind, or not yet caught up, since the last report from the published position. */
  #wasBehind = true;
  #paceTimer: NodeJS.Timeout | undefined;

  /** @param group held for it. @param wantedDids counted at its address. */
  constructor(
    host: SubscriberHost<Subscriber>,
    transport: Transport,
    group: Group,
    wantedDids: number,
    afterTimeUs: number,
  ) {
    this.#host = host;
    this.transport = transport;
    this.#burst = new Burst(transport.encoding);
    this.#rate = host.rates.hold(transport.remoteAddress);
    this.#group = group;
    this.#wantedDids = wantedDids;
    this.#positionUs = afterTimeUs;
    if (transport.wantsGaps) this.#gaps = new GapNotices(host.log, transport.throughUs);
  }

  /** Every event up to here has been sent or did not match. */
  get positionUs(): number {
    return this.#phase === phases.live ? this.#host.publishedUs : this.#positionUs;
  }

  /** Whether it has everything, and gets the next block as soon as it is published. */
  get isLive(): boolean {
    return this.#phase === phases.live || this.#phase === phases.future;
  }

  /** Begins; called once. */
  start(): void {
    this.#skip(this.#host.publishedUs);
    if (this.#positionUs < this.#host.publishedUs) this.#waitForTurn();
    else this.#settle();
  }

  setFilter(filter: Filter): void {
    if (this.#phase === phases.ended) return;
    const { groups, rates } = this.#host;
    const { encoding, remoteAddress } = this.transport;
    const wantedDids = wantedDidsOf(filter);
    if (!rates.want(remoteAddress, wantedDids, this.#wantedDids)) {
      this.#fail('no_room_of_address');
      return;
    }
    this.#wantedDids = wantedDids;
    const group = groups.hold(filter, encoding);
    if (group === undefined) {
      this.#fail('no_room');
      return;
    }
    if (this.#phase === phases.live) {
      this.#group.leave(this);
      group.join(this);
    }
    groups.release(this.#group);
    this.#group = group;
  }

  drained(): void {
    if (this.#phase === phases.full) this.#waitForTurn();
  }

  end(): void {
    if (this.#phase === phases.ended) return;
    this.#leave(phases.ended);
    clearTimeout(this.#paceTimer);
    const { remoteAddress } = this.transport;
    this.#host.rates.want(remoteAddress, 0, this.#wantedDids);
    this.#host.rates.release(remoteAddress);
    this.#host.groups.release(this.#group);
    this.#host.ended(this);
  }

  #fail(reason: CloseReason): void {
    this.transport.close(reason);
    this.end();
  }

  /** Called by the group for a live member: `batch` is all that matches up to the published position. */
  push(batch: Batch): void {
    const next = this.#write(batch);
    if (next !== phases.queued) this.#leave(next);
  }

  /** Called before blocks are published that are not pushed: a live member takes them from the log. */
  fallBehind(): void {
    if (this.#phase !== phases.live) return;
    this.#leave(phases.queued);
    this.#waitForTurn();
  }

  /** Called when the published position is no longer behind its own. */
  reached(): void {
    this.#phase = phases.queued;
    this.turn();
  }

  /** Tells the transport how far it has got, unless its socket is full. */
  report(): void {
    const { positionUs } = this;
    if (this.#phase === phases.full || this.#phase === phases.ended) return;
    const newestUs = Math.max(positionUs, this.#host.publishedUs);
    this.transport.progress({ positionUs, newestUs, live: this.isLive });
  }

  /** One turn of catching up. Leaves the subscriber in any phase, queued if there is more to come. */
  turn(): void {
    const { log, newest, publishedUs } = this.#host;
    const { throughUs = Number.POSITIVE_INFINITY } = this.transport;
    let block: Block | undefined;
    let messages: Messages | undefined;
    for (let bytes = 0; this.#phase === phases.queued; ) {
      if (this.#positionUs >= throughUs) {
        this.report();
        this.end();
        return;
      }
      this.#skip(publishedUs);
      if (this.#positionUs >= publishedUs) {
        this.#settle();
        return;
      }
      const next = log.recentAfter(this.#positionUs);
      if (next === undefined) {
        this.#phase = phases.reading;
        this.#host.enqueueRead(this);
        return;
      }
      if (this.#passOver(next.index)) bytes += Burst.costOfLook(next.json.length);
      else {
        if (next !== block || messages === undefined) {
          block = next;
          messages = newest.encode(next, this.transport.encoding);
        }
        bytes += this.#deliver(next.index, messages);
      }
      if (bytes >= turnBytesMax && this.#phase === phases.queued) {
        this.#waitForTurn();
        return;
      }
    }
  }

  /** Reads the next blocks from the log and sends them. Never rejects. */
  async read(): Promise<void> {
    if (this.#phase !== phases.reading) return;
    const { encoding } = this.transport;
    const group = this.#group;
    let result: ReadResult;
    try {
      const { readFilter } = group.selection;
      result = await this.#host.log.read(
        this.#positionUs,
        wantedOf(encoding),
        this.#burst.readBytes,
        readFilter,
      );
    } catch (error) {
      if (this.#phase === phases.reading) this.#readFailed(error);
      return;
    }
    if (this.#phase !== phases.reading) return;
    this.#phase = phases.queued;
    // A filter that changed meanwhile may want blocks that were skipped for the old one: read again.
    if (group === this.#group) {
      if (result.expiredUs !== undefined) this.#gaps?.expired(result.expiredUs);
      for (const slice of result.slices) {
        if (!this.#passOver(slice.index)) this.#deliverSlice(slice);
        // What was read and not sent is read again: a stalled client costs a position, not memory.
        if (this.#phase !== phases.queued) return;
      }
      // In blocks that were skipped there may be gaps all the same.
      while (this.#tellNextGap(result.throughUs)) if (this.#phase !== phases.queued) return;
      this.#positionUs = Math.max(this.#positionUs, result.throughUs);
    }
    this.#waitForTurn();
  }

  /** All of it, or as much as the socket takes. */
  #deliverSlice(slice: BlockSlice): void {
    let messages: Messages;
    try {
      messages = encodeSlice(this.transport.encoding, slice);
    } catch (error) {
      this.#readFailed(error);
      return;
    }
    const { index } = slice;
    while (this.#phase === phases.queued && this.#positionUs < index.lastTimeUs)
      this.#deliver(index, messages);
    release(messages);
  }

  #readFailed(error: unknown): void {
    this.#host.readFailed(error);
    this.#fail('delivery_failed');
  }

  /** Goes on to the next event of its accounts, where it is known when that was: no block in between is looked at. */
  #skip(publishedUs: number): void {
    if (this.#gaps !== undefined || this.#positionUs >= publishedUs) return;
    const nextUs = this.#host.recentDids.firstAfter(this.#positionUs, this.#group.selection.didHashes);
    if (nextUs !== undefined) this.#positionUs = Math.min(nextUs - 1, publishedUs);
  }

  /**
   * Whether the rest of a block has nothing, where the block would have to be made into another encoding. Thousands that come back once
   * a minute for very little would have all blocks made again and again.
   */
  #passOver(index: BlockIndex): boolean {
    if (this.#gaps !== undefined || this.transport.encoding.recode === undefined) return false;
    if (this.#positionUs >= index.lastTimeUs) return false;
    if (this.#group.selection.wantsAny(index, firstEventAfter(index, this.#positionUs))) return false;
    this.#positionUs = index.lastTimeUs;
    return true;
  }

  /** Writes a burst of what is left of a block, or tells of a gap, and moves on; returns what that counts for in a turn. */
  #deliver(index: BlockIndex, messages: Messages): number {
    const { count } = index;
    const { ends } = messages;
    const from = firstEventAfter(index, this.#positionUs);
    const gap = this.#gaps?.next(this.#positionUs, index.lastTimeUs);
    const end = gap === undefined ? count : firstEventAfter(index, gap.toUs);
    if (gap !== undefined && from >= end) return this.#tell(gap);
    const fitting = firstAfter(ends, end, startOf(ends, from) + this.#burst.bytes);
    const to = Math.min(end, Math.max(from + 1, fitting));
    const batch = this.#group.selection.cut(index, messages, from, to);
    this.#positionUs = to === count && gap === undefined ? index.lastTimeUs : index.timeUs[to - 1];
    const sent = apartFrom(messages, batch, to - from < count);
    const next = this.#write(sent);
    const isShared = sent.bytes.buffer === messages.bytes.buffer;
    if (isShared && this.transport.hasUnsent !== false) messages.isHeld = true;
    if (this.#phase === phases.queued) this.#phase = next;
    if (next === phases.queued) this.#burst.kept();
    return this.#burst.costOf(ends[to - 1] - startOf(ends, from), batch.bytes.length);
  }

  #tellNextGap(throughUs: number): boolean {
    const gap = this.#gaps?.next(this.#positionUs, throughUs);
    if (gap !== undefined) this.#tell(gap);
    return gap !== undefined;
  }

  #tell(gap: Gap): number {
    this.#positionUs = gap.toUs;
    if (!this.transport.gap(gap)) this.#phase = phases.full;
    return gapBytes;
  }

  /** Sends a batch; says in which phase that leaves a subscriber that has more to come: queued, full or paced. */
  #write(batch: Batch): Phase {
    if (batch.events === 0) return phases.queued;
    this.#host.delivered(batch, this.transport.encoding);
    this.#rate?.take(batch.events);
    if (!this.transport.write(batch.bytes)) {
      this.#burst.fell();
      return phases.full;
    }
    return this.#pace() ? phases.paced : phases.queued;
  }

  /** At the published position or ahead of it: waits there. */
  #settle(): void {
    if (this.#positionUs > this.#host.publishedUs) {
      this.#phase = phases.future;
      this.#host.future.add(this);
    } else {
      this.#phase = phases.live;
      this.#group.join(this);
    }
    if (this.transport.wantsProgress && this.#wasBehind) this.report();
    this.#wasBehind = false;
  }

  /** Goes into another phase, out of where it is listed and with its own position. */
  #leave(next: Phase): void {
    if (this.#phase === phases.live) {
      this.#positionUs = this.#host.publishedUs;
      this.#group.leave(this);
    } else if (this.#phase === phases.future) {
      this.#host.future.remove(this);
    }
    this.#phase = next;
  }

  /** Whether the address has had its share; the subscriber then gets a turn once it has a new one. */
  #pace(): boolean {
    const waitMs = this.#rate?.waitMs() ?? 0;
    if (waitMs > 0) this.#paceTimer = setTimeout(paceOver, waitMs, this);
    return waitMs > 0;
  }

  /** Called when the wait for the delivery rate is over. */
  paceOver(): void {
    if (this.#phase === phases.paced) this.#waitForTurn();
  }

  #waitForTurn(): void {
    this.#wasBehind = true;
    if (this.#pace()) {
      this.#phase = phases.paced;
      return;
    }
    this.#phase = phases.queued;
    this.#host.enqueue(this);
  }
}

function paceOver(subscriber: Subscriber): void {
  subscriber.paceOver();
}

// Subscribers with the same filter and encoding. A published block is cut once per group and the bytes are shared by
// all its live members.

import type { Block } from '../log/block.ts';
import { firstEventAfter } from '../log/block-index.ts';
import type { Batch, Selection } from './selection.ts';
import type { Subscriber } from './subscriber.ts';
import type { Encoding } from './transport.ts';

/** Created by `Fanout.groupOf`; lives as long as a subscriber holds it. */
export class Group {
  readonly selection: Selection;
  readonly encoding: Encoding;
  readonly #dispose: () => void;
  readonly #live: Subscriber[] = [];
  readonly #places = new Map<Subscriber, number>();
  #holders = 0;
  #lastBlock: Block | undefined;
  #lastBatch: Batch | undefined;

  /** @param dispose called when the last subscriber has let go. */
  constructor(selection: Selection, encoding: Encoding, dispose: () => void) {
    this.selection = selection;
    this.encoding = encoding;
    this.#dispose = dispose;
  }

  retain(): void {
    this.#holders++;
  }

  release(): void {
    if (--this.#holders === 0) this.#dispose();
  }

  /** A subscriber has reached the tip. */
  join(subscriber: Subscriber): void {
    this.#places.set(subscriber, this.#live.length);
    this.#live.push(subscriber);
  }

  /** A live subscriber falls behind, changes its filter or ends. */
  leave(subscriber: Subscriber): void {
    const place = this.#places.get(subscriber);
    if (place === undefined) return;
    const last = this.#live.pop() as Subscriber;
    if (last !== subscriber) {
      this.#live[place] = last;
      this.#places.set(last, place);
    }
    this.#places.delete(subscriber);
  }

  /** Pushes a block to every live member. */
  publish(block: Block): void {
    if (this.#live.length === 0) return;
    const { firstTimeUs, lastTimeUs } = block.index;
    const batch = this.#cut(block);
    // Backwards, because a member whose socket is full leaves during its push and the last one takes its place.
    for (let place = this.#live.length - 1; place >= 0; place--) {
      const member = this.#live[place];
      // A member may have taken this block from memory already, between its storage and this call.
      if (member.positionUs >= lastTimeUs) continue;
      member.push(
        member.positionUs < firstTimeUs ? batch : this.cutFrom(block, member.positionUs),
        lastTimeUs,
      );
    }
  }

  /** What matches in `block` after `afterTimeUs`. Whole blocks are cut once while they are the newest. */
  cutFrom(block: Block, afterTimeUs: number): Batch {
    if (afterTimeUs < block.index.firstTimeUs) return this.#cut(block);
    const from = firstEventAfter(block.index, afterTimeUs);
    return this.selection.cut(block.index, this.#frames(block), this.encoding, from);
  }

  #cut(block: Block): Batch {
    if (this.#lastBlock !== block || this.#lastBatch === undefined) {
      this.#lastBlock = block;
      this.#lastBatch = this.selection.cut(block.index, this.#frames(block), this.encoding, 0);
    }
    return this.#lastBatch;
  }

  #frames(block: Block): Uint8Array {
    return this.encoding === 'json' ? block.json : block.zstd;
  }
}

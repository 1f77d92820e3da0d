// Subscribers whose position is ahead of what has been published: a cursor between the newest event and now, a client
// that was served by another thread which is a few milliseconds ahead, or a read that found a block before its turn.
// They get nothing until the published position passes theirs. Owned by the delivery loop.

/** A subscriber, as this list knows it. */
export interface FutureSubscriber {
  /** Its index in the list; the list's to set. */
  index: number;
  readonly positionUs: number;
  /** The published position is no longer behind its own. */
  reached(): void;
}

/** See the file comment. */
export class FutureSubscribers {
  #subscribers: FutureSubscriber[] = [];
  /** No position of theirs is smaller. */
  #leastUs = Number.POSITIVE_INFINITY;

  add(subscriber: FutureSubscriber): void {
    subscriber.index = this.#subscribers.length;
    this.#subscribers.push(subscriber);
    this.#leastUs = Math.min(this.#leastUs, subscriber.positionUs);
  }

  remove(subscriber: FutureSubscriber): void {
    const last = this.#subscribers.pop() as FutureSubscriber;
    if (last === subscriber) return;
    this.#subscribers[subscriber.index] = last;
    last.index = subscriber.index;
  }

  /** Lets go on those whose position has been reached. */
  published(publishedUs: number): void {
    if (publishedUs < this.#leastUs) return;
    const subscribers = this.#subscribers;
    this.#subscribers = [];
    this.#leastUs = Number.POSITIVE_INFINITY;
    for (const subscriber of subscribers) {
      if (subscriber.positionUs > publishedUs) this.add(subscriber);
      else subscriber.reached();
    }
  }
}

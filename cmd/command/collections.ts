// Events by collection in bounded memory. Collections are named by strangers, so there may be any number of them; the
// large ones are counted exactly unless there are more names than fit, the smallest then become a remainder.

/** Names kept at least, about 10 MB of them. */
const namesMaxDefault = 100_000;
/** Longest name, in characters, that a collection can have: a server may send any. */
const nameCharsMax = 317;

export interface CollectionCount {
  readonly collection: string;
  readonly events: number;
}

/** See the file comment. */
export class CollectionCounts {
  /** Events of names that were dropped, before and after, and of those that are none. */
  other = 0;
  readonly #namesMax: number;
  #counts = new Map<string, number>();

  /** @param namesMax the most frequent names so far that are kept when there are twice as many. */
  constructor(namesMax: number = namesMaxDefault) {
    this.#namesMax = namesMax;
  }

  /** Names known now. */
  get names(): number {
    return this.#counts.size;
  }

  /** Whether names were dropped: then there are more than {@link names}, and counts are lower bounds. */
  get isPartial(): boolean {
    return this.other > 0;
  }

  add(collection: string, events: number): void {
    if (collection.length > nameCharsMax) {
      this.other += events;
      return;
    }
    this.#counts.set(collection, (this.#counts.get(collection) ?? 0) + events);
    if (this.#counts.size < 2 * this.#namesMax) return;
    const kept = this.#ranked().slice(0, this.#namesMax);
    this.other = this.#sum() + this.other;
    this.#counts = new Map(kept);
    this.other -= this.#sum();
  }

  /** The `count` largest, largest first, names of the same size in order. */
  top(count: number): CollectionCount[] {
    return this.#ranked()
      .slice(0, count)
      .map(([collection, events]) => ({ collection, events }));
  }

  #ranked(): [string, number][] {
    return [...this.#counts].sort(
      ([nameA, eventsA], [nameB, eventsB]) => eventsB - eventsA || (nameA < nameB ? -1 : 1),
    );
  }

  #sum(): number {
    let events = 0;
    for (const count of this.#counts.values()) events += count;
    return events;
  }
}

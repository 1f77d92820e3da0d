// Who may read the log next: a few at a time, address by address. It owns the places and nothing else; what a read is and
// what comes of it is its caller's. Part of the delivery loop.

import { AddressQueue } from '../address-queue.ts';

/**
 * How long an address counts as one that reads after its last one is done: it has to write what it got, and comes again. A
 * full read of a megabyte is written in 2 to 10 ms.
 */
const lingerMs = 50;

/** An address that reads, or did so lately. */
interface Reader {
  /** Under way. */
  reads: number;
  doneMs: number;
}

/**
 * See the file comment. As long as several addresses read, each has one read under way: who has more of them would have as much
 * more of the thread, because what was read is unpacked in it. An address alone has all places.
 */
export class ReadQueue<Item> {
  readonly #readsMax: number;
  readonly #nowMs: () => number;
  readonly #waiting = new AddressQueue<Item>();
  /** The one that was done first comes first; those in front may be of the past. */
  readonly #readers = new Map<string, Reader>();
  #reads = 0;

  constructor(readsMax: number, nowMs: () => number = () => performance.now()) {
    this.#readsMax = readsMax;
    this.#nowMs = nowMs;
  }

  push(address: string, item: Item): void {
    this.#waiting.push(address, item);
  }

  /** Whose read is to begin now, if anyone's. To be asked after every {@link push} and {@link done}. */
  next(): Item | undefined {
    if (this.#reads >= this.#readsMax || this.#waiting.isEmpty) return undefined;
    this.#forgetPast();
    const item = this.#waiting.shift(this.#mayRead);
    if (item !== undefined) this.#reads++;
    return item;
  }

  /** A read of that address is over. */
  done(address: string): void {
    this.#reads--;
    const reader = this.#readers.get(address) as Reader;
    this.#readers.delete(address);
    this.#readers.set(address, reader);
    reader.reads--;
    reader.doneMs = this.#nowMs();
  }

  /** Whether the address may begin a read; then it does. */
  readonly #mayRead = (address: string): boolean => {
    const reader = this.#readers.get(address);
    if (reader === undefined) {
      this.#readers.set(address, { reads: 1, doneMs: 0 });
      return true;
    }
    if (reader.reads > 0 && this.#readers.size > 1) return false;
    reader.reads++;
    return true;
  };

  #forgetPast(): void {
    const pastMs = this.#nowMs() - lingerMs;
    for (const [address, { reads, doneMs }] of this.#readers) {
      if (reads > 0) continue;
      if (doneMs > pastMs) return;
      this.#readers.delete(address);
    }
  }
}

// Between a socket that cannot be paused and a consumer that takes its time: a queue with a bound, and the promise of
// its next value. It says when it is full; what is done about that is `EventStream`'s. At most one `take` waits.

import { UsageError } from '../../lib/errors.ts';

/** Bounds of what waits for the consumer. */
export interface QueueLimits {
  readonly eventsMax: number;
  /** Bytes of the events as JSON text; as objects they take a few times that. */
  readonly bytesMax: number;
}

export const defaultQueueLimits: QueueLimits = { eventsMax: 8_192, bytesMax: 16 * 1024 * 1024 };

interface Waiting<T> {
  resolve(value: T | undefined): void;
  reject(error: unknown): void;
}

/** See the file comment. Undefined is its end. */
export class EventQueue<T extends { readonly bytes: number }> {
  readonly #limits: QueueLimits;
  #entries: T[] = [];
  /** Entries before it are gone. */
  #head = 0;
  #bytes = 0;
  #waiting: Waiting<T> | undefined;
  #ended = false;
  #error: unknown;
  #onRoom: (() => void) | undefined;

  constructor(limits: QueueLimits) {
    this.#limits = limits;
  }

  get events(): number {
    return this.#entries.length - this.#head;
  }

  get bytes(): number {
    return this.#bytes;
  }

  get isFull(): boolean {
    return this.events >= this.#limits.eventsMax || this.#bytes >= this.#limits.bytesMax;
  }

  /** Adds an entry, full or not; ignored after the end. */
  add(entry: T): void {
    if (this.#ended) return;
    const waiting = this.#waiting;
    if (waiting !== undefined) {
      this.#waiting = undefined;
      waiting.resolve(entry);
      return;
    }
    this.#entries.push(entry);
    this.#bytes += entry.bytes;
  }

  /** The next entry; undefined at the end, or the error that the queue ended with, both only once it is empty. */
  take(): Promise<T | undefined> {
    if (this.events > 0) return Promise.resolve(this.#shift());
    if (this.#waiting !== undefined) {
      const text = 'next() was called before the last call was answered: iterate in one place at a time';
      return Promise.reject(new UsageError('CLIENT_CONCURRENT_NEXT', text));
    }
    if (this.#ended) return this.#end();
    return new Promise((resolve, reject) => {
      this.#waiting = { resolve, reject };
    });
  }

  /** No more entries come; `error` is told once. */
  end(error?: unknown): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#error = error;
    this.#onRoom?.();
    const waiting = this.#waiting;
    this.#waiting = undefined;
    if (waiting !== undefined) this.#end().then(waiting.resolve, waiting.reject);
  }

  /** Forgets what is here. */
  clear(): void {
    this.#entries = [];
    this.#head = 0;
    this.#bytes = 0;
  }

  /** Fulfilled when the queue is at most half full, or has ended. */
  async room(): Promise<void> {
    if (this.#ended || this.#isHalfEmpty()) return;
    await new Promise<void>((resolve) => {
      this.#onRoom = resolve;
    });
  }

  #isHalfEmpty(): boolean {
    return this.events <= this.#limits.eventsMax / 2 && this.#bytes <= this.#limits.bytesMax / 2;
  }

  #shift(): T {
    const entry = this.#entries[this.#head++];
    this.#bytes -= entry.bytes;
    // Moved down once half is gone: each entry is moved at most once.
    if (this.#head * 2 >= this.#entries.length) {
      this.#entries = this.#entries.slice(this.#head);
      this.#head = 0;
    }
    if (this.#onRoom !== undefined && this.#isHalfEmpty()) {
      this.#onRoom();
      this.#onRoom = undefined;
    }
    return entry;
  }

  #end(): Promise<undefined> {
    const error = this.#error;
    this.#error = undefined;
    return error === undefined ? Promise.resolve(undefined) : Promise.reject(error);
  }
}

// A subscriber that goes from one serving node to another, with its cursor and nothing else, and notes all that it gets.

import type { DeliveryCheck } from '../crash/delivery-check.ts';
import { EventReader, type ReadRequest } from '../crash/event-reader.ts';
import { EventTrail } from '../crash/event-trail.ts';

/** See the file comment. */
export class HoppingSubscriber {
  readonly name: string;
  readonly trail = new EventTrail();
  hops = 0;
  /** Longest time between two events, and since the last one, in milliseconds. */
  longestPauseMs = 0;
  readonly check: DeliveryCheck | undefined;
  readonly #request: Omit<ReadRequest, 'cursor'>;
  #reader: EventReader | undefined;
  #lastAtMs = 0;

  /** @param check of all events; none for those with a filter. */
  constructor(name: string, request: Omit<ReadRequest, 'cursor'>, check?: DeliveryCheck) {
    this.name = name;
    this.#request = request;
    this.check = check;
  }

  /** Goes to the node at that address. */
  async hop(address: string): Promise<void> {
    await this.#reader?.close();
    this.hops++;
    const cursor = this.trail.count === 0 ? 0 : this.trail.lastTimeUs + 1;
    this.#reader = new EventReader(address, { ...this.#request, cursor }, (json) => this.#take(json));
  }

  /** Begins to measure pauses. */
  watch(): void {
    this.longestPauseMs = 0;
    this.#lastAtMs = performance.now();
  }

  async end(): Promise<void> {
    await this.#reader?.close();
  }

  #take(json: Buffer): void {
    const nowMs = performance.now();
    if (this.#lastAtMs > 0) this.longestPauseMs = Math.max(this.longestPauseMs, nowMs - this.#lastAtMs);
    this.#lastAtMs = nowMs;
    const event = this.check?.take(json) ?? JSON.parse(json.toString());
    this.trail.push(json, event.did, event.commit?.collection ?? event.kind);
  }
}

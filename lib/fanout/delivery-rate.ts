// Token buckets that bound how many events a second one client address receives, over all its connections. Off unless
// the operator sets a rate. The pull loop asks before and tells after; nothing is ever dropped, only sent later.

/** A bucket for one address. It may go into debt by one batch, which is then waited off. */
export class DeliveryRate {
  holders = 0;
  readonly #eventsPerSecond: number;
  readonly #nowMs: () => number;
  #tokens: number;
  #filledAtMs: number;

  /** @param eventsPerSecond also the size of the bucket. */
  constructor(eventsPerSecond: number, nowMs: () => number) {
    this.#eventsPerSecond = eventsPerSecond;
    this.#nowMs = nowMs;
    this.#tokens = eventsPerSecond;
    this.#filledAtMs = nowMs();
  }

  take(events: number): void {
    this.#fill();
    this.#tokens -= events;
  }

  /** Milliseconds until the next event may be sent; 0 is now. */
  waitMs(): number {
    this.#fill();
    return this.#tokens > 0 ? 0 : Math.ceil(((1 - this.#tokens) / this.#eventsPerSecond) * 1000);
  }

  #fill(): void {
    const nowMs = this.#nowMs();
    const earned = ((nowMs - this.#filledAtMs) / 1000) * this.#eventsPerSecond;
    this.#tokens = Math.min(this.#eventsPerSecond, this.#tokens + earned);
    this.#filledAtMs = nowMs;
  }
}

/** The buckets of all connected addresses: one lives as long as a subscriber of its address. */
export class DeliveryRates {
  readonly #eventsPerSecond: number;
  readonly #nowMs: () => number;
  readonly #byAddress = new Map<string, DeliveryRate>();

  /** @param eventsPerSecond 0 is no limit. */
  constructor(eventsPerSecond: number, nowMs: () => number = () => performance.now()) {
    this.#eventsPerSecond = eventsPerSecond;
    this.#nowMs = nowMs;
  }

  /** Addresses with a bucket. */
  get size(): number {
    return this.#byAddress.size;
  }

  /** The bucket of an address, held until {@link release}; undefined when there is no limit. */
  hold(address: string): DeliveryRate | undefined {
    if (this.#eventsPerSecond === 0) return undefined;
    let rate = this.#byAddress.get(address);
    if (rate === undefined) {
      rate = new DeliveryRate(this.#eventsPerSecond, this.#nowMs);
      this.#byAddress.set(address, rate);
    }
    rate.holders++;
    return rate;
  }

  release(address: string): void {
    const rate = this.#byAddress.get(address);
    if (rate !== undefined && --rate.holders === 0) this.#byAddress.delete(address);
  }
}

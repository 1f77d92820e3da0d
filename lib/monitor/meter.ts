// Rates that forget: a count between two ticks, and a mean of the ticks in which each weighs less than the one after it.
// Counting is an addition; the arithmetic happens once a tick. Used for everything in the report that is per second.

/** Seconds after which a sample weighs a third of what it did: calm enough to read, quick enough to show a change. */
const memorySeconds = 30;

/** The moment at which meters are sampled, about once a second; all that make up one report share it. */
export class Tick {
  /** Since the tick before. */
  seconds = 0;
  /** Share of the mean that the last sample left. */
  keep = 1;
  /** Weight of all samples so far: it comes close to 1, and makes means right from the first tick on. */
  weight = 0;

  /** Another tick, `seconds` after the one before. */
  next(seconds: number): void {
    this.seconds = seconds;
    this.keep = Math.exp(-seconds / memorySeconds);
    this.weight = this.weight * this.keep + 1 - this.keep;
  }
}

/** One rate. */
export class Meter {
  /** Since the last tick; the caller adds to it. */
  count = 0;
  #mean = 0;

  /** Takes the count into the mean, right after `tick.next`. */
  sample({ seconds, keep }: Tick): void {
    this.#mean = this.#mean * keep + (this.count / seconds) * (1 - keep);
    this.count = 0;
  }

  /** As if everything that `other` counted had been counted here. */
  absorb(other: Meter): void {
    this.count += other.count;
    this.#mean += other.#mean;
  }

  perSecond({ weight }: Tick): number {
    return weight === 0 ? 0 : this.#mean / weight;
  }
}

/** The rate of a sum since start that is kept elsewhere. */
export class SumMeter {
  readonly #meter = new Meter();
  #before = 0;

  /** Takes what the sum has grown by into the mean. */
  sample(sum: number, tick: Tick): void {
    this.#meter.count = sum - this.#before;
    this.#before = sum;
    this.#meter.sample(tick);
  }

  perSecond(tick: Tick): number {
    return this.#meter.perSecond(tick);
  }
}

/** To the hundredth: more digits would say more than is known. */
export function rounded(value: number): number {
  return Math.round(value * 100) / 100;
}

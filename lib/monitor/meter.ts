// Rates that forget: a count between two looks, and a mean of the looks in which each weighs less than the one after it.
// Counting is an addition; the arithmetic happens once a look. Used for everything in the report that is per second.

/** Seconds after which a look weighs a third of what it did: calm enough to read, quick enough to show a change. */
const memorySeconds = 30;

/** What all meters that are looked at together share. */
export class Looks {
  /** Since the look before. */
  seconds = 0;
  /** Share of the mean that the last look left. */
  keep = 1;
  /** Weight of all looks so far: it comes close to 1, and makes means right from the first look on. */
  weight = 0;

  /** Another look, `seconds` after the one before. */
  next(seconds: number): void {
    this.seconds = seconds;
    this.keep = Math.exp(-seconds / memorySeconds);
    this.weight = this.weight * this.keep + 1 - this.keep;
  }
}

/** One rate. */
export class Meter {
  /** Since the last look; whoever counts adds to it. */
  count = 0;
  #mean = 0;

  /** Takes the count into the mean, right after `looks.next`. */
  look({ seconds, keep }: Looks): void {
    this.#mean = this.#mean * keep + (this.count / seconds) * (1 - keep);
    this.count = 0;
  }

  /** As if everything that `other` counted had been counted here. */
  absorb(other: Meter): void {
    this.count += other.count;
    this.#mean += other.#mean;
  }

  perSecond({ weight }: Looks): number {
    return weight === 0 ? 0 : this.#mean / weight;
  }
}

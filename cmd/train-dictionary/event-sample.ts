// The events that a dictionary is trained and measured on, out of more than are kept: each is as likely to be there, but
// no account fills the sample, and none is on both sides. Pure and seeded; where events come from is event-source.ts.
import { createHash } from 'node:crypto';
import { SeededRandom } from '../../lib/seeded-random.ts';

/** Share of the sample that one account may have, so that a burst of it does not become the dictionary. */
const accountShareMax = 1 / 1000;
/** What an account may have of a small sample all the same. */
const accountEventsMin = 10;
/** One of so many accounts is held out. */
const heldOutAccounts = 10;
/** Most bytes of all events that are kept. */
const sampleBytesMax = 512 * 1024 * 1024;

interface Kept {
  readonly account: string;
  readonly text: Buffer;
}

/** The two sides of a sample. */
export interface SplitSample {
  readonly train: readonly Buffer[];
  /** Of accounts that have no event in `train`. */
  readonly heldOut: readonly Buffer[];
}

/** A sample of at most `eventsMax` events. The same events in the same order with the same seed give the same sample. */
export class EventSample {
  /** Events that were offered. */
  offered = 0;
  readonly #eventsMax: number;
  readonly #accountEventsMax: number;
  readonly #seed: string;
  readonly #random: SeededRandom;
  readonly #kept: Kept[] = [];
  readonly #ofAccount = new Map<string, number>();
  #bytes = 0;

  constructor(eventsMax: number, seed: string) {
    this.#eventsMax = eventsMax;
    this.#accountEventsMax = Math.max(accountEventsMin, Math.ceil(eventsMax * accountShareMax));
    this.#seed = seed;
    this.#random = new SeededRandom(seed, 'sample');
  }

  /** Events that are kept. */
  get size(): number {
    return this.#kept.length;
  }

  /** Takes the event in, in place of another one, or not at all. */
  offer(account: string, text: string): void {
    this.offered++;
    const hasRoom = this.#kept.length < this.#eventsMax;
    // Once full, the n-th event gets in with a chance of eventsMax to n, which gives all that came the same chance.
    const at = hasRoom ? this.#kept.length : this.#random.int(this.offered);
    if (at >= this.#eventsMax || (this.#ofAccount.get(account) ?? 0) >= this.#accountEventsMax) return;
    const kept = { account, text: Buffer.from(text) };
    if (this.#bytes + kept.text.length > sampleBytesMax) return;
    const replaced = this.#kept[at];
    if (replaced !== undefined) this.#count(replaced, -1);
    this.#count(kept, 1);
    this.#kept[at] = kept;
  }

  /** Parts the sample by account. */
  split(): SplitSample {
    const train: Buffer[] = [];
    const heldOut: Buffer[] = [];
    for (const { account, text } of this.#kept) (this.#isHeldOut(account) ? heldOut : train).push(text);
    return { train, heldOut };
  }

  #count({ account, text }: Kept, by: 1 | -1): void {
    this.#bytes += by * text.length;
    const count = (this.#ofAccount.get(account) ?? 0) + by;
    if (count === 0) this.#ofAccount.delete(account);
    else this.#ofAccount.set(account, count);
  }

  #isHeldOut(account: string): boolean {
    const hash = createHash('sha256').update(`${this.#seed}\n${account}`).digest();
    return hash.readUInt32LE() % heldOutAccounts === 0;
  }
}

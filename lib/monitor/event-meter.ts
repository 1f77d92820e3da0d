// How many events come in: of each kind, operation and collection. It counts columns of blocks, never events' content.
// Names of collections come from strangers, so their table is bounded: what has no place in it is "other".

import { eventKinds, operationNames } from '../event/event.ts';
import type { BlockIndex } from '../log/block.ts';
import type { EventReport, NamedRate } from '../status/status-report.ts';
import { type Looks, Meter } from './meter.ts';

/** Seconds of the history. */
const historySeconds = 60;
/** Seconds of the rate that is shown large. */
const currentSeconds = 5;
/** Collections in a report. */
export const collectionsShown = 20;
/** Collections that keep their place from one look to the next: the busiest. */
const collectionsKept = 512;
/** Collections counted at a time. A flood of new names finds at most the difference of the two free in a second. */
export const collectionsMax = 1024;

const kindNames = Object.keys(eventKinds);

/** Counts blocks; looked at about once a second. */
export class EventMeter {
  /** Since start. */
  total = 0;
  readonly #looks: Looks;
  readonly #kinds = kindNames.map(() => new Meter());
  readonly #operations = operationNames.map(() => new Meter());
  #collections = new Map<string, Meter>();
  readonly #others = new Meter();
  /** Events of the block at hand by its own numbers for collections. */
  #ofBlock = new Uint32Array(256);
  #count = 0;
  readonly #history: number[] = [];

  /** @param looks advanced by whoever calls {@link look}, before. */
  constructor(looks: Looks) {
    this.#looks = looks;
  }

  /** Counts the events of a block. */
  count(index: BlockIndex): void {
    const { count, kindAndOperation, collection, collections } = index;
    if (this.#ofBlock.length < collections.length) this.#ofBlock = new Uint32Array(collections.length * 2);
    const ofBlock = this.#ofBlock.fill(0, 0, collections.length);
    const kinds = this.#kinds;
    const operations = this.#operations;
    for (let at = 0; at < count; at++) {
      kinds[kindAndOperation[at] & 15].count++;
      operations[kindAndOperation[at] >> 4].count++;
      if (collection[at] < collections.length) ofBlock[collection[at]]++;
    }
    for (let at = 0; at < collections.length; at++) this.#meterOf(collections[at]).count += ofBlock[at];
    this.total += count;
    this.#count += count;
  }

  /** Closes a second. */
  look(): void {
    const looks = this.#looks;
    for (const meter of [...this.#kinds, ...this.#operations, this.#others, ...this.#collections.values()]) {
      meter.look(looks);
    }
    this.#history.push(this.#count / looks.seconds);
    if (this.#history.length > historySeconds) this.#history.shift();
    this.#count = 0;
    if (this.#collections.size > collectionsKept) this.#forget();
  }

  report(): EventReport {
    const looks = this.#looks;
    const rate = (name: string, meter: Meter): NamedRate => ({
      name,
      perSecond: rounded(meter.perSecond(looks)),
    });
    const ranked = this.#ranked();
    const others = ranked
      .slice(collectionsShown)
      .reduce((sum, [, meter]) => sum + meter.perSecond(looks), this.#others.perSecond(looks));
    const current = this.#history.slice(-currentSeconds);
    return {
      total: this.total,
      perSecond: rounded(current.reduce((sum, value) => sum + value, 0) / (current.length || 1)),
      history: this.#history.map(rounded),
      kinds: this.#kinds.map((meter, kind) => rate(kindNames[kind], meter)),
      operations: this.#operations.slice(1).map((meter, at) => rate(operationNames[at + 1], meter)),
      collections: ranked
        .slice(0, collectionsShown)
        .map(([name, meter]) => rate(name, meter))
        .filter(({ perSecond }) => perSecond > 0),
      otherCollectionsPerSecond: rounded(others),
    };
  }

  #meterOf(collection: string): Meter {
    let meter = this.#collections.get(collection);
    if (meter === undefined) {
      if (this.#collections.size >= collectionsMax) return this.#others;
      meter = new Meter();
      this.#collections.set(collection, meter);
    }
    return meter;
  }

  #ranked(): [string, Meter][] {
    const looks = this.#looks;
    return [...this.#collections].sort(([, a], [, b]) => b.perSecond(looks) - a.perSecond(looks));
  }

  /** Makes room for new names. */
  #forget(): void {
    const ranked = this.#ranked();
    for (const [, meter] of ranked.slice(collectionsKept)) this.#others.absorb(meter);
    this.#collections = new Map(ranked.slice(0, collectionsKept));
  }
}

/** To the hundredth: more digits would say more than is known. */
export function rounded(value: number): number {
  return Math.round(value * 100) / 100;
}

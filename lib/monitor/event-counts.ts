// The published events by what they are: sums since start for metrics, and rates for the status report, from one walk
// over the columns of each block. It never looks at events' content. Names of collections come from strangers, and a
// counter must not grow with them: metrics have a fixed list, rates a bounded table, and all other collections are one.

import { eventKinds, kindIn, operationIn, operationNames } from '../event/event.ts';
import type { Block } from '../log/block.ts';
import type { EventReport, NamedRate } from '../status/status-report.ts';
import { Meter, rounded, SumMeter, type Tick } from './meter.ts';

/** Collections that are counted by name: those of the largest application. */
const countedCollections = [
  'app.bsky.actor.profile',
  'app.bsky.actor.status',
  'app.bsky.feed.generator',
  'app.bsky.feed.like',
  'app.bsky.feed.post',
  'app.bsky.feed.postgate',
  'app.bsky.feed.repost',
  'app.bsky.feed.threadgate',
  'app.bsky.graph.block',
  'app.bsky.graph.follow',
  'app.bsky.graph.list',
  'app.bsky.graph.listblock',
  'app.bsky.graph.listitem',
  'app.bsky.graph.starterpack',
  'app.bsky.graph.verification',
  'app.bsky.labeler.service',
  'app.bsky.notification.declaration',
  'chat.bsky.actor.declaration',
] as const;

const rowNames = [...countedCollections, 'other'];
const otherRow = countedCollections.length;
const rowOf = new Map<string, number>(countedCollections.map((name, row) => [name, row]));
const kindNames = Object.keys(eventKinds);
const columns = operationNames.length;

/** Seconds of the history. */
const historySeconds = 60;
/** Seconds of the rate that is shown large. */
const currentSeconds = 5;
/** Collections in a report. */
export const collectionsShown = 20;
/** Collections that keep their meter from one tick to the next: the busiest. */
const collectionsKept = 512;
/** Collections with a meter. A flood of new names finds at most the difference of the two free in a second. */
export const collectionsMax = 1024;

/** Counts blocks; sampled about once a second. */
export class EventCounts {
  /** Sums since start. */
  events = 0;
  blocks = 0;
  /** Of messages as they are sent, in each copy. */
  jsonBytes = 0;
  zstdBytes = 0;
  readonly #kinds = new Float64Array(kindNames.length);
  /** Rows are `rowNames`, columns are operations; events without a collection are in the other row. */
  readonly #commits = new Float64Array(rowNames.length * columns);
  /**
   * Events of the block at hand, by its own numbers for collections and by operation; the last row has no collection.
   * Zero between blocks.
   */
  #cells = new Uint32Array(256 * columns);
  readonly #kindRates = kindNames.map(() => new SumMeter());
  readonly #operationRates = operationNames.map(() => new SumMeter());
  #collectionRates = new Map<string, Meter>();
  readonly #otherRate = new Meter();
  /** Events a second between the last ticks, oldest first. */
  readonly #history: number[] = [];
  #eventsAtTick = 0;

  /** Counts the events of a block. */
  count({ index, json, zstd }: Block): void {
    const { count, kindAndOperation, collection, collections } = index;
    const named = collections.length;
    const used = (named + 1) * columns;
    if (this.#cells.length < used) this.#cells = new Uint32Array(used * 2);
    const cells = this.#cells;
    const kinds = this.#kinds;
    for (let at = 0; at < count; at++) {
      const row = Math.min(collection[at], named);
      kinds[kindIn(kindAndOperation[at])]++;
      cells[row * columns + operationIn(kindAndOperation[at])]++;
    }
    for (let row = 0; row < named; row++) {
      const name = collections[row];
      this.#meterOf(name).count += this.#moveRow(row, rowOf.get(name) ?? otherRow);
    }
    this.#moveRow(named, otherRow);
    this.events += count;
    this.blocks++;
    this.jsonBytes += json.length;
    this.zstdBytes += zstd.length;
  }

  /** Since start, by kind. */
  kinds(): [kind: string, events: number][] {
    return kindNames.map((name, kind) => [name, this.#kinds[kind]]);
  }

  /** Commits since start by operation and collection: all pairs, those without any too. */
  commits(): [operation: string, collection: string, events: number][] {
    return rowNames.flatMap((name, row) =>
      operationNames
        .slice(1)
        .map((operation, at): [string, string, number] => [
          operation,
          name,
          this.#commits[row * columns + at + 1],
        ]),
    );
  }

  /** Takes what has come since the last tick into the rates, right after `tick.next`. */
  sample(tick: Tick): void {
    for (const [kind, meter] of this.#kindRates.entries()) meter.sample(this.#kinds[kind], tick);
    for (const [operation, meter] of this.#operationRates.entries()) {
      let sum = 0;
      for (let at = operation; at < this.#commits.length; at += columns) sum += this.#commits[at];
      meter.sample(sum, tick);
    }
    this.#otherRate.sample(tick);
    for (const meter of this.#collectionRates.values()) meter.sample(tick);
    this.#history.push((this.events - this.#eventsAtTick) / tick.seconds);
    if (this.#history.length > historySeconds) this.#history.shift();
    this.#eventsAtTick = this.events;
    if (this.#collectionRates.size > collectionsKept) this.#forget(tick);
  }

  /** The rates as of the last sample. */
  report(tick: Tick): EventReport {
    const rate = (name: string, meter: Meter | SumMeter): NamedRate => ({
      name,
      perSecond: rounded(meter.perSecond(tick)),
    });
    const ranked = this.#ranked(tick);
    const others = ranked
      .slice(collectionsShown)
      .reduce((sum, [, meter]) => sum + meter.perSecond(tick), this.#otherRate.perSecond(tick));
    const current = this.#history.slice(-currentSeconds);
    return {
      total: this.events,
      perSecond: rounded(current.reduce((sum, value) => sum + value, 0) / (current.length || 1)),
      history: this.#history.map(rounded),
      kinds: this.#kindRates.map((meter, kind) => rate(kindNames[kind], meter)),
      operations: this.#operationRates.slice(1).map((meter, at) => rate(operationNames[at + 1], meter)),
      collections: ranked
        .slice(0, collectionsShown)
        .map(([name, meter]) => rate(name, meter))
        .filter(({ perSecond }) => perSecond > 0),
      otherCollectionsPerSecond: rounded(others),
    };
  }

  /** Moves a row of the block at hand to one of the sums; returns its events. */
  #moveRow(from: number, to: number): number {
    const cells = this.#cells;
    let events = 0;
    for (let column = 0, at = from * columns; column < columns; column++, at++) {
      const count = cells[at];
      if (count === 0) continue;
      cells[at] = 0;
      this.#commits[to * columns + column] += count;
      events += count;
    }
    return events;
  }

  #meterOf(collection: string): Meter {
    let meter = this.#collectionRates.get(collection);
    if (meter === undefined) {
      if (this.#collectionRates.size >= collectionsMax) return this.#otherRate;
      meter = new Meter();
      this.#collectionRates.set(collection, meter);
    }
    return meter;
  }

  /** Busiest first. */
  #ranked(tick: Tick): [string, Meter][] {
    return [...this.#collectionRates].sort(([, a], [, b]) => b.perSecond(tick) - a.perSecond(tick));
  }

  /** Makes room for new names. */
  #forget(tick: Tick): void {
    const ranked = this.#ranked(tick);
    for (const [, meter] of ranked.slice(collectionsKept)) this.#otherRate.absorb(meter);
    this.#collectionRates = new Map(ranked.slice(0, collectionsKept));
  }
}

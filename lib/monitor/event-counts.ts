// What has been published since start, by what it is: the sums behind metrics. It counts columns of blocks, never events'
// content. Names of collections come from strangers, and a counter must not change what it counts: collections have a
// fixed list here, and all others are one. What is busy at the moment, whatever its name, is lib/monitor/event-meter.ts's.

import { eventKinds, operationNames } from '../event/event.ts';
import type { Block } from '../log/block.ts';

/** Collections that are counted by name: those of the largest application. */
export const countedCollections = [
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

/** Counts blocks; sums since start. */
export class EventCounts {
  blocks = 0;
  /** Of frames as they are sent, in each copy. */
  jsonBytes = 0;
  zstdBytes = 0;
  readonly #kinds = new Float64Array(kindNames.length);
  readonly #commits = new Float64Array(rowNames.length * columns);
  /** Rows of the collections of the block at hand, by its own numbers. */
  #rows = new Uint8Array(256);

  /** Counts the events of a block. */
  count({ index, json, zstd }: Block): void {
    const { count, kindAndOperation, collection, collections } = index;
    this.blocks++;
    this.jsonBytes += json.length;
    this.zstdBytes += zstd.length;
    if (this.#rows.length < collections.length) this.#rows = new Uint8Array(collections.length * 2);
    const rows = this.#rows;
    for (let at = 0; at < collections.length; at++) rows[at] = rowOf.get(collections[at]) ?? otherRow;
    for (let at = 0; at < count; at++) {
      const kind = kindAndOperation[at] & 15;
      this.#kinds[kind]++;
      if (kind !== eventKinds.commit) continue;
      const row = collection[at] < collections.length ? rows[collection[at]] : otherRow;
      this.#commits[row * columns + (kindAndOperation[at] >> 4)]++;
    }
  }

  /** Events by kind. */
  kinds(): [kind: string, events: number][] {
    return kindNames.map((name, kind) => [name, this.#kinds[kind]]);
  }

  /** Commits by operation and collection: all pairs, those without any too. */
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
}

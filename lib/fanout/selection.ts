// Applies a filter to a block's index and cuts the chosen events out of the block's frames. Everything here works on
// columns and bytes; nothing is parsed. Called once per group and block, so its cost does not grow with subscribers.

import { type DidHasher, DidHashSet } from '../event/did-hash.ts';
import type { Filter } from '../event/filter.ts';
import { payloadBytesOf } from '../event/message-frame.ts';
import { type BlockIndex, noCollection } from '../log/block-index.ts';
import type { ReadFilter } from '../log/chapter.ts';
import type { Encoding } from './transport.ts';

/** Events ready to be written: whole frames, shared with every subscriber that gets them. */
export interface Batch {
  readonly bytes: Uint8Array;
  readonly events: number;
}

const nothing: Batch = { bytes: new Uint8Array(0), events: 0 };

/** A filter in the form that is quick to apply. */
export class Selection {
  readonly #collections: ReadonlySet<string>;
  readonly #prefixes: readonly string[];
  readonly #dids: DidHashSet | undefined;
  readonly #maxMessageSizeBytes: number;
  readonly #passesAll: boolean;
  /** For the log, so that it can skip what this selection does not want; undefined when it wants nearly everything. */
  readonly readFilter: ReadFilter | undefined;

  constructor(filter: Filter, hasher: DidHasher) {
    this.#collections = filter.collections;
    this.#prefixes = filter.prefixes;
    this.#dids = filter.dids.size === 0 ? undefined : new DidHashSet(filter.dids, hasher);
    this.#maxMessageSizeBytes = filter.maxMessageSizeBytes;
    this.readFilter = this.#readFilter();
    this.#passesAll =
      !this.#filtersCollections && this.#dids === undefined && this.#maxMessageSizeBytes === 0;
  }

  get #filtersCollections(): boolean {
    return this.#collections.size > 0 || this.#prefixes.length > 0;
  }

  /**
   * The chosen events of a block from position `from` on.
   * @param frames the block's frames in `encoding`; the result may share their memory.
   */
  cut(index: BlockIndex, frames: Uint8Array, encoding: Encoding, from: number): Batch {
    const { count } = index;
    if (from >= count) return nothing;
    const ends = encoding === 'json' ? index.jsonEnd : index.zstdEnd;
    if (this.#passesAll) {
      return {
        bytes: from === 0 ? frames : frames.subarray(ends[from - 1]),
        events: count - from,
      };
    }
    const wanted = this.#filtersCollections ? this.#wantedCollections(index.collections) : undefined;
    if (wanted !== undefined && !wanted.includes(1) && !index.collection.includes(noCollection))
      return nothing;
    return gather(frames, ends, this.#choose(index, wanted, from));
  }

  #readFilter(): ReadFilter | undefined {
    const dids = this.#dids;
    if (!this.#filtersCollections && dids === undefined) return undefined;
    return {
      ...(this.#filtersCollections && { wantsCollection: (collection) => this.#wants(collection) }),
      ...(dids !== undefined && { didHashes: dids.hashes }),
    };
  }

  #wants(collection: string): boolean {
    return (
      this.#collections.has(collection) || this.#prefixes.some((prefix) => collection.startsWith(prefix))
    );
  }

  /** Which of a block's collections pass. */
  #wantedCollections(collections: readonly string[]): Uint8Array {
    const wanted = new Uint8Array(collections.length);
    for (let at = 0; at < collections.length; at++) wanted[at] = this.#wants(collections[at]) ? 1 : 0;
    return wanted;
  }

  /** Positions of the chosen events as runs: start, end, start, end, …; `end` exclusive. */
  #choose(index: BlockIndex, wanted: Uint8Array | undefined, from: number): number[] {
    const { collection, didHash, jsonEnd, count } = index;
    const dids = this.#dids;
    const maxBytes = this.#maxMessageSizeBytes;
    const runs: number[] = [];
    let runEnd = -1;
    for (let at = from; at < count; at++) {
      if (wanted !== undefined && collection[at] !== noCollection && wanted[collection[at]] === 0) continue;
      if (dids !== undefined && !dids.has(didHash[at * 2], didHash[at * 2 + 1])) continue;
      if (maxBytes > 0 && payloadBytesOf(jsonEnd[at] - (at === 0 ? 0 : jsonEnd[at - 1])) > maxBytes) continue;
      if (at === runEnd) runs[runs.length - 1] = at + 1;
      else runs.push(at, at + 1);
      runEnd = at + 1;
    }
    return runs;
  }
}

function gather(frames: Uint8Array, ends: Uint32Array, runs: readonly number[]): Batch {
  if (runs.length === 0) return nothing;
  let bytes = 0;
  let events = 0;
  for (let run = 0; run < runs.length; run += 2) {
    bytes += ends[runs[run + 1] - 1] - startOf(ends, runs[run]);
    events += runs[run + 1] - runs[run];
  }
  if (runs.length === 2) {
    return { bytes: frames.subarray(startOf(ends, runs[0]), ends[runs[1] - 1]), events };
  }
  const gathered = Buffer.allocUnsafe(bytes);
  let at = 0;
  for (let run = 0; run < runs.length; run += 2) {
    const part = frames.subarray(startOf(ends, runs[run]), ends[runs[run + 1] - 1]);
    gathered.set(part, at);
    at += part.length;
  }
  return { bytes: gathered, events };
}

function startOf(ends: Uint32Array, event: number): number {
  return event === 0 ? 0 : ends[event - 1];
}

/** Equal for filters that choose the same events, whatever the order they were given in. */
export function filterKey(filter: Filter): string {
  const { collections, prefixes, dids, maxMessageSizeBytes } = filter;
  if (collections.size + prefixes.length + dids.size + maxMessageSizeBytes === 0) return '';
  return JSON.stringify([
    [...collections].sort(),
    [...new Set(prefixes)].sort(),
    [...dids].sort(),
    maxMessageSizeBytes,
  ]);
}

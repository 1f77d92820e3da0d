// Gathers what the events of the open block point at. Owned by block-builder.ts, which tells it of each event in turn.

import type { DidHasher } from '../event/did-hash.ts';
import { noPath, ReferenceHasher, referenceInts } from '../event/reference.ts';
import { tidTimeUs } from '../event/tid.ts';
import type { SubjectColumns } from './block-index.ts';

/** References of one event: more are left out. A byte holds the number. */
export const referencesOfEventMax = 255;
const firstCapacityEvents = 512;

/** See the file comment. */
export class SubjectBuilder {
  readonly #hasher: ReferenceHasher;
  #path = new Uint32Array(firstCapacityEvents);
  #ends = new Uint32Array(firstCapacityEvents);
  #keyTimeUs = new Float64Array(firstCapacityEvents);
  #references = new Uint32Array(2 * firstCapacityEvents * referenceInts);
  #events = 0;
  /** References gathered, and those of them that are not the open event's. */
  #count = 0;
  #openStart = 0;
  #hasPaths = false;

  constructor(hasher: DidHasher) {
    this.#hasher = new ReferenceHasher(hasher);
  }

  /** A text of the open event's record. */
  add(source: Uint8Array, start: number, end: number): void {
    const hasher = this.#hasher;
    if (this.#count - this.#openStart >= referencesOfEventMax || !hasher.read(source, start, end)) return;
    const references = this.#references;
    const to = this.#count * referenceInts;
    for (let at = this.#openStart * referenceInts; at < to; at += referenceInts) {
      if (
        references[at] === hasher.didLow &&
        references[at + 1] === hasher.didHigh &&
        references[at + 2] === hasher.path
      )
        return;
    }
    if (to === references.length) this.#references = copyInto(new Uint32Array(to * 2), references);
    this.#references[to] = hasher.didLow;
    this.#references[to + 1] = hasher.didHigh;
    this.#references[to + 2] = hasher.path;
    this.#count++;
  }

  /**
   * Ends an event. `source[pathStart, pathEnd)` is the path of its record, empty when it has none, with the key from
   * `keyStart` on.
   */
  end(source: Uint8Array, pathStart: number, keyStart: number, pathEnd: number): void {
    const at = this.#events++;
    if (at === this.#path.length) {
      this.#path = copyInto(new Uint32Array(at * 2), this.#path);
      this.#ends = copyInto(new Uint32Array(at * 2), this.#ends);
      this.#keyTimeUs = copyInto(new Float64Array(at * 2), this.#keyTimeUs);
    }
    this.#ends[at] = this.#count;
    this.#openStart = this.#count;
    if (pathStart === pathEnd) {
      this.#path[at] = noPath;
      this.#keyTimeUs[at] = Number.NaN;
      return;
    }
    this.#path[at] = this.#hasher.pathOf(source, pathStart, pathEnd);
    this.#keyTimeUs[at] = tidTimeUs(source, keyStart, pathEnd);
    this.#hasPaths = true;
  }

  /**
   * The columns of the events since the last call, copied; undefined when there is nothing in them.
   * @param madeFromUs @param madeThroughUs see {@link SubjectColumns}.
   */
  take(madeFromUs: number, madeThroughUs: number): SubjectColumns | undefined {
    const columns = this.#hasPaths
      ? {
          madeFromUs,
          madeThroughUs,
          path: this.#path.slice(0, this.#events),
          ends: this.#ends.slice(0, this.#events),
          references: this.#references.slice(0, this.#count * referenceInts),
          keyTimeUs: this.#keyTimeUs.slice(0, this.#events),
        }
      : undefined;
    this.#events = 0;
    this.#count = 0;
    this.#openStart = 0;
    this.#hasPaths = false;
    return columns;
  }
}

function copyInto<T extends { set(from: T): void }>(to: T, from: T): T {
  to.set(from);
  return to;
}

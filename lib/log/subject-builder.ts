// Gathers what the events of the open block point at, and when they were created. Owned by block-builder.ts, which tells it
// of each event in turn. The columns are looked into by record-finder.ts when a record is deleted, and by lib/fanout.

import type { DidHasher } from '../event/did-hash.ts';
import { noPath, SubjectHasher, subjectInts } from '../event/subject.ts';
import { tidTimeUs } from '../event/tid.ts';
import { grow } from '../grow.ts';
import type { SubjectColumns } from './block.ts';

/** Subjects of one event: more are left out. A byte holds the number. */
export const subjectsOfEventMax = 255;
/** There are twice as many slots as an event has subjects. */
const slotMask = 511;
const firstCapacityEvents = 512;
/** Newest frames whose lag counts; not an even number, so that there is a middle. */
const lagSamplesMax = 15;

/** See the file comment. */
export class SubjectBuilder {
  readonly #hasher: SubjectHasher;
  readonly #lag = new SourceLag();
  #path = new Uint32Array(firstCapacityEvents);
  #ends = new Uint32Array(firstCapacityEvents);
  #keyTimeUs = new Float64Array(firstCapacityEvents);
  #subjectHashes = new Uint32Array(2 * firstCapacityEvents * subjectInts);
  /**
   * Open addressing: index of a subject plus one; free are 0 and what is not the open event's. The hashes are keyed, so nobody
   * can make subjects that fall into one slot.
   */
  readonly #slots = new Uint32Array(slotMask + 1);
  #events = 0;
  /** Subjects gathered, and those of them that are not the open event's. */
  #count = 0;
  #openStart = 0;
  #hasPaths = false;

  constructor(hasher: DidHasher) {
    this.#hasher = new SubjectHasher(hasher);
  }

  /** The newest frame came `lagUs` after the time that it carries: events are created that long before they come. */
  late(lagUs: number): void {
    this.#lag.add(lagUs);
  }

  /** A text of the open event's record. */
  add(source: Uint8Array, start: number, end: number): void {
    const hasher = this.#hasher;
    if (this.#count - this.#openStart >= subjectsOfEventMax || !hasher.read(source, start, end)) return;
    const slot = this.#freeSlot(hasher);
    if (slot < 0) return;
    const to = this.#count * subjectInts;
    if (to === this.#subjectHashes.length) this.#subjectHashes = grow(this.#subjectHashes);
    this.#subjectHashes[to] = hasher.didLow;
    this.#subjectHashes[to + 1] = hasher.didHigh;
    this.#subjectHashes[to + 2] = hasher.path;
    this.#slots[slot] = this.#count + 1;
    this.#count++;
  }

  /** The slot where a subject belongs; -1 when the open event has it already. */
  #freeSlot({ didLow, didHigh, path }: SubjectHasher): number {
    const subjectHashes = this.#subjectHashes;
    // Not the low half, which is the path's hash too where a path is a DID.
    let slot = (didHigh ^ path) & slotMask;
    for (; this.#slots[slot] > this.#openStart; slot = (slot + 1) & slotMask) {
      const at = (this.#slots[slot] - 1) * subjectInts;
      if (subjectHashes[at] === didLow && subjectHashes[at + 1] === didHigh && subjectHashes[at + 2] === path)
        return -1;
    }
    return slot;
  }

  /**
   * Ends an event. `source[pathStart, pathEnd)` is the path of its record, empty when it has none, with the key from
   * `keyStart` on.
   */
  end(source: Uint8Array, pathStart: number, keyStart: number, pathEnd: number): void {
    const at = this.#events++;
    if (at === this.#path.length) {
      this.#path = grow(this.#path);
      this.#ends = grow(this.#ends);
      this.#keyTimeUs = grow(this.#keyTimeUs);
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
   * @param firstTimeUs @param lastTimeUs of the block.
   */
  take(firstTimeUs: number, lastTimeUs: number): SubjectColumns | undefined {
    const lagUs = this.#lag.usualUs;
    const columns = this.#hasPaths
      ? {
          createdFromUs: firstTimeUs - lagUs,
          createdThroughUs: lastTimeUs - lagUs,
          path: this.#path.slice(0, this.#events),
          ends: this.#ends.slice(0, this.#events),
          subjectHashes: this.#subjectHashes.slice(0, this.#count * subjectInts),
          keyTimeUs: this.#keyTimeUs.slice(0, this.#events),
        }
      : undefined;
    this.#events = 0;
    this.#count = 0;
    this.#openStart = 0;
    this.#slots.fill(0);
    this.#hasPaths = false;
    return columns;
  }
}

/**
 * How late events come, robustly: frames carry a time that a stranger's server may have set, so a few that lie must not
 * count.
 */
export class SourceLag {
  /** The median of the newest samples, in microseconds, not below 0; 0 before the first. */
  usualUs = 0;
  readonly #samplesUs: number[] = [];
  #next = 0;

  /** @param lagUs now minus the time of a frame. */
  add(lagUs: number): void {
    this.#samplesUs[this.#next] = lagUs;
    this.#next = (this.#next + 1) % lagSamplesMax;
    const sorted = this.#samplesUs.toSorted((one, other) => one - other);
    this.usualUs = Math.max(0, sorted[sorted.length >>> 1]);
  }
}

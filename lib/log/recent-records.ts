// The newest records that are not found by the time in their key: from each, by its hashes, to the time of its last event. Two tables
// of a fixed size at most, of which the older is forgotten as a whole; as maps they took 60 bytes a record, 8 MB in all.

/**
 * Remembered records of a table, those included that were forgotten since: between half of it, where as many are deleted as come, and
 * twice as many are known.
 */
export const recentRecordsMin = 49_152;
/** 16 bytes a slot, so that a table has 1 MiB; three quarters of them are used at most. */
const [slotsMin, slotsMax] = [1_024, 65_536];
const usedMax = recentRecordsMin / slotsMax;
/** Odd, half of its bits set: neighbouring hashes fall far from each other. */
const spread = 0x9e3779b1;

/** Open addressing; what is forgotten keeps its slot for a while. The hashes are keyed, so nobody can choose them. */
class Table {
  /** Of a record, as of `keyOf`; 0: free. */
  #keys = new Float64Array(slotsMin);
  /** 0: it was forgotten. */
  #timesUs = new Float64Array(slotsMin);
  #used = 0;
  /** Of those used, the ones that were not forgotten. */
  #known = 0;

  /** Whether it takes no more: where most were forgotten, the next one makes room. */
  get isFull(): boolean {
    return this.#used >= recentRecordsMin && this.#known * 2 >= this.#used;
  }

  set(key: number, timeUs: number): void {
    if (this.#used >= this.#keys.length * usedMax) this.#renew();
    const slot = this.#slotOf(key);
    if (this.#keys[slot] === 0) this.#used++;
    if (this.#timesUs[slot] === 0) this.#known++;
    this.#keys[slot] = key;
    this.#timesUs[slot] = timeUs;
  }

  /** Forgets a record, and returns its time; 0 when it was not there. */
  take(key: number): number {
    const slot = this.#slotOf(key);
    const timeUs = this.#timesUs[slot];
    if (timeUs !== 0) this.#known--;
    this.#timesUs[slot] = 0;
    return timeUs;
  }

  clear(): void {
    this.#keys.fill(0);
    this.#timesUs.fill(0);
    this.#used = this.#known = 0;
  }

  /** Leaves out what was forgotten, and grows where that is not most. */
  #renew(): void {
    const keys = this.#keys;
    const timesUs = this.#timesUs;
    const size = this.#known * 2 >= this.#used ? 2 * keys.length : keys.length;
    this.#keys = new Float64Array(size);
    this.#timesUs = new Float64Array(size);
    this.#used = this.#known = 0;
    for (let at = 0; at < keys.length; at++) if (timesUs[at] !== 0) this.set(keys[at], timesUs[at]);
  }

  /** The slot of a key, or the free one where it would be. */
  #slotOf(key: number): number {
    const keys = this.#keys;
    const mask = keys.length - 1;
    let slot = (Math.imul(Math.floor(key / 2_097_152) ^ key, spread) >>> 8) & mask;
    while (keys[slot] !== 0 && keys[slot] !== key) slot = (slot + 1) & mask;
    return slot;
  }
}

/** See the file comment. */
export class RecentRecords {
  #young = new Table();
  #old = new Table();

  set(didLow: number, didHigh: number, path: number, timeUs: number): void {
    if (this.#young.isFull) {
      const old = this.#young;
      this.#young = this.#old;
      this.#young.clear();
      this.#old = old;
    }
    this.#young.set(keyOf(didLow, didHigh, path), timeUs);
  }

  /** Forgets a record that is deleted. Undefined when it was not known; else almost certainly its time: the caller compares. */
  take(didLow: number, didHigh: number, path: number): number | undefined {
    const key = keyOf(didLow, didHigh, path);
    const oldUs = this.#old.take(key);
    return this.#young.take(key) || oldUs || undefined;
  }
}

/** 53 bits of the hashes, which are even, and 1, for none is 0. Records of one account never have the same: all of the path's hash counts. */
function keyOf(didLow: number, didHigh: number, path: number): number {
  return ((didHigh ^ path) >>> 0) * 2_097_152 + (didLow >>> 11) + 1;
}

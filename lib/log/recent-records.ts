// Where records are that cannot be found by the time in their key: the key is no time, or not that of the commit. Few
// are (profiles, feeds, imports), so the newest of them are simply remembered. In memory only: a restart forgets them.

/** Records of a generation. There are two, so between one and two times as many are known; some 60 bytes each. */
const generationRecordsMax = 65_536;

/** From a record, by its hashes, to the `time_us` of its last event. */
export class OddRecords {
  #young = new Map<number, number>();
  #old = new Map<number, number>();

  set(didLow: number, didHigh: number, path: number, timeUs: number): void {
    if (this.#young.size >= generationRecordsMax) {
      this.#old = this.#young;
      this.#young = new Map();
    }
    this.#young.set(keyOf(didLow, didHigh, path), timeUs);
  }

  /** Forgets a record that is deleted. Undefined when it was not known; else almost certainly its time: the caller compares. */
  take(didLow: number, didHigh: number, path: number): number | undefined {
    const key = keyOf(didLow, didHigh, path);
    const timeUs = this.#young.get(key) ?? this.#old.get(key);
    this.#young.delete(key);
    this.#old.delete(key);
    return timeUs;
  }
}

/** 53 bits of the hashes, which are even. */
function keyOf(didLow: number, didHigh: number, path: number): number {
  return didHigh * 2_097_152 + ((didLow ^ path) >>> 11);
}

// How late events come, robustly: frames carry a time that a stranger's server may have set, so a few that lie must not
// count. It tells when the events of a block were made (lib/log/record-finder.ts). Owned by ingest.ts.

/** Newest samples that the usual one is taken of; odd, so that there is a middle. */
const samplesMax = 15;

/** See the file comment. */
export class SourceLag {
  /** The median of the newest samples, in microseconds, not below 0; 0 before the first. */
  usualUs = 0;
  readonly #samplesUs: number[] = [];
  #next = 0;

  /** @param lagUs now minus the time of a frame; undefined when the frame had none. */
  add(lagUs: number | undefined): void {
    if (lagUs === undefined) return;
    this.#samplesUs[this.#next] = lagUs;
    this.#next = (this.#next + 1) % samplesMax;
    const sorted = this.#samplesUs.toSorted((one, other) => one - other);
    this.usualUs = Math.max(0, sorted[sorted.length >>> 1]);
  }
}

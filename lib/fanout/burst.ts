// How much a subscriber that catches up gets at once: of a block, of the log, and in a turn. It owns the sizes and what counts
// how much; subscriber.ts does the rest.

import { hasLittleMemory } from '../memory.ts';
import type { Encoding } from './encodings.ts';

/** What a turn may cost, in bytes written, so that one fast replay does not hold up ingest or live subscribers. */
export const turnBytesMax = 256 * 1024;
/** What a notice of a gap counts for in a turn. */
export const gapBytes = 256;
/**
 * What a byte that was looked through counts for in a turn, beside one that was written: else a turn of a filter that chooses
 * nothing would be all of memory. Choosing goes by columns; a block in another encoding is made when anything of it is chosen.
 */
const lookedThroughShare = { stored: 1 / 8, recoded: 1 };
/** The largest is more than a full block; where memory is short a part of one, since a read is as large as two of them. */
const burstBytesMin = 32 * 1024;
const burstBytesMax = (hasLittleMemory() ? 128 : 512) * 1024;
/** Bytes asked of the log at once, in bursts; fewer of what is to be made into another encoding, so that a read costs the same. */
const burstsPerRead = { stored: 2, recoded: 1 };

/**
 * Bytes of a block that are written at once: they double while the socket keeps up, and fall back when it does not, because
 * what a socket does not take stays in memory.
 */
export class Burst {
  bytes = burstBytesMin;
  readonly #form: 'stored' | 'recoded';

  constructor({ recode }: Encoding) {
    this.#form = recode === undefined ? 'stored' : 'recoded';
  }

  /** Bytes to ask of the log. */
  get readBytes(): number {
    return this.bytes * burstsPerRead[this.#form];
  }

  kept(): void {
    this.bytes = Math.min(this.bytes * 2, burstBytesMax);
  }

  fell(): void {
    this.bytes = burstBytesMin;
  }

  /** What it counts for in a turn to have looked through so many bytes of which nothing was chosen, and nothing made. */
  static costOfLook(lookedThroughBytes: number): number {
    return lookedThroughBytes * lookedThroughShare.stored;
  }

  /** What it counts for in a turn to have looked through so many bytes and written some of them. */
  costOf(lookedThroughBytes: number, writtenBytes: number): number {
    return Math.max(writtenBytes, lookedThroughBytes * lookedThroughShare[this.#form]);
  }
}

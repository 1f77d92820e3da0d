// Blocks for tests that write a lot: a few are made, and come again and again with later times.

import type { Block } from '../../lib/log/block.ts';
import { SampleLog, seededRandom } from './events.ts';

const blocksMade = 8;

/** Blocks of so many events, about 400 bytes of JSON each, without end. */
export class ShiftedBlocks {
  readonly #made: readonly Block[];
  readonly #spanUs: number;
  #next = 0;

  /** @param seed printed by the test that chooses it. */
  constructor(seed: number, events: number, didHashKey: Uint8Array) {
    let nowMs = 1_700_000_000_000;
    const random = seededRandom(seed);
    const sample = new SampleLog(random, { didHashKey, nowMs: () => nowMs++, textBytesMax: 1500 });
    this.#made = Array.from({ length: blocksMade }, () => sample.block(events));
    this.#spanUs = this.#made[blocksMade - 1].index.lastTimeUs - this.#made[0].index.firstTimeUs + 1000;
  }

  next(): Block {
    const round = Math.floor(this.#next / blocksMade);
    return shifted(this.#made[this.#next++ % blocksMade], round * this.#spanUs);
  }
}

function shifted(block: Block, byUs: number): Block {
  const { index } = block;
  const subjects = index.subjects && {
    ...index.subjects,
    createdFromUs: index.subjects.createdFromUs + byUs,
    createdThroughUs: index.subjects.createdThroughUs + byUs,
  };
  return {
    ...block,
    index: {
      ...index,
      firstTimeUs: index.firstTimeUs + byUs,
      lastTimeUs: index.lastTimeUs + byUs,
      timeUs: index.timeUs.map((timeUs) => timeUs + byUs),
      subjects,
    },
  };
}

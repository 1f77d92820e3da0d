// Checks how blocks follow each other: times, running totals, upstream positions, and what the journal has beside the
// store. Fed with the blocks in order by log-check.ts.

import { firstAfter, firstPast } from '../../lib/binary-search.ts';
import type { BlockIndex, UpstreamPositions } from '../../lib/log/block.ts';
import type { BlockHead } from '../../lib/log/block-format.ts';
import type { ProblemList } from './problem.ts';
import type { FoundBlock } from './reader.ts';

/** An upstream position that went back. Right after a relay started over, or an operator had it read again. */
export interface SteppedBack {
  /** Block whose position is lower than that of the block before it. */
  readonly timeUs: number;
  readonly relay: string;
  readonly from: number;
  readonly to: number;
}

/** Steps back that are kept. */
const steppedBackMax = 100;

/** See the file comment. Call {@link nextStored} for every block of the store, then {@link nextJournalled}. */
export class OrderCheck {
  /** Upstream positions that went back without having been forgotten in between, the first ones. */
  readonly steppedBack: SteppedBack[] = [];
  readonly #problems: ProblemList;
  readonly #journalStartUs: number;
  /** Times of the stored events that the journal may have as well, ascending. */
  readonly #recentTimes: Float64Array[] = [];
  #storeStartUs = 0;
  #storeEndUs = 0;
  #journalEndUs = 0;
  #after: BlockHead['after'] | undefined;
  #positions: UpstreamPositions = new Map();

  /** @param journalStartUs time of the first event in the journal; Infinity when that is empty. */
  constructor(problems: ProblemList, journalStartUs: number) {
    this.#problems = problems;
    this.#journalStartUs = journalStartUs;
  }

  /** @param head undefined when it is unreadable. */
  nextStored({ lastTimeUs }: FoundBlock, head: BlockHead | undefined): void {
    if (head !== undefined) {
      const { index, positions } = head;
      if (index.firstTimeUs <= this.#storeEndUs) {
        const detail = `its first event is of ${index.firstTimeUs}, the block before it ends at ${this.#storeEndUs}`;
        this.#problems.report('block_order', 'store', lastTimeUs, detail);
      }
      this.#checkGap(lastTimeUs, head);
      if (this.#storeStartUs === 0) this.#storeStartUs = index.firstTimeUs;
      // A copy: the column is a view of the whole head.
      if (lastTimeUs >= this.#journalStartUs && index.count > 0) this.#recentTimes.push(index.timeUs.slice());
      this.#checkPositions(lastTimeUs, positions);
    }
    this.#after = head?.after;
    this.#storeEndUs = lastTimeUs;
  }

  /** Whether the store has the block too, as it does for a while after compaction. */
  nextJournalled({ lastTimeUs }: FoundBlock, head: BlockHead | undefined): boolean {
    const isStored = lastTimeUs <= this.#storeEndUs;
    if (head === undefined) return isStored;
    const { index, positions, previousUs } = head;
    if (index.firstTimeUs <= this.#journalEndUs) {
      const detail = `its first event is of ${index.firstTimeUs}, the block before it ends at ${this.#journalEndUs}`;
      this.#problems.report('block_order', 'journal', lastTimeUs, detail);
    }
    const endUs = Math.max(this.#journalEndUs, this.#storeEndUs);
    this.#journalEndUs = lastTimeUs;
    if (isStored) {
      this.#checkStored(lastTimeUs, index);
      return true;
    }
    if (previousUs !== endUs) {
      const detail = `it follows ${previousUs}, not ${endUs}: the daemon cuts the log off before it`;
      this.#problems.report('journal_gap', 'journal', lastTimeUs, detail);
    }
    if (index.firstTimeUs <= this.#storeEndUs) {
      const detail = `its first event is of ${index.firstTimeUs}, the store ends at ${this.#storeEndUs}`;
      this.#problems.report('journal_overlap', 'journal', lastTimeUs, detail);
    }
    this.#checkPositions(lastTimeUs, positions);
    return false;
  }

  #checkGap(lastTimeUs: number, { before, previousUs, index }: BlockHead): void {
    const after = this.#after;
    const isFirst = this.#storeEndUs === 0;
    const events = before.events - (after?.events ?? before.events);
    const bytes = before.bytes - (after?.bytes ?? before.bytes);
    // Before the first block everything may have been trimmed.
    if (isFirst ? previousUs >= index.firstTimeUs : previousUs !== this.#storeEndUs) {
      const lost = after === undefined ? '' : `: ${events} events and ${bytes} bytes are missing`;
      const detail = `it follows ${previousUs}, not ${this.#storeEndUs}${lost}`;
      this.#problems.report('block_gap', 'store', lastTimeUs, detail);
    } else if (events !== 0 || bytes !== 0) {
      const detail = `its totals are ${events} events and ${bytes} bytes above those of the block before it`;
      this.#problems.report('block_totals', 'store', lastTimeUs, detail);
    }
  }

  #checkStored(lastTimeUs: number, { timeUs }: BlockIndex): void {
    let lost = 0;
    for (const time of timeUs) {
      // Older ones have been trimmed.
      if (time < this.#storeStartUs) continue;
      const blocks = this.#recentTimes;
      const times = blocks[firstPast(blocks, 0, blocks.length, endsAtOrAfter, time)];
      if (times === undefined || times[firstAfter(times, times.length, time - 1)] !== time) lost++;
    }
    if (lost === 0) return;
    const detail = `${lost} of its ${timeUs.length} events are not in the store, which ends behind them`;
    this.#problems.report('journal_lost', 'journal', lastTimeUs, detail);
  }

  #checkPositions(timeUs: number, positions: UpstreamPositions): void {
    for (const [relay, to] of positions) {
      const from = this.#positions.get(relay);
      if (from === undefined || from <= to) continue;
      if (this.steppedBack.length < steppedBackMax) this.steppedBack.push({ timeUs, relay, from, to });
    }
    this.#positions = positions;
  }
}

function endsAtOrAfter(blocks: readonly Float64Array[], position: number, timeUs: number): boolean {
  return (blocks[position].at(-1) ?? 0) >= timeUs;
}

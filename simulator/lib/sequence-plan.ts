// Which sequence a position has: consecutive numbers, interrupted by jumps ahead and by restarts from other numbers.
// Arithmetic only. Used by the sources that number their frames themselves.

import { CodedError } from '../../lib/errors.ts';

/** Sequence of a source's first frame unless its options say otherwise: as wide in CBOR as the real relay's are. */
export const defaultFirstSeq = 30_000_000_001;

interface Segment {
  readonly position: number;
  readonly seq: number;
  /** Restarts before this segment. */
  readonly epoch: number;
}

/** Jumps and restarts that one plan takes. */
const segmentsMax = 1000;

/** Maps positions to sequences and back. */
export class SequencePlan {
  readonly #segments: Segment[];

  /** @param firstSeq sequence of position 0. */
  constructor(firstSeq: number) {
    this.#segments = [{ position: 0, seq: firstSeq, epoch: 0 }];
  }

  /** Sequence of a position. */
  seqAt(position: number): number {
    const segment = this.#segmentOf(position);
    return segment.seq + (position - segment.position);
  }

  /** How often sequences had restarted at a position. */
  epochAt(position: number): number {
    return this.#segmentOf(position).epoch;
  }

  /** The first position below `end`, not before the last restart, with a sequence above the cursor; else `end`. */
  positionAfter(cursor: number, end: number): number {
    const epoch = this.epochAt(Math.max(end - 1, 0));
    const segments = this.#segments.filter((segment) => segment.epoch === epoch && segment.position < end);
    for (const [index, segment] of segments.entries()) {
      const segmentEnd = Math.min(segments[index + 1]?.position ?? end, end);
      const position = segment.position + Math.max(cursor + 1 - segment.seq, 0);
      if (position < segmentEnd) {
        return position;
      }
    }
    return end;
  }

  /** Continues from `position` with sequence `seq`, which must be above those before it. */
  jumpTo(position: number, seq: number): void {
    if (position > 0 && seq <= this.seqAt(position - 1)) {
      throw new CodedError(
        'SIMULATOR_SEQUENCE_BACKWARDS',
        `sequence cannot jump back to ${seq}; restart it instead`,
      );
    }
    this.#add(position, seq, this.epochAt(position));
  }

  /** Starts over at `position` with sequence `seq`. */
  restartAt(position: number, seq: number): void {
    this.#add(position, seq, this.epochAt(position) + 1);
  }

  #add(position: number, seq: number, epoch: number): void {
    const last = this.#segments[this.#segments.length - 1];
    if (position < last.position || this.#segments.length >= segmentsMax) {
      throw new CodedError('SIMULATOR_SEQUENCE_LIMIT', `no jump or restart possible at position ${position}`);
    }
    if (position === last.position) {
      this.#segments.pop();
    }
    this.#segments.push({ position, seq, epoch });
  }

  #segmentOf(position: number): Segment {
    const segments = this.#segments;
    let index = segments.length - 1;
    while (index > 0 && segments[index].position > position) {
      index--;
    }
    return segments[index];
  }
}

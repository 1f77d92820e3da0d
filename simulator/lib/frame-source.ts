// The seam between the relay server and what it serves: a history of frames by position (0, 1, 2, … in the order they
// are published), each with the sequence that readers know it by. Implemented by the frame pool, the live network and
// files of frames.

/** A history of frames. Positions rise by one; sequences need not. */
export interface FrameSource {
  /** Frames that there will ever be; Infinity for an endless source. */
  readonly length: number;
  /** The oldest position that can still be read. */
  readonly firstPosition: number;
  /** Makes every position below `end` readable. Returns a promise only if that takes work. */
  prepare(end: number): Promise<void> | undefined;
  /** Sequence of the frame at a prepared position. */
  seqAt(position: number): number;
  /** The first position below `end` with a sequence above the cursor; `end` if there is none. */
  positionAfter(cursor: number, end: number): number;
  /** Bytes of the frame at a prepared position. */
  bytesAt(position: number): number;
  /** Copies the frame at a prepared position to `offset`; `out` has room for `bytesAt(position)`. */
  writeAt(position: number, out: Buffer, offset: number): void;
  /** Gives the frame at `position` and those after it sequences from `seq` on. `position` is not published yet. */
  jumpTo(position: number, seq: number): void;
  /** As {@link jumpTo}, but as a relay that lost its history: earlier frames cannot be read by cursor any more. */
  restartAt(position: number, seq: number): void;
}

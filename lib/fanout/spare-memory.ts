// Memory of blocks that nobody looks at any more, for the next ones: fresh memory costs as much as what is copied into it, because
// the system hands out its pages one by one (0.3 µs an event where it was measured, of 0.8 to make one of the second wire). It owns
// pieces between two uses; that nobody looks at one is for its user to know.

/** Pieces that are kept; one is dropped for each that is made, as a rule, and blocks differ in size. */
const piecesMax = 4;
/** A larger one is of a rare block. */
const pieceBytesMax = 1024 * 1024;
/** Sizes are multiples of this, so that the piece of one block fits the next. */
const pieceBytesStep = 16 * 1024;

/** See the file comment. */
export class SpareMemory {
  readonly #pieces: Buffer[] = [];

  /** A piece of at least so many bytes; what is in it is arbitrary. */
  take(bytes: number): Buffer {
    const at = this.#pieces.findIndex(({ length }) => length >= bytes);
    if (at >= 0) return this.#pieces.splice(at, 1)[0];
    // Of nothing too, or its user would keep any number of pieces.
    return Buffer.allocUnsafeSlow(Math.max(1, Math.ceil(bytes / pieceBytesStep)) * pieceBytesStep);
  }

  /** Takes a piece back; the oldest goes for it when there are enough. */
  give(piece: Buffer): void {
    if (piece.length > pieceBytesMax) return;
    if (this.#pieces.length === piecesMax) this.#pieces.shift();
    this.#pieces.push(piece);
  }

  clear(): void {
    this.#pieces.length = 0;
  }
}

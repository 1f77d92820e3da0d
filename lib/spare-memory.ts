// Memory of blocks that nobody looks at any more, for the next ones: fresh memory costs as much as what is copied into it, because
// the system hands out its pages one by one (0.3 µs an event where it was measured, of 0.8 to make one of the second wire). It owns
// pieces between two uses; that nobody looks at one is for its user to know.

/** Pieces that are kept; one is dropped for each that is made, as a rule, and blocks differ in size. */
const piecesMax = 4;

/** Which pieces there are. */
export interface Pieces {
  /** Sizes are multiples of this, so that the piece of one block fits the next. 16 KiB by default. */
  readonly stepBytes?: number;
  /** A larger one is of a rare block, and not kept. 1 MiB by default. */
  readonly bytesMax?: number;
  /** The largest piece that is good for so many bytes. Any by default. */
  readonly mostBytesFor?: (bytes: number) => number;
}

/** See the file comment. */
export class SpareMemory {
  readonly #pieces: Buffer[] = [];
  readonly #stepBytes: number;
  readonly #bytesMax: number;
  readonly #mostBytesFor: (bytes: number) => number;

  constructor({ stepBytes = 16 * 1024, bytesMax = 1024 * 1024, mostBytesFor = () => Infinity }: Pieces = {}) {
    this.#stepBytes = stepBytes;
    this.#bytesMax = bytesMax;
    this.#mostBytesFor = mostBytesFor;
  }

  /** A piece of at least so many bytes; what is in it is arbitrary. */
  take(bytes: number): Buffer {
    const pieces = this.#pieces;
    const mostBytes = this.#mostBytesFor(bytes);
    let best = -1;
    for (let at = 0; at < pieces.length; at++) {
      const { length } = pieces[at];
      const fits = length >= bytes && length <= mostBytes;
      if (fits && (best < 0 || length < pieces[best].length)) best = at;
    }
    if (best >= 0) return pieces.splice(best, 1)[0];
    // Of nothing too, or its user would keep any number of pieces.
    return Buffer.allocUnsafeSlow(Math.max(1, Math.ceil(bytes / this.#stepBytes)) * this.#stepBytes);
  }

  /** Takes a piece back; the oldest goes for it when there are enough. */
  give(piece: Buffer): void {
    if (piece.length > this.#bytesMax) return;
    if (this.#pieces.length === piecesMax) this.#pieces.shift();
    this.#pieces.push(piece);
  }

  clear(): void {
    this.#pieces.length = 0;
  }
}

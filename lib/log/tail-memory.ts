// Memory of blocks that nobody has any more, for blocks to come. Half a MB of it a second goes through the memory tail at the network's
// rate. V8 would have it wait as garbage until all of its heap is gone through, and would do that more often because of it; and malloc
// keeps the pieces, none of which fits the next. It owns whose memory is from here; spare-memory.ts has it between two blocks.

import { SpareMemory } from '../spare-memory.ts';

const stepBytes = 32 * 1024;

/** See the file comment. */
export class TailMemory {
  /** Whole pieces by their memory: what was not made here may be in other hands. */
  readonly #made = new WeakMap<ArrayBufferLike, Buffer>();
  /** A block keeps its piece for long: one that is much larger is for another. */
  readonly #spare = new SpareMemory({
    stepBytes,
    bytesMax: Infinity,
    mostBytesFor: (bytes) => bytes + (bytes >>> 2) + stepBytes,
  });

  /** So many bytes, with anything in them: those of what was given back, if they fit without waste. */
  take(bytes: number): Buffer {
    const piece = this.#spare.take(bytes);
    this.#made.set(piece.buffer, piece);
    return piece.subarray(0, bytes);
  }

  /** Somebody else has it now, for as long as he likes: it is not used again. */
  lend({ buffer }: Uint8Array): void {
    this.#made.delete(buffer);
  }

  /** Nobody looks at it any more who has not told {@link lend}. */
  give({ buffer }: Uint8Array): void {
    const piece = this.#made.get(buffer);
    if (piece === undefined) return;
    this.#made.delete(buffer);
    this.#spare.give(piece);
  }
}

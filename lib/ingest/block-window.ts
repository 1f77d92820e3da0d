// How long the open block gathers events. It owns the one timer for that, and when the last block was sealed; what is in a block, and
// whether the log has time for it, is ingest's.

/** The shortest timer of Node, and what the rest of a burst takes to arrive. */
const timerMs = 1;
/** How long a newer upstream position without events may stay unstored; as v1's cursor interval. */
const positionWindowMs = 5_000;

/** See the file comment. */
export class BlockWindow {
  readonly #windowMs: number;
  readonly #over: () => void;
  #timer: NodeJS.Timeout | undefined;
  /** Whether it ends a window with events, and not just one with a position. */
  #isOfEvents = false;
  #sealedAtMs = -Infinity;

  /** @param windowMs shortest time from one block to the next. @param over called when a timer has ended. */
  constructor(windowMs: number, over: () => void) {
    this.#windowMs = windowMs;
    this.#over = over;
  }

  /** Whether the block before was sealed so long ago that the next need not gather. */
  get isOver(): boolean {
    return performance.now() >= this.#sealedAtMs + this.#windowMs - timerMs;
  }

  /** The open block has something: it is over in time. */
  begin(hasEvents: boolean): void {
    if (this.#timer !== undefined && (this.#isOfEvents || !hasEvents)) return;
    clearTimeout(this.#timer);
    this.#isOfEvents = hasEvents;
    const windowMs = Math.max(timerMs, this.#sealedAtMs + this.#windowMs - performance.now());
    this.#timer = setTimeout(this.#end, hasEvents ? windowMs : positionWindowMs);
  }

  /** Nobody waits for its end any more. */
  clear(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  /** A block is sealed now. */
  sealed(): void {
    this.clear();
    this.#sealedAtMs = performance.now();
  }

  readonly #end = (): void => {
    this.#timer = undefined;
    this.#over();
  };
}

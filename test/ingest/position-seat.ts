// A relay position as ingest uses it, with frames that are numbers: what was taken, in which order, and what was told.

import type { RelayOutcome } from '../../lib/ingest/relay-position.ts';
import { RelayPosition } from '../../lib/ingest/relay-position.ts';

/** A frame of a test. `id` is what it says: the same id under the same number is the same frame. */
export interface TestFrame {
  readonly seq: number;
  readonly id: number;
  /** Microseconds; NaN for none. */
  readonly timeUs: number;
  readonly byteLength?: number;
}

const blockFrames = 16;

/** See the file comment. */
export class PositionSeat {
  readonly taken: number[] = [];
  readonly outcomes: RelayOutcome[] = [];
  stale = 0;
  nowMs = 1000;
  readonly position: RelayPosition;
  #frames = 0;

  constructor(confirmed?: number, storedUs = 0) {
    this.position = new RelayPosition(confirmed, storedUs, {
      take: (bytes) =>
        this.#take(new DataView(bytes.buffer).getFloat64(0), new DataView(bytes.buffer).getFloat64(8)),
      stale: (frames) => {
        this.stale += frames;
      },
      outcome: (outcome) => this.outcomes.push(outcome),
    });
  }

  get names(): string[] {
    return this.outcomes.map(({ name }) => name);
  }

  give({ seq, id, timeUs, byteLength = 16 }: TestFrame): void {
    if (this.position.isNext(seq, id)) {
      this.#take(id, timeUs);
      this.position.advance(seq, id);
      return;
    }
    const view = new DataView(new ArrayBuffer(byteLength));
    view.setFloat64(0, id);
    view.setFloat64(8, timeUs);
    const bytes = new Uint8Array(view.buffer);
    this.position.offer({ seq, print: id, timeUs, bytes }, this.nowMs);
  }

  expire(isLast = false): void {
    this.position.expire(this.nowMs, isLast);
  }

  #take(id: number, timeUs: number): void {
    this.taken.push(id);
    // Blocks are sealed in between.
    if (this.#frames++ % blockFrames === 0 && !Number.isNaN(timeUs)) this.position.dated(timeUs);
  }
}

/** Frames that a relay makes: one a millisecond, each with an id of its own. */
export class FrameMaker {
  seq: number;
  timeUs = 1_800_000_000_000_000;
  #id = 0;

  constructor(seq: number) {
    this.seq = seq;
  }

  get made(): number {
    return this.#id;
  }

  next(timeUs = this.timeUs): TestFrame {
    this.timeUs += 1000;
    return { seq: this.seq++, id: ++this.#id, timeUs };
  }

  /** One frame of that number, after which numbers go on as before. */
  odd(seq: number): TestFrame {
    const { seq: before } = this;
    this.seq = seq;
    const frame = this.next();
    this.seq = before;
    return frame;
  }

  some(count: number): TestFrame[] {
    return Array.from({ length: count }, () => this.next());
  }
}

// Memory that the thread that ingests and the one that checks commits share: frames one way, in batches, and a byte for each back, so
// that nothing is made for a frame, and mostly nothing is said. It owns what lies where, and how much fits. Either side counts up
// a number of its own behind what it has written; how long anybody waits is verifier.ts's, when batches are looked for batch-watch.ts's.

import { ByteWriter } from '../byte-writer.ts';
import type { FrameBatch } from './verifier-messages.ts';

/** Bytes of frames, frames and batches that may be under way: 750 commits, a fifth of a second. */
export const ringBytes = 4 * 1024 * 1024;
const framesMax = 16_384;
const batchesMax = 1_024;
/** Numbers of the newest batch that was sent, is answered, is done. They wrap around: nobody is 2^31 batches ahead. */
const [sentAt, answeredAt, doneAt] = [0, 1, 2];
/** 1 while the side that checks wants to be woken. */
const asleepAt = 3;
const countersBytes = 64;
/** Of a batch: its first frame, how many, and three {@link BatchNotes}. */
const batchNumbers = 5;
/** Of the side that checks, for the frames of a batch. */
const scratchBytes = 256 * 1024;

/** What goes with a batch. */
export type BatchNotes = Pick<FrameBatch, 'answerByMs' | 'storedBatch' | 'hasSkipped'>;

/** Views of the memory; what counts up is found by its rest. */
class RingViews {
  readonly counters: Int32Array<SharedArrayBuffer>;
  readonly batches: Float64Array;
  /** Start and end of each frame. */
  readonly spans: Uint32Array;
  readonly reasons: Uint8Array;
  readonly bytes: Uint8Array;

  constructor(memory: SharedArrayBuffer) {
    let at = 0;
    const next = (bytes: number): number => {
      at += bytes;
      return at - bytes;
    };
    this.counters = new Int32Array(memory, next(countersBytes), countersBytes / 4);
    this.batches = new Float64Array(memory, next(8 * batchesMax * batchNumbers), batchesMax * batchNumbers);
    this.spans = new Uint32Array(memory, next(8 * framesMax), 2 * framesMax);
    this.reasons = new Uint8Array(memory, next(framesMax), framesMax);
    this.bytes = new Uint8Array(memory, next(ringBytes), ringBytes);
  }

  static memory(): SharedArrayBuffer {
    return new SharedArrayBuffer(countersBytes + 8 * batchesMax * batchNumbers + 9 * framesMax + ringBytes);
  }
}

/** The side that has frames. */
export class FrameSender {
  readonly memory = RingViews.memory();
  readonly #views = new RingViews(this.memory);
  /** Ends of the batches under way, the oldest first, in frames and bytes. */
  readonly #ends: { readonly frames: number; readonly bytes: number }[] = [];
  #number = 0;
  #doneNumber = 0;
  /** Frames and bytes, counted up: where what is under way begins, where the open batch does, where it ends. */
  #frameTail = 0;
  #frameOpen = 0;
  #frameHead = 0;
  #byteTail = 0;
  #byteOpen = 0;
  #byteHead = 0;
  #isFull = false;

  /** Of frames that were sent and are not done, and of what is unused between them. */
  get outstandingBytes(): number {
    this.free();
    return this.#byteOpen - this.#byteTail;
  }

  /** Batches up to this one are answered. */
  get answered(): number {
    return this.#numberOf(Atomics.load(this.#views.counters, answeredAt));
  }

  /** Counts up, of the open batch's first frame; see {@link reasonOf}. */
  get openFrame(): number {
    return this.#frameOpen;
  }

  /** Puts a copy of a frame into the open batch. */
  add(bytes: Uint8Array): void {
    // What is used again and again is in the caches, and the rest takes no memory.
    if (this.#byteHead === this.#byteTail) this.#byteTail = this.#byteOpen = this.#byteHead = 0;
    const { length } = bytes;
    const rest = ringBytes - (this.#byteHead % ringBytes);
    // A frame lies in one piece.
    const from = this.#byteHead + (length > rest ? rest : 0);
    const frame = this.#frameHead++;
    this.#isFull ||= from + length > this.#byteTail + ringBytes || frame >= this.#frameTail + framesMax;
    if (this.#isFull) return;
    const start = from % ringBytes;
    const slot = 2 * (frame % framesMax);
    this.#views.bytes.set(bytes, start);
    this.#views.spans[slot] = start;
    this.#views.spans[slot + 1] = start + length;
    this.#byteHead = from + length;
  }

  /** Has the open batch checked. @returns its number, which counts up from 1; undefined when it does not fit, and is forgotten. */
  send({ answerByMs, storedBatch, hasSkipped }: BatchNotes): number | undefined {
    if (this.#isFull || this.#ends.length >= batchesMax) {
      this.clear();
      return undefined;
    }
    const { batches, counters } = this.#views;
    const number = ++this.#number;
    const slot = (number % batchesMax) * batchNumbers;
    batches[slot] = this.#frameOpen;
    batches[slot + 1] = this.#frameHead - this.#frameOpen;
    batches[slot + 2] = answerByMs;
    batches[slot + 3] = storedBatch;
    batches[slot + 4] = hasSkipped ? 1 : 0;
    this.#ends.push({ frames: this.#frameHead, bytes: this.#byteHead });
    this.#frameOpen = this.#frameHead;
    this.#byteOpen = this.#byteHead;
    Atomics.store(counters, sentAt, number | 0);
    // Waking it costs this thread more than all else here.
    if (Atomics.load(counters, asleepAt) === 1) Atomics.notify(counters, sentAt);
    return number;
  }

  /** Forgets the open batch. */
  clear(): void {
    this.#frameHead = this.#frameOpen;
    this.#byteHead = this.#byteOpen;
    this.#isFull = false;
  }

  /** The number of a reason, of a frame whose batch is answered and has not been freed. @param frame counted up. */
  reasonOf(frame: number): number {
    return this.#views.reasons[frame % framesMax];
  }

  /** Takes back the room of what is done. */
  free(): void {
    const done = this.#numberOf(Atomics.load(this.#views.counters, doneAt));
    for (; this.#doneNumber < done; this.#doneNumber++) {
      const { frames, bytes } = this.#ends.shift() as { frames: number; bytes: number };
      this.#frameTail = frames;
      this.#byteTail = bytes;
    }
  }

  /** Resolves when batches behind that one are answered; undefined when there are some. */
  answeredAfter(number: number): Promise<unknown> | undefined {
    const wait = Atomics.waitAsync(this.#views.counters, answeredAt, number | 0);
    return wait.async ? wait.value : undefined;
  }

  /** Stands still until that batch is answered, or for so long. @returns whether it is. */
  standFor(number: number, msMax: number): boolean {
    const { counters } = this.#views;
    const untilMs = performance.now() + msMax;
    for (;;) {
      const answered = Atomics.load(counters, answeredAt);
      if (this.#numberOf(answered) >= number) return true;
      const restMs = untilMs - performance.now();
      if (restMs <= 0) return false;
      Atomics.wait(counters, answeredAt, answered, restMs);
    }
  }

  /** Of what a counter holds. */
  #numberOf(counted: number): number {
    return this.#number - (((this.#number | 0) - counted) | 0);
  }
}

/** The side that checks them. */
export class FrameReceiver {
  readonly #views: RingViews;
  readonly #scratch = new ByteWriter(scratchBytes);
  #number = 0;

  constructor(memory: SharedArrayBuffer) {
    this.#views = new RingViews(memory);
  }

  /** Whether there is a batch behind the one that was taken last. */
  get hasNext(): boolean {
    return Atomics.load(this.#views.counters, sentAt) !== (this.#number | 0);
  }

  /** Takes the next batch, whose bytes are there until the next call. Undefined when there is none. */
  take(): FrameBatch | undefined {
    if (!this.hasNext) return undefined;
    const number = ++this.#number;
    const { batches, spans, bytes } = this.#views;
    const slot = (number % batchesMax) * batchNumbers;
    const firstFrame = batches[slot];
    const ends = new Uint32Array(batches[slot + 1]);
    const scratch = this.#scratch;
    scratch.shrink(scratchBytes);
    for (let at = 0; at < ends.length; at++) {
      const span = 2 * ((firstFrame + at) % framesMax);
      scratch.bytes(bytes, spans[span], spans[span + 1]);
      ends[at] = scratch.length;
    }
    return {
      ...{ number, ends, bytes: scratch.buffer.subarray(0, scratch.length) },
      ...{
        answerByMs: batches[slot + 2],
        storedBatch: batches[slot + 3],
        hasSkipped: batches[slot + 4] === 1,
      },
    };
  }

  /** @param reasons the number of one for each frame of the batch that was taken last. @param isDone as of {@link done}. */
  answer(reasons: Uint8Array, isDone: boolean): void {
    const { batches, counters, reasons: answers } = this.#views;
    const firstFrame = batches[(this.#number % batchesMax) * batchNumbers];
    for (let at = 0; at < reasons.length; at++) answers[(firstFrame + at) % framesMax] = reasons[at];
    if (isDone) this.done();
    Atomics.store(counters, answeredAt, this.#number | 0);
    Atomics.notify(counters, answeredAt);
  }

  /** Nothing of the batch is in the way of the next; it is answered, or about to be. */
  done(): void {
    Atomics.store(this.#views.counters, doneAt, this.#number | 0);
  }

  /** Has this side woken by the next batch. Undefined when there is one. */
  sleep(): Promise<unknown> | undefined {
    const { counters } = this.#views;
    Atomics.store(counters, asleepAt, 1);
    const wait = Atomics.waitAsync(counters, sentAt, this.#number | 0);
    if (wait.async) return wait.value;
    this.wake();
    return undefined;
  }

  /** It looks by itself again. */
  wake(): void {
    Atomics.store(this.#views.counters, asleepAt, 0);
  }
}

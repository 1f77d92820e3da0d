// Frames that were taken and are not events yet, because they are being checked. It owns the memory of them, that the stored place at a
// relay never passes one, and the bounds: on what is under way, from which on the relay waits, and on how far others may get past a frame
// that waits. Beyond that, and when nobody answers any more, frames go on unchecked. What is an event, and what a row, is ingest's.

import { ByteWriter } from '../byte-writer.ts';
import type { Frame } from '../decode/frame.ts';
import type { CoverageFinding } from '../event/coverage.ts';
import { type BlockVerdicts, numberOf, reasonOfNumber, verdictOf } from '../event/verdict.ts';
import type { Relay } from '../upstream/relay-url.ts';
import type { FrameAnswers, FrameChecks, FrameChecksSink } from './verification.ts';

/** A batch is sent when the relay rests, or with so many frames or bytes, or after so long. */
const batchFramesMax = 64;
const batchBytesMax = 256 * 1024;
const batchMsMax = 16;
/** Bytes of frames under way at which reading from the relay stops, and at which it goes on: a fifth of a second of checks. */
const outstandingBytesMax = 4 * 1024 * 1024;
const outstandingBytesLow = 2 * 1024 * 1024;
/**
 * Events that may get past a frame that waits. After a crash the relay is asked from that frame on, and what got past it is known by the end
 * of the log: earlier-frames.ts reads four times as many back, of which frame-times.ts trusts half.
 */
const passingEventsMax = 8_192;
/** How long after that frames are compared with what the log has; as of a change of relay. */
const overlapUs = 30_000_000;
const tooLate = numberOf('too_late');
const keyAwaited = numberOf('key_awaited');

/** Frames that were sent together, and so lie in one memory. */
interface Batch {
  bytes: Uint8Array;
  readonly firstId: number;
  lastId: number;
}

interface Held {
  readonly relay: Relay;
  /** After which sequence the relay would send it again. */
  readonly after: number;
  /** Events that went on before it came. */
  readonly events: number;
  batch: Batch | undefined;
  /** In the memory of its batch, or in its own. */
  start: number;
  end: number;
  own: Uint8Array | undefined;
}

/** Whom the gate tells. */
export interface FrameGateSink {
  /** The frame becomes events. @param placed to be called with their places in the open block before that may be sealed. */
  letGo(bytes: Uint8Array, relay: Relay, placed: (from: number, to: number, isSigned: boolean) => void): void;
  /** The frame becomes nothing. */
  drop(): void;
  cover(finding: CoverageFinding): void;
  /** Everything of that numbering up to there is events, or rows. */
  advance(numbering: string, seq: number): void;
  setPaused(paused: boolean): void;
}

/** See the file comment. */
export class FrameGate implements FrameChecksSink {
  readonly #checks: FrameChecks;
  readonly #sink: FrameGateSink;
  readonly #held = new Map<number, Held>();
  readonly #batches = new Map<number, Batch>();
  readonly #writer = new ByteWriter(2 * batchBytesMax);
  #open: Batch | undefined;
  #ends: number[] = [];
  #timer: NodeJS.Timeout | undefined;
  #nextId = 1;
  #releasedId = 0;
  #events = 0;
  /** By numbering, in the order in which they were followed: the newest place, and the next frame's id when it was reached. */
  readonly #places = new Map<string, { readonly seq: number; readonly id: number }>();
  /** Of the open block: numbers of reasons, where there are some. */
  #column: number[] = [];
  /** The newest answers that are in the open block, or before it. */
  #answers = 0;
  #isPaused = false;
  #isOver = false;

  constructor(checks: FrameChecks, sink: FrameGateSink) {
    this.#checks = checks;
    this.#sink = sink;
    checks.begin(this);
  }

  /** Whether what is in the log is not all of what lies before the newest of it. */
  get isOvertaken(): boolean {
    const [oldest] = this.#held.keys();
    return oldest !== undefined && this.#releasedId > oldest;
  }

  /** Until when a process that begins after this block has to compare what comes. @param newestUs time of the stream. */
  overlapUntilUs(newestUs: number): number | undefined {
    return this.isOvertaken ? newestUs + overlapUs : undefined;
  }

  /** A frame was taken. @param after sequence behind which the relay would send it again. */
  hold(frame: Frame, relay: Relay, after: number): void {
    const id = this.#nextId++;
    const start = this.#writer.length;
    if (!this.#checks.isUp) {
      this.#held.set(id, this.#newHeld(relay, after, undefined, 0, 0, frame.bytes));
      this.#letGo(id, tooLate);
      return;
    }
    this.#writer.bytes(frame.bytes);
    const end = this.#writer.length;
    this.#ends.push(end);
    this.#open ??= { bytes: frame.bytes, firstId: id, lastId: id };
    this.#open.lastId = id;
    this.#held.set(id, this.#newHeld(relay, after, this.#open, start, end, undefined));
    this.#timer ??= setTimeout(() => this.send(), batchMsMax);
    if (this.#ends.length >= batchFramesMax || end >= batchBytesMax) this.send();
  }

  /** Everything of that numbering up to there was taken. */
  advance(numbering: string, seq: number): void {
    this.#places.delete(numbering);
    this.#places.set(numbering, { seq, id: this.#nextId });
    this.#settle();
  }

  /** The relay rests: what has come is checked. */
  send(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const batch = this.#open;
    if (batch === undefined || this.#isOver) return;
    const ends = Uint32Array.from(this.#ends);
    this.#close(batch);
    this.#batches.set(this.#checks.send(batch.firstId, batch.bytes, ends), batch);
    if (!this.#isPaused && this.#checks.outstandingBytes > outstandingBytesMax) this.#setPaused(true);
  }

  /** The open block ends, with so many events. */
  seal(count: number): BlockVerdicts {
    const column = new Uint8Array(count);
    column.set(this.#column);
    this.#column = [];
    const answers = this.#answers;
    return { column: () => column, stored: () => this.#checks.stored(answers) };
  }

  answered({ number, ids, reasons, isArmed }: FrameAnswers): void {
    for (const [at, id] of ids.entries()) {
      if (!this.#held.has(id)) continue;
      const reason = reasons[at];
      if (isArmed && verdictOf(reasonOfNumber(reason)) === 'refuted') this.#drop(id, reason);
      else this.#letGo(id, reason);
    }
    this.#answers = number;
    this.#releasePassed();
  }

  incident({ incident, id, isArmed }: Parameters<FrameChecksSink['incident']>[0]): void {
    const held = this.#held.get(id);
    const isDropped = held !== undefined && isArmed && incident.reason === 'refuted_commit';
    const reason = isDropped ? 'commit_dropped' : incident.reason;
    this.#sink.cover({ ...incident, reason, relay: held?.relay.id ?? '' });
  }

  done(number: number): void {
    const batch = this.#batches.get(number);
    this.#batches.delete(number);
    if (batch === undefined) return;
    // What waits does not keep the memory of what has gone.
    for (let id = batch.firstId; id <= batch.lastId; id++) {
      const held = this.#held.get(id);
      if (held === undefined) continue;
      held.own = Uint8Array.from(bytesOf(held));
      held.batch = undefined;
    }
    if (this.#isPaused && this.#checks.outstandingBytes < outstandingBytesLow) this.#setPaused(false);
  }

  ended(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#batches.clear();
    for (const id of [...this.#held.keys()]) this.#letGo(id, tooLate);
    if (this.#isPaused) this.#setPaused(false);
  }

  /** Nothing goes on any more: what is held comes again, in another life. */
  stop(): void {
    this.#isOver = true;
    clearTimeout(this.#timer);
    this.#held.clear();
    this.#batches.clear();
  }

  #close(batch: Batch): void {
    batch.bytes = this.#writer.copy();
    this.#open = undefined;
    this.#ends = [];
    this.#writer.shrink(2 * batchBytesMax);
  }

  #newHeld(
    relay: Relay,
    after: number,
    ...[batch, start, end, own]: [Batch | undefined, number, number, Uint8Array | undefined]
  ): Held {
    return { relay, after, events: this.#events, batch, start, end, own };
  }

  #releasePassed(): void {
    for (const [id, { events }] of this.#held) {
      if (this.#events - events <= passingEventsMax) return;
      this.#letGo(id, keyAwaited);
    }
  }

  #letGo(id: number, reason: number): void {
    const held = this.#take(id);
    if (held === undefined) return;
    if (held.batch !== undefined && held.batch === this.#open) this.#close(held.batch);
    this.#sink.letGo(bytesOf(held), held.relay, (from, to, isSigned) => {
      if (isSigned) {
        for (let at = from; at < to; at++) this.#column[at] = reason;
        this.#checks.count(reason);
      }
      this.#events += to - from;
      this.#settle();
    });
  }

  #drop(id: number, reason: number): void {
    if (this.#take(id) === undefined) return;
    this.#checks.count(reason);
    this.#checks.dropped++;
    this.#sink.drop();
    this.#settle();
  }

  #take(id: number): Held | undefined {
    if (this.#isOver) return undefined;
    const held = this.#held.get(id);
    this.#held.delete(id);
    this.#releasedId = Math.max(this.#releasedId, id);
    return held;
  }

  /** Places that nothing is held before, and the one before the oldest that is. */
  #settle(): void {
    const [oldest] = this.#held;
    for (const [numbering, { seq, id }] of this.#places) {
      if (oldest === undefined || id <= oldest[0]) {
        this.#places.delete(numbering);
        this.#sink.advance(numbering, seq);
      } else if (numbering === oldest[1].relay.numbering) this.#sink.advance(numbering, oldest[1].after);
    }
  }

  #setPaused(paused: boolean): void {
    this.#isPaused = paused;
    this.#sink.setPaused(paused);
  }
}

function bytesOf({ own, batch, start, end }: Held): Uint8Array {
  return own ?? (batch as Batch).bytes.subarray(start, end);
}

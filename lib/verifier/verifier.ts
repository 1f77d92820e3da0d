// Verdicts for what is ingested, from a thread that checks commits: it sends the frames of a block when the block is sealed, and has
// the column of verdicts within 20 ms, whatever the thread does. It owns that bound, and the one on what waits for the thread: what
// does not fit, or comes late, is `too_late`. It never stops, reorders or drops anything, and ends nothing when the thread ends.

import type { Worker } from 'node:worker_threads';
import { ByteWriter } from '../byte-writer.ts';
import { type Frame, frameTypes } from '../decode/frame.ts';
import { notAsked, numberOf, type Reason, reasonNames, reasonOfNumber } from '../event/verdict.ts';
import { endedError, startThread } from './thread-start.ts';
import {
  type FrameBatch,
  type FromVerifier,
  type Incident,
  monotonicMs,
  type StreamReport,
  type ToVerifier,
  type VerifierStart,
} from './verifier-messages.ts';

/** How long a block waits for its verdicts. */
const usualWaitMs = 20;
/** How much earlier the thread answers: its message and our timers take their time, too. */
const answerMarginMs = 6;
/** Bytes of frames that the thread has and has not done: 750 commits, a fifth of a second. */
const outstandingBytesMax = 4 * 1024 * 1024;
const writerBytes = 256 * 1024;
const notSigned = -1;
const tooLate = numberOf('too_late');

/** The verdicts of a block, some time soon. */
export interface PendingVerdicts {
  /** One number an event: see `BlockIndex.verdict`. Resolves within the time of {@link VerifierOptions.waitMs} and never rejects. */
  readonly column: Promise<Uint8Array>;
  /** The block is in the log. */
  stored(): void;
}

export interface VerifierOptions extends Omit<VerifierStart, 'isHolding'> {
  /** The thread has ended, though it was not stopped: everything is `too_late` from now on. */
  readonly ended: (error: Error) => void;
  /** How long a block waits for its verdicts; 20 ms unless given. */
  readonly waitMs?: number | undefined;
}

/** A batch whose verdicts are waited for, or late. */
interface Sent {
  readonly bytes: number;
  /** As `#spans`. */
  readonly spans: readonly number[];
  readonly column: Uint8Array;
  resolve: ((column: Uint8Array) => void) | undefined;
  timer: NodeJS.Timeout | undefined;
}

/** See the file comment. */
export class Verifier {
  /** Commits and syncs whose blocks got that reason. */
  readonly counts = new Map<Reason, number>(reasonNames.map((reason) => [reason, 0]));
  /** Incidents since start, by their reasons. */
  readonly incidents = { refuted_commit: 0, broken_chain: 0 };
  readonly engine: 'wasm' | 'node';
  /** How the directory's stream of operations goes, if it is followed. */
  stream: StreamReport | undefined;
  readonly #worker: Worker;
  readonly #exited = Promise.withResolvers<void>();
  readonly #ended: (error: Error) => void;
  readonly #waitMs: number;
  readonly #writer = new ByteWriter(writerBytes);
  #ends: number[] = [];
  /** Two numbers a frame: where its events begin and end in the block; {@link notSigned} first where nobody signs it. */
  #spans: number[] = [];
  readonly #sent = new Map<number, Sent>();
  #outstandingBytes = 0;
  #number = 0;
  #storedBatch = 0;
  #hasSkipped = false;
  #isOver = false;
  #tell: (incident: Incident) => void = () => {};

  private constructor(worker: Worker, engine: 'wasm' | 'node', { ended, waitMs }: VerifierOptions) {
    this.#worker = worker;
    this.engine = engine;
    this.#ended = ended;
    this.#waitMs = waitMs ?? usualWaitMs;
    worker.on('message', (message: FromVerifier) => this.#hear(message));
    worker.on('error', (error: Error) => this.#end(error));
    worker.on('exit', (code) => {
      this.#end(endedError(code));
      this.#exited.resolve();
    });
  }

  /** Starts the thread. @throws CodedError of a database that it cannot open, `IDENTITY_BAD_URL`. */
  static async start(options: VerifierOptions): Promise<Verifier> {
    const { dataDir, plcUrl, webUrl, webHosts, streamsAs } = options;
    const start = { dataDir, plcUrl, webUrl, webHosts, streamsAs, isHolding: false };
    const { worker, engine } = await startThread(start);
    return new Verifier(worker, engine, options);
  }

  /** Bytes of frames that the thread has not done yet. */
  get outstandingBytes(): number {
    return this.#outstandingBytes;
  }

  /** Whether the thread still runs. */
  get isUp(): boolean {
    return !this.#isOver;
  }

  /** Whoever writes the log begins, or begins again: what was sent before was not all. @param tell told of incidents. */
  begin(tell: (incident: Incident) => void): void {
    this.#tell = tell;
    this.#clear();
    this.#hasSkipped = true;
  }

  /** A frame was taken; its events are those from `from` to `to` (exclusive) of the open block. Its bytes are copied. */
  add(frame: Frame, from: number, to: number): void {
    const { type, bytes } = frame;
    const isSigned = type === frameTypes.commit || type === frameTypes.sync;
    if ((!isSigned && type !== frameTypes.identity) || frame.reason !== undefined) return;
    this.#writer.bytes(bytes);
    this.#ends.push(this.#writer.length);
    this.#spans.push(isSigned ? from : notSigned, to);
  }

  /** The block is sealed, with so many events. Undefined when nothing of it can be checked. */
  seal(count: number): PendingVerdicts | undefined {
    if (this.#spans.length === 0) return undefined;
    const spans = this.#spans;
    const column = new Uint8Array(count).fill(notAsked);
    const bytes = this.#writer.length;
    if (
      this.#isOver ||
      (this.#outstandingBytes > 0 && this.#outstandingBytes + bytes > outstandingBytesMax)
    ) {
      this.#hasSkipped = true;
      this.#fill(column, spans, undefined);
      this.#clear();
      return { column: Promise.resolve(column), stored: () => {} };
    }
    const number = ++this.#number;
    const done = Promise.withResolvers<Uint8Array>();
    // Not at once: where this thread was busy for so long, the answer may be here already, and is heard first.
    const timer = setTimeout(() => setImmediate(() => this.#give(number, undefined)), this.#waitMs);
    this.#sent.set(number, { bytes, spans, column, resolve: done.resolve, timer });
    this.#send(number);
    return {
      column: done.promise,
      stored: () => {
        this.#storedBatch = number;
      },
    };
  }

  /** Has the states of accounts written, as far as their events are stored, and ends the thread. */
  async stop(): Promise<void> {
    if (!this.#isOver) {
      this.#isOver = true;
      this.#post({ kind: 'stop', storedBatch: this.#storedBatch });
    }
    await this.#exited.promise;
    for (const number of [...this.#sent.keys()]) this.#give(number, undefined);
  }

  #send(number: number): void {
    const bytes = this.#writer.copy();
    const ends = Uint32Array.from(this.#ends);
    const answerByMs = monotonicMs() + this.#waitMs - answerMarginMs;
    const batch: FrameBatch = {
      ...{ number, bytes, ends, answerByMs },
      storedBatch: this.#storedBatch,
      hasSkipped: this.#hasSkipped,
    };
    this.#outstandingBytes += bytes.length;
    this.#hasSkipped = false;
    this.#clear();
    this.#post({ kind: 'batch', batch }, [bytes.buffer as ArrayBuffer, ends.buffer]);
  }

  #post(message: ToVerifier, memory: ArrayBuffer[] = []): void {
    this.#worker.postMessage(message, memory);
  }

  #clear(): void {
    this.#writer.shrink(writerBytes);
    this.#ends = [];
    this.#spans = [];
  }

  #hear(message: FromVerifier): void {
    if (message.kind === 'verdicts') {
      this.#give(message.number, message.reasons);
      if (message.isDone) this.#done(message.number);
    } else if (message.kind === 'done') this.#done(message.number);
    else if (message.kind === 'stream') this.stream = message.report;
    else if (message.kind === 'incident') {
      this.incidents[message.incident.reason as keyof Verifier['incidents']]++;
      this.#tell(message.incident);
    }
  }

  /** @param reasons one for each frame; undefined when time is up. What comes behind that is not looked at. */
  #give(number: number, reasons: Uint8Array | undefined): void {
    const sent = this.#sent.get(number);
    if (sent?.resolve === undefined) return;
    clearTimeout(sent.timer);
    this.#fill(sent.column, sent.spans, reasons);
    sent.resolve(sent.column);
    sent.resolve = undefined;
  }

  #fill(column: Uint8Array, spans: readonly number[], reasons: Uint8Array | undefined): void {
    for (let at = 0; at < spans.length; at += 2) {
      const from = spans[at];
      if (from === notSigned) continue;
      const number = reasons?.[at >> 1] ?? tooLate;
      column.fill(number, from, spans[at + 1]);
      const reason = reasonOfNumber(number);
      this.counts.set(reason, (this.counts.get(reason) as number) + 1);
    }
  }

  #done(number: number): void {
    this.#outstandingBytes -= this.#sent.get(number)?.bytes ?? 0;
    this.#sent.delete(number);
  }

  #end(error: Error): void {
    if (this.#isOver) return;
    this.#isOver = true;
    for (const number of [...this.#sent.keys()]) this.#give(number, undefined);
    this.#sent.clear();
    this.#outstandingBytes = 0;
    this.#ended(error);
  }
}

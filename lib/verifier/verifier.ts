// Verdicts for what is ingested, from a thread that checks commits: it puts the frames of a block where that thread finds them, and has
// the column of verdicts within 20 ms of the block's end, whatever the thread does. It owns that bound: what comes late, or does not fit
// into frame-ring.ts, is `too_late`. It never stops, reorders or drops anything, and ends nothing when the thread ends. Whether it stands
// still for an answer is said by standstill.ts; else the answer wakes it.

import type { Worker } from 'node:worker_threads';
import { type Frame, frameTypes } from '../decode/frame.ts';
import {
  type BlockVerdicts,
  notAsked,
  numberOf,
  type Reason,
  reasonNames,
  reasonOfNumber,
} from '../event/verdict.ts';
import type { SignatureEngine } from '../verify/signature.ts';
import { FrameSender } from './frame-ring.ts';
import { Standstill } from './standstill.ts';
import { endedError, startThread } from './thread-start.ts';
import {
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
const notSigned = -1;
const tooLate = numberOf('too_late');

export interface VerifierOptions extends Omit<VerifierStart, 'isHolding' | 'frames'> {
  /** The thread has ended, though it was not stopped: everything is `too_late` from now on. */
  readonly ended: (error: Error) => void;
  /** How long a block waits for its verdicts; 20 ms unless given. */
  readonly waitMs?: number | undefined;
  /** Says when this thread stands still; for tests. */
  readonly standstill?: Pick<Standstill, 'msFor' | 'stood'> | undefined;
}

/** A batch that was sent. */
interface Sent {
  readonly number: number;
  /** Of the ring, its first. */
  readonly frame: number;
  /** As `#spans`. */
  readonly spans: readonly number[];
  readonly column: Uint8Array;
  readonly untilMs: number;
  /** The column has what there will be. */
  isGiven: boolean;
  /** Once somebody waits for it. */
  waits: PromiseWithResolvers<Uint8Array> | undefined;
}

/** See the file comment. */
export class Verifier {
  /** Commits and syncs whose blocks got that reason. */
  readonly counts = new Map<Reason, number>(reasonNames.map((reason) => [reason, 0]));
  /** Incidents since start, by their reasons. */
  readonly incidents = { refuted_commit: 0, broken_chain: 0 };
  readonly engine: SignatureEngine;
  /** How the directory's stream of operations goes, if it is followed. */
  stream: StreamReport | undefined;
  readonly #worker: Worker;
  readonly #exited = Promise.withResolvers<void>();
  readonly #ended: (error: Error) => void;
  readonly #waitMs: number;
  readonly #frames: FrameSender;
  /** Two numbers a frame: where its events begin and end in the block; {@link notSigned} first where nobody signs it. */
  #spans: number[] = [];
  /** Batches that are not answered, the oldest first. */
  readonly #sent: Sent[] = [];
  readonly #standstill: Pick<Standstill, 'msFor' | 'stood'>;
  #timer: NodeJS.Timeout | undefined;
  #isListening = false;
  /** Batches up to this one were answered when that was looked at last. */
  #heard = 0;
  #storedBatch = 0;
  #hasSkipped = false;
  #isOver = false;
  #tell: (incident: Incident) => void = () => {};

  private constructor(
    worker: Worker,
    engine: SignatureEngine,
    frames: FrameSender,
    options: VerifierOptions,
  ) {
    this.#worker = worker;
    this.engine = engine;
    this.#frames = frames;
    this.#ended = options.ended;
    this.#waitMs = options.waitMs ?? usualWaitMs;
    this.#standstill = options.standstill ?? new Standstill();
    worker.on('message', (message: FromVerifier) => this.#take(message));
    worker.on('error', (error: Error) => this.#end(error));
    worker.on('exit', (code) => {
      this.#end(endedError(code));
      this.#exited.resolve();
    });
  }

  /** Starts the thread. @throws CodedError of a database that it cannot open, `IDENTITY_BAD_URL`. */
  static async start(options: VerifierOptions): Promise<Verifier> {
    const { dataDir, plcUrl, webUrl, webHosts, streamsAs } = options;
    const frames = new FrameSender();
    const start = { dataDir, plcUrl, webUrl, webHosts, streamsAs, isHolding: false, frames: frames.memory };
    const { worker, engine } = await startThread(start);
    return new Verifier(worker, engine, frames, options);
  }

  /** Bytes of frames that the thread has not done yet. */
  get outstandingBytes(): number {
    return this.#isOver ? 0 : this.#frames.outstandingBytes;
  }

  /** Whether the thread still runs. */
  get isUp(): boolean {
    return !this.#isOver;
  }

  /** Whoever writes the log begins, or begins again: what was sent before was not all. @param tell told of incidents. */
  begin(tell: (incident: Incident) => void): void {
    this.#tell = tell;
    this.#frames.clear();
    this.#spans = [];
    this.#hasSkipped = true;
  }

  /** A frame was taken; its events are those from `from` to `to` (exclusive) of the open block. Its bytes are copied. */
  add(frame: Frame, from: number, to: number): void {
    const { type, bytes } = frame;
    const isSigned = type === frameTypes.commit || type === frameTypes.sync;
    if ((!isSigned && type !== frameTypes.identity) || frame.reason !== undefined) return;
    if (!this.#isOver) this.#frames.add(bytes);
    this.#spans.push(isSigned ? from : notSigned, to);
  }

  /** The block is sealed, with so many events. Undefined when nothing of it can be checked. */
  seal(count: number): BlockVerdicts | undefined {
    if (this.#spans.length === 0) return undefined;
    const spans = this.#spans;
    this.#spans = [];
    const column = new Uint8Array(count).fill(notAsked);
    this.#hear();
    const frame = this.#frames.openFrame;
    const untilMs = monotonicMs() + this.#waitMs;
    const number = this.#isOver ? undefined : this.#send(untilMs - answerMarginMs);
    this.#hasSkipped = number === undefined;
    if (number === undefined) {
      this.#fill(column, spans, undefined);
      return { column: () => column, stored: () => {} };
    }
    const sent: Sent = { number, frame, spans, column, untilMs, isGiven: false, waits: undefined };
    this.#sent.push(sent);
    return {
      column: () => this.#columnOf(sent),
      stored: () => {
        this.#storedBatch = number;
      },
    };
  }

  /** Has the states of accounts written, as far as their events are stored, and ends the thread. */
  async stop(): Promise<void> {
    if (!this.#isOver) {
      this.#isOver = true;
      this.#worker.postMessage({ kind: 'stop', storedBatch: this.#storedBatch } satisfies ToVerifier);
    }
    await this.#exited.promise;
    this.#giveUp();
  }

  #send(answerByMs: number): number | undefined {
    const storedBatch = this.#storedBatch;
    return this.#frames.send({ answerByMs, storedBatch, hasSkipped: this.#hasSkipped });
  }

  #take(message: FromVerifier): void {
    if (message.kind === 'stream') this.stream = message.report;
    else if (message.kind === 'incident') {
      this.incidents[message.incident.reason as keyof Verifier['incidents']]++;
      this.#tell(message.incident);
    }
  }

  #columnOf(sent: Sent): Uint8Array | Promise<Uint8Array> {
    if (!sent.isGiven) this.#hear();
    // What more is under way is no matter of milliseconds.
    if (!sent.isGiven && this.#sent.length === 1 && sent.waits === undefined) this.#standFor(sent);
    if (!sent.isGiven) this.#giveLate();
    if (sent.isGiven) return sent.column;
    sent.waits ??= Promise.withResolvers();
    this.#timer ??= setTimeout(this.#onTime, sent.untilMs - monotonicMs() + 1);
    if (!this.#isListening) this.#listen();
    return sent.waits.promise;
  }

  #standFor({ number, spans, untilMs }: Sent): void {
    const nowMs = monotonicMs();
    const ms = Math.min(this.#standstill.msFor(spans.length / 2, nowMs), untilMs - nowMs);
    if (ms <= 0) return;
    const isAnswered = this.#frames.standFor(number, ms);
    this.#standstill.stood(monotonicMs() - nowMs, isAnswered);
    this.#hear();
  }

  /** Is told of the next answer, once. */
  #listen(): void {
    this.#isListening = true;
    const next = this.#frames.answeredAfter(this.#heard);
    if (next === undefined) setImmediate(this.#onAnswer);
    else void next.then(this.#onAnswer);
  }

  readonly #onAnswer = (): void => {
    this.#isListening = false;
    this.#hear();
    if (this.#isAwaited) this.#listen();
    else {
      clearTimeout(this.#timer);
      this.#timer = undefined;
    }
  };

  /** Where this thread was busy for so long the answer may be here already, and is heard first. */
  readonly #onTime = (): void => {
    this.#timer = undefined;
    this.#hear();
    this.#giveLate();
    if (this.#isAwaited) this.#timer = setTimeout(this.#onTime, this.#sent[0].untilMs - monotonicMs() + 1);
  };

  get #isAwaited(): boolean {
    return this.#sent.some(({ waits }) => waits !== undefined);
  }

  #giveLate(): void {
    // A timer may end in the millisecond before.
    const nowMs = monotonicMs() + 1;
    while (this.#sent.length > 0 && this.#sent[0].untilMs <= nowMs) this.#give(false);
  }

  #hear(): void {
    this.#heard = this.#frames.answered;
    while (this.#sent.length > 0 && this.#sent[0].number <= this.#heard) this.#give(true);
    this.#frames.free();
  }

  #giveUp(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    while (this.#sent.length > 0) this.#give(false);
  }

  /** Lets the oldest batch go. */
  #give(isAnswered: boolean): void {
    const sent = this.#sent.shift() as Sent;
    this.#fill(sent.column, sent.spans, isAnswered ? sent.frame : undefined);
    sent.isGiven = true;
    sent.waits?.resolve(sent.column);
  }

  /** @param firstFrame of an answered batch; undefined when it is too late. */
  #fill(column: Uint8Array, spans: readonly number[], firstFrame: number | undefined): void {
    for (let at = 0; at < spans.length; at += 2) {
      const from = spans[at];
      if (from === notSigned) continue;
      const number = firstFrame === undefined ? tooLate : this.#frames.reasonOf(firstFrame + (at >> 1));
      column.fill(number, from, spans[at + 1]);
      const reason = reasonOfNumber(number);
      this.counts.set(reason, (this.counts.get(reason) as number) + 1);
    }
  }

  #end(error: Error): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#giveUp();
    this.#ended(error);
  }
}

// The side of the thread that ingests of checks that are waited for: frames go out in batches, answers come in. It owns how much is under
// way, and that a thread which ends, or says nothing any more, is told. Who holds the frames, and what is done with an answer, is lib/ingest's.

import type { Worker } from 'node:worker_threads';
import { type Reason, reasonNames, reasonOfNumber } from '../event/verdict.ts';
import type { SignatureEngine } from '../verify/signature.ts';
import { endedError, startThread } from './thread-start.ts';
import type {
  Answers,
  FromVerifier,
  HeldIncident,
  StreamReport,
  ToVerifier,
  VerifierStart,
} from './verifier-messages.ts';

/** Looks in a row, a second apart, at which the thread owed an answer and had said nothing since the first: what waits, waits 10 s. */
const silentLooksMax = 30;
const lookMs = 1_000;

export interface EnforcerOptions extends Omit<VerifierStart, 'isHolding'> {
  /** The thread has ended, though it was not stopped: nothing is checked from now on. */
  readonly ended: (error: Error) => void;
}

/** Who is told. */
export interface EnforcerSink {
  answered(answers: Answers): void;
  incident(incident: HeldIncident): void;
  /** Nothing of the batch is in the way of the next: what has not been answered waits for its account. */
  done(batch: number): void;
  /** Nothing will be answered any more. */
  ended(): void;
}

/** See the file comment. */
export class Enforcer {
  /** Commits and syncs whose events got that reason, or were dropped for it. */
  readonly counts = new Map<Reason, number>(reasonNames.map((reason) => [reason, 0]));
  readonly engine: SignatureEngine;
  /** How the directory's stream of operations goes, if it is followed. */
  stream: StreamReport | undefined;
  /** Whether what is refuted is dropped. */
  isArmed = false;
  /** Frames that wait for keys, or for a second look. */
  waitingFrames = 0;
  /** Commits that were dropped. */
  dropped = 0;
  readonly #worker: Worker;
  readonly #exited = Promise.withResolvers<void>();
  readonly #ended: (error: Error) => void;
  readonly #sent = new Map<number, number>();
  readonly #watch: NodeJS.Timeout;
  #outstandingBytes = 0;
  #silentLooks = 0;
  #batch = 0;
  #storedAnswers = 0;
  #isOver = false;
  #sink: EnforcerSink | undefined;

  private constructor(worker: Worker, engine: SignatureEngine, { ended }: EnforcerOptions) {
    this.#worker = worker;
    this.engine = engine;
    this.#ended = ended;
    worker.on('message', (message: FromVerifier) => this.#hear(message));
    worker.on('error', (error: Error) => this.#end(error));
    worker.on('exit', (code) => {
      this.#end(endedError(code));
      this.#exited.resolve();
    });
    this.#watch = setInterval(() => this.#look(), lookMs);
    this.#watch.unref();
  }

  /** Starts the thread. @throws CodedError of a database that it cannot open, `IDENTITY_BAD_URL`. */
  static async start(options: EnforcerOptions): Promise<Enforcer> {
    const { dataDir, plcUrl, webUrl, webHosts, streamsAs } = options;
    const start = { dataDir, plcUrl, webUrl, webHosts, streamsAs, isHolding: true };
    const { worker, engine } = await startThread(start);
    return new Enforcer(worker, engine, options);
  }

  /** Of frames that the thread has and has not done. */
  get outstandingBytes(): number {
    return this.#outstandingBytes;
  }

  /** Whether the thread still runs. */
  get isUp(): boolean {
    return !this.#isOver;
  }

  /** Whoever writes the log begins, or begins again. */
  begin(sink: EnforcerSink): void {
    this.#sink = sink;
    this.#post({ kind: 'begin', storedAnswers: this.#storedAnswers });
  }

  /** Sends frames, the first of which has that id, and the others the next. Returns the number of the batch. */
  send(firstId: number, bytes: Uint8Array, ends: Uint32Array): number {
    const number = ++this.#batch;
    this.#outstandingBytes += bytes.length;
    this.#sent.set(number, bytes.length);
    this.#post({ kind: 'held', batch: { number, firstId, bytes, ends, storedAnswers: this.#storedAnswers } });
    return number;
  }

  /** What was said by answers up to this number is in the log. */
  stored(answers: number): void {
    this.#storedAnswers = answers;
  }

  /** A commit's events have that reason, by its number. */
  count(reason: number): void {
    const name = reasonOfNumber(reason);
    if (name !== 'not_asked') this.counts.set(name, (this.counts.get(name) as number) + 1);
  }

  /** Has the states of accounts written, as far as their events are stored, and ends the thread. */
  async stop(): Promise<void> {
    clearInterval(this.#watch);
    this.#sink = undefined;
    if (!this.#isOver) {
      this.#isOver = true;
      this.#worker.postMessage({ kind: 'stop', storedBatch: this.#storedAnswers } satisfies ToVerifier);
    }
    await this.#exited.promise;
  }

  #post(message: ToVerifier): void {
    if (!this.#isOver) this.#worker.postMessage(message);
  }

  #hear(message: FromVerifier): void {
    // It is no answer: what hangs may go on to say that.
    if (message.kind === 'stream') {
      this.stream = message.report;
      return;
    }
    this.#silentLooks = 0;
    if (message.kind === 'answers') {
      this.isArmed = message.answers.isArmed;
      this.waitingFrames = message.answers.waitingFrames;
      this.#sink?.answered(message.answers);
    } else if (message.kind === 'held_incident') this.#sink?.incident(message);
    else if (message.kind === 'done') {
      this.#outstandingBytes -= this.#sent.get(message.number) ?? 0;
      this.#sent.delete(message.number);
      this.#sink?.done(message.number);
    }
  }

  #look(): void {
    if (this.#isOver || (this.#sent.size === 0 && this.waitingFrames === 0)) this.#silentLooks = 0;
    else if (++this.#silentLooks >= silentLooksMax) void this.#worker.terminate();
  }

  #end(error: Error): void {
    if (this.#isOver) return;
    this.#isOver = true;
    clearInterval(this.#watch);
    this.isArmed = false;
    this.waitingFrames = this.#outstandingBytes = 0;
    this.#sent.clear();
    this.#ended(error);
    this.#sink?.ended();
  }
}

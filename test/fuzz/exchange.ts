// One input on one connection: written, and its answer held against what is due. Says how it ended, or what was wrong.

import { connect, type Socket } from 'node:net';
import { AnswerReader } from './answer-reader.ts';
import { type FuzzInput, lastPing } from './input.ts';

/** How long anything that is due may take: a daemon that hangs takes longer, and one on a busy machine does not. */
export const dueMsMax = 15_000;
/** What a client that knows nothing of what is due waits for an answer, before it goes. */
const patienceMs = 30;
/** Bytes of an answer that are read before the client goes, so that a replay is not read to its end. */
const readBytesMax = 4 * 2 ** 20;

/** See the file comment. */
export class Exchange {
  readonly input: FuzzInput;
  readonly reader: AnswerReader;
  /** Resolves when the connection is gone. */
  readonly closed: Promise<void>;
  isClosed = false;
  readonly #socket: Socket;
  #bytesRead = 0;
  #told: () => void = () => {};

  constructor(input: FuzzInput, port: number, number: number) {
    this.input = input;
    const { methods, outcome } = input.due;
    // Of a mutated input nobody knows which code it closes with.
    const echoes =
      methods === undefined ? anyCode : typeof outcome === 'number' ? new Set([outcome]) : noCode;
    this.reader = new AnswerReader(methods, echoes);
    // Addresses in turn: one has so many ports, and so many places.
    const localAddress = `127.0.0.${2 + (number % 200)}`;
    this.#socket = connect({ port, host: '127.0.0.1', localAddress, allowHalfOpen: true, noDelay: true });
    this.#socket.on('data', (chunk: Buffer) => {
      this.#bytesRead += chunk.length;
      this.reader.take(chunk);
      this.#told();
    });
    this.#socket.on('error', () => {});
    this.#socket.on('end', () => this.#socket.end());
    this.closed = new Promise((done) => {
      this.#socket.once('close', () => {
        this.isClosed = true;
        this.#told();
        done();
      });
    });
  }

  /** Writes, and waits for what is due; resolves with what is wrong. */
  async run(): Promise<string | undefined> {
    for (const bytes of this.input.writes) {
      if (this.isClosed) break;
      this.#socket.write(bytes);
      if (this.input.writes.length > 1) await new Promise((done) => setImmediate(done));
    }
    const { due } = this.input;
    const isKnown = due.methods !== undefined;
    const isInTime = await this.#until(
      () => this.#hasDue() || this.reader.problem !== undefined,
      isKnown ? dueMsMax : patienceMs,
    );
    if (!isInTime && isKnown && !this.isClosed) return `not answered within ${dueMsMax} ms: ${this.#sofar}`;
    return this.#verdict();
  }

  /** Ends the connection as a client does; resolves with what is wrong with that. */
  async finish(): Promise<string | undefined> {
    if (this.input.end === 'reset') {
      this.#socket.resetAndDestroy();
      return undefined;
    }
    this.#socket.end();
    const isInTime = await this.#until(() => this.isClosed || this.#bytesRead > readBytesMax, dueMsMax);
    this.#socket.resetAndDestroy();
    return isInTime ? this.#verdict() : `the connection did not end within ${dueMsMax} ms: ${this.#sofar}`;
  }

  /** Waits for the daemon to answer or end a connection that says nothing. */
  async endsBySilence(msMax: number): Promise<string | undefined> {
    const isOver = (): boolean => this.isClosed || this.reader.statuses.length > 0;
    const isInTime = await this.#until(isOver, msMax);
    return isInTime ? this.#verdict() : `neither answered nor ended within ${msMax} ms`;
  }

  destroy(): void {
    this.#socket.destroy();
  }

  /** Whether all is here that has to come. */
  #hasDue(): boolean {
    const { methods, outcome } = this.input.due;
    const { reader } = this;
    if (methods === undefined) return reader.statuses.length > 0;
    if (outcome !== undefined && reader.statuses[0] === 101) {
      return reader.closeCode !== undefined || (outcome === 'pong' && reader.pongs.includes(lastPing));
    }
    if (reader.statuses.length < methods.length) return false;
    const last = reader.statuses.at(-1);
    return (
      reader.finished >= methods.length || last === 101 || reader.isStream || this.#bytesRead > readBytesMax
    );
  }

  #verdict(): string | undefined {
    const { methods, outcome, lastStatuses, answersMax } = this.input.due;
    const { reader } = this;
    if (reader.problem !== undefined) return reader.problem;
    const { statuses } = reader;
    if (answersMax !== undefined && statuses.length > answersMax)
      return `${statuses.length} answers: ${this.#sofar}`;
    if (methods === undefined) return undefined;
    if (statuses.length < methods.length)
      return `ended with ${statuses.length} of ${methods.length} answers: ${this.#sofar}`;
    const last = statuses[methods.length - 1];
    if (lastStatuses !== undefined && !lastStatuses.includes(last))
      return `${last}, not ${lastStatuses.join(' or ')}`;
    if (outcome === undefined || last !== 101) return undefined;
    if (outcome === 'pong') return reader.pongs.includes(lastPing) ? undefined : `no pong: ${this.#sofar}`;
    return reader.closeCode === outcome ? undefined : `no close with ${outcome}: ${this.#sofar}`;
  }

  get #sofar(): string {
    const { statuses, finished, closeCode, closeReason, pongs } = this.reader;
    return JSON.stringify({
      statuses,
      finished,
      closeCode,
      closeReason,
      pongs: pongs.length,
      bytes: this.#bytesRead,
    });
  }

  /** Resolves when `isTrue()`, with true, or after so long, with false. */
  #until(isTrue: () => boolean, ms: number): Promise<boolean> {
    if (isTrue()) return Promise.resolve(true);
    return new Promise((done) => {
      const finish = (result: boolean): void => {
        clearTimeout(timer);
        this.#told = () => {};
        done(result);
      };
      const timer = setTimeout(() => finish(isTrue()), ms);
      this.#told = () => {
        if (isTrue() || this.isClosed) finish(isTrue());
      };
    });
  }
}

const noCode: ReadonlySet<number> = new Set();
const anyCode: ReadonlySet<number> = { has: () => true } as unknown as ReadonlySet<number>;

// One connection of a listener: whether it is waited for, being answered or a subscriber's, and what it makes this thread hold
// of requests and answers. Which connections have to go is connection-set.ts's and lib/session/held-bytes.ts's.

import type { Socket } from 'node:net';
import type { Holding } from '../session/held-bytes.ts';

/** What a request counts for that waits behind an answer, beside its bytes: what node:http makes of it. */
const requestBytes = 4 * 1024;
/** Requests that may wait for answers to begin with. Browsers and proxies send none before they have read the last answer. */
const unansweredMax = 64;

/** See the file comment. */
export class Connection {
  readonly socket: Socket;
  readonly holding: Holding;
  isSubscriber = false;
  /** Since when a request is waited for, of `performance.now()`; undefined while one is being answered. */
  waitsSinceMs: number | undefined;
  /** How often it has been looked at since then. */
  looks = 0;
  /** Answers that have not come to their end. */
  #answers = 0;
  /** Those of them that are not written yet. */
  #unwritten = 0;
  /** A posted filter is on its way, and counted by who gathers it. */
  #takesBody = false;
  /** What had been read when the first of them, or the wait, began. */
  #bytesBefore = 0;

  constructor(socket: Socket, holding: Holding) {
    this.socket = socket;
    this.holding = holding;
  }

  get isAnswering(): boolean {
    return this.#answers > 0;
  }

  /** A request is to come, or the body of one. */
  waits(nowMs: number, forBody: boolean): void {
    this.waitsSinceMs = nowMs;
    this.looks = 0;
    this.#takesBody = forBody;
    this.#bytesBefore = this.socket.bytesRead;
  }

  /** One more answer begins; false when so many wait that the client cannot mean it. */
  answers(): boolean {
    this.waitsSinceMs = undefined;
    this.#answers++;
    this.#unwritten++;
    if (this.#answers > 1) this.note();
    else this.#bytesBefore = this.socket.bytesRead;
    return this.#unwritten <= unansweredMax;
  }

  /** An answer is written, and on its way. */
  written(): void {
    this.#unwritten--;
  }

  /** An answer has come to its end; whether it was the last one. */
  answered(): boolean {
    return --this.#answers === 0;
  }

  /** It is a subscriber's from now on; its request has been read. */
  subscribes(): void {
    this.isSubscriber = true;
    this.waitsSinceMs = undefined;
    this.#takesBody = false;
    this.#bytesBefore = this.socket.bytesRead;
    this.note();
  }

  /** Notes what has come behind a request; returns how many bytes. @param isWhole whether the request itself is read. */
  behind(isWhole: boolean): number {
    if (!isWhole) this.#bytesBefore = this.socket.bytesRead;
    this.note();
    return this.socket.bytesRead - this.#bytesBefore;
  }

  /** Looks at it between two rounds of reading. Called often enough that nobody can send much meanwhile. */
  look(): void {
    this.looks++;
    this.note();
  }

  /** Notes what it holds. */
  note(): void {
    const { socket, holding } = this;
    const waiting = Math.max(0, this.#answers - 1);
    const sent = this.#takesBody ? 0 : socket.bytesRead - this.#bytesBefore;
    holding.set('request', sent + waiting * requestBytes);
    if (!this.isSubscriber) holding.set('answer', socket.writableLength);
  }
}

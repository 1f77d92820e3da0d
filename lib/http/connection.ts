// One connection of a listener: whether it is waited for, being answered or a subscriber's, and what it makes this thread hold
// of requests and answers. Which connections have to go is connection-set.ts's and lib/session/held-bytes.ts's.

import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import type { Holding } from '../session/held-bytes.ts';
import { RequestFeed } from './request-feed.ts';

/** What a request counts for that waits behind an answer, beside its bytes: what node:http makes of it. */
const requestBytes = 4 * 1024;

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
  /** The newest request. */
  #request: IncomingMessage | undefined;
  readonly #feed: RequestFeed;
  /** A posted filter is on its way, and counted by who gathers it. */
  #takesBody = false;
  /** What had been read when the first of them, or the wait, began. */
  #bytesBefore = 0;

  constructor(socket: Socket, holding: Holding) {
    this.socket = socket;
    this.holding = holding;
    // The rest of a request that is not whole is wanted, whatever is owed.
    const isOwing = (): boolean => this.#unwritten > 0 && this.#request?.complete === true;
    this.#feed = new RequestFeed(socket, isOwing, () => this.note());
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

  /** A request is there, and its answer begins. */
  answers(request: IncomingMessage): void {
    this.#request = request;
    this.waitsSinceMs = undefined;
    this.#answers++;
    this.#unwritten++;
    if (this.#answers > 1) this.note();
    else this.#bytesBefore = this.socket.bytesRead;
  }

  /** An answer is written, and on its way. */
  written(): void {
    this.#unwritten--;
    if (this.#unwritten === 0) this.#feed.goOn();
  }

  /** A handshake is there: what comes behind it is the WebSocket's. */
  upgrades(): void {
    this.waitsSinceMs = undefined;
    this.#feed.end();
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

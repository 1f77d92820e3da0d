// One connection of a listener: whether it is waited for, being answered or a subscriber's, and what it makes this thread hold
// of requests and answers. Which connections have to go is connection-set.ts's and lib/session/held-bytes.ts's.

import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Holding } from '../session/held-bytes.ts';
import { headTextBytes, publicHttpLimits } from './http-limits.ts';
import { LingeringClose } from './lingering-close.ts';
import { seenUrlBytesMax, type UrlLimits } from './long-url.ts';
import { type FeedOwner, type Next, RequestFeed } from './request-feed.ts';

/** What a request counts for that waits behind an answer: what node:http makes of it, and its head. */
const requestBytes = 4 * 1024;

/** What a head takes of the heap beside its text, as long as it is not whole: its fields may be of six bytes each. */
const fieldBytes = 2 * headTextBytes;
const fieldsPerText = fieldBytes / 6;
const fieldsBytesMax = publicHttpLimits.headFieldsMax * fieldBytes;

/** See the file comment. */
export class Connection implements FeedOwner {
  readonly socket: Socket;
  readonly holding: Holding;
  isSubscriber = false;
  /** Since when a request is waited for, of `performance.now()`; undefined while one is being answered. */
  waitsSinceMs: number | undefined;
  /** How often it has been looked at since then. */
  looks = 0;
  readonly #feed: RequestFeed;
  #lingering: LingeringClose | undefined;
  /** The peer's address, or none of a proxy: requests behind it are of anybody. */
  readonly #address: string | undefined;
  /** Answers that have not come to their end. */
  #answers = 0;
  /** Those of them that are not written yet, and the first of them. */
  #unwritten = 0;
  #owed: ServerResponse | undefined;
  /** Of a head that has not come to its end. */
  #headBytes = 0;
  /** Of a URL that is long, until its request is answered or the subscriber there. */
  #urlBytes = 0;
  /** Of the newest request. */
  #newest: ServerResponse | undefined;

  constructor(socket: Socket, holding: Holding, limits: UrlLimits) {
    this.socket = socket;
    this.holding = holding;
    this.#address = holding.sum.address;
    this.#feed = new RequestFeed(socket, this, limits);
  }

  get isAnswering(): boolean {
    return this.#answers > 0;
  }

  get next(): Next {
    // The rest of a request that is not whole is wanted, whatever is owed.
    if (this.#owed === undefined || !this.isWhole) return 'parse';
    return this.#owed.shouldKeepAlive ? 'hold' : 'forget';
  }

  get isWhole(): boolean {
    return this.#newest?.req.complete !== false;
  }

  parsed(bytes: number): void {
    // A body is nobody's, or counted by who gathers it.
    this.#headBytes = this.#feed.isHeadOpen ? this.#headBytes + bytes : 0;
    this.note();
  }

  /** A request is to come, or the body of one. */
  waits(nowMs: number): void {
    this.waitsSinceMs = nowMs;
    this.looks = 0;
  }

  /** A request is there, and its answer begins. */
  answers(response: ServerResponse): void {
    this.waitsSinceMs = undefined;
    this.#feed.headIsThere();
    this.#answers++;
    this.#unwritten++;
    this.#owed ??= response;
    this.#newest = response;
  }

  /** An answer is written, and on its way. */
  written(): void {
    this.note();
    this.#unwritten--;
    if (this.#unwritten > 0) return;
    this.#owed = undefined;
    this.#feed.goOn();
  }

  /** An answer has come to its end; whether it was the last one. */
  answered(): boolean {
    this.#answers--;
    // With its request, and the URL of that.
    if (this.#answers === 0 && this.isWhole) this.#newest = undefined;
    if (this.#answers === 0) this.#urlBytes = 0;
    this.note();
    if (this.#answers === 0 && !this.isSubscriber) this.holding.move(this.#address);
    return this.#answers === 0;
  }

  /** Puts back what node:http has not seen of a URL. Whether that was possible. */
  completes(request: IncomingMessage): boolean {
    const url = this.#feed.wholeUrl(request.url ?? '');
    if (url === undefined) return false;
    request.url = url;
    this.#headBytes = 0;
    this.#urlBytes = url.length > seenUrlBytesMax ? url.length : 0;
    return true;
  }

  /** A handshake is there: what comes behind it is the WebSocket's. Returns what of that has been read. */
  upgrades(): Buffer {
    this.waitsSinceMs = undefined;
    this.note();
    return this.#feed.end();
  }

  /** It is a subscriber's from now on. */
  subscribes(): void {
    this.isSubscriber = true;
    this.waitsSinceMs = undefined;
    this.#urlBytes = 0;
    this.note();
  }

  /** It is no subscriber's any more. @param letGo called when there is no room for it. */
  leaves(letGo: () => void): void {
    this.isSubscriber = false;
    this.holding.letGo = letGo;
    if (this.#answers === 0) this.holding.move(this.#address);
  }

  /** Whether an error can still be answered: nothing of an answer has been sent that it would be taken for a part of. */
  get takesError(): boolean {
    const isClean = this.#answers === this.#unwritten && this.#owed?.headersSent !== true;
    return isClean && this.#lingering === undefined && this.socket.writable;
  }

  /** Its last answer is written: ends it, so that the client can read that. */
  ends(): void {
    this.#headBytes = 0;
    this.#newest = undefined;
    this.#owed = undefined;
    this.#feed.end();
    this.#lingering ??= new LingeringClose(this.socket);
    this.note();
  }

  /** Looks at it between two rounds of reading: what it has been sent may be taken by now. */
  look(): void {
    this.looks++;
    this.#lingering?.look();
    this.note();
  }

  /** Notes what it holds. */
  note(): void {
    const { socket, holding } = this;
    const waiting = Math.max(0, this.#answers - 1) * requestBytes;
    const fields = Math.min(this.#headBytes * fieldsPerText, fieldsBytesMax);
    holding.set('request', this.#headBytes + fields + this.#urlBytes + socket.readableLength + waiting);
    if (!this.isSubscriber) holding.set('answer', socket.writableLength);
  }
}

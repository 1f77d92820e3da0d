// Hands what a client sends to node:http in pieces, and none while an answer is owed: node:http parses all that it is given, and what
// waits behind an answer would be kept, 3 KB for a request of 30 bytes. What is not handed over stays in the socket, unread from
// 64 KiB on, and in the kernel. Until a handshake, from when on the socket is the WebSocket's.

import type { Socket } from 'node:net';
import { LongUrl, type UrlLimits } from './long-url.ts';

const headEnd = '\r\n\r\n';
/**
 * Bytes of a piece, at least, if there are so many: each costs half a microsecond, and 64 KiB of nothing but ends of heads would be
 * 16,384 of them. Of the shortest requests that is 17.
 */
const pieceBytesMin = 512;
/**
 * Pieces at a time, before others have theirs: a hundred clients that sent nothing but short requests held events up for four
 * seconds. What is long, a head or a body, is one.
 */
const piecesMax = 4;

const nothing = Buffer.alloc(0);

/** What is to be done with what comes next. */
export type Next =
  | 'parse'
  /** An answer is owed. */
  | 'hold'
  /** The answer that is owed is the last one of its connection: nothing behind it is ever answered. */
  | 'forget';

/** Who says what is owed, and is told what has been handed over. */
export interface FeedOwner {
  readonly next: Next;
  /** Something is about to be handed over. Whether a head begins with it. */
  beginsHead(): boolean;
  /** So many bytes have been parsed. */
  parsed(bytes: number): void;
  /** Something stays in the socket. */
  note(): void;
}

/** See the file comment. */
export class RequestFeed {
  readonly #socket: Socket;
  readonly #owner: FeedOwner;
  readonly #url: LongUrl;
  #isHeld = false;
  #isOver = false;
  /** What has been read and not handed over, while a piece is being parsed. */
  #rest: Buffer = nothing;

  /** @param socket that node:http has just got, and from which nothing has been read. */
  constructor(socket: Socket, owner: FeedOwner, limits: UrlLimits) {
    this.#socket = socket;
    this.#owner = owner;
    const [parse] = socket.listeners('data') as ((bytes: Buffer) => void)[];
    this.#url = new LongUrl((bytes) => {
      // What comes behind an error is nobody's.
      if (!this.#isOver && !socket.destroyed) parse(bytes);
    }, limits);
    // With a listener of another's node:http parses what it is given, not what its parser reads by itself.
    socket.on('data', this.#feed);
    socket.off('data', parse);
  }

  /** No answer is owed any more: goes on, if it has stopped for that. */
  goOn(): void {
    if (!this.#isHeld) return;
    this.#isHeld = false;
    this.#resume();
  }

  /** As {@link LongUrl.whole}. */
  wholeUrl(seen: string): string | undefined {
    return this.#url.whole(seen);
  }

  /** The socket is somebody else's. Returns what has been read and not handed over: it comes next. */
  end(): Buffer {
    this.#isOver = true;
    this.#socket.off('data', this.#feed);
    return this.#rest;
  }

  readonly #feed = (bytes: Buffer): void => {
    const socket = this.#socket;
    let pieces = 0;
    for (let at = 0; at < bytes.length && !socket.destroyed && !this.#isOver; pieces++) {
      const { next } = this.#owner;
      // Read on and forgotten, so that the client's end is seen.
      if (next === 'forget') return;
      if (next === 'hold' || this.#isBraked || socket.isPaused() || pieces === piecesMax) {
        this.#hold(bytes.subarray(at), next);
        return;
      }
      const headEndsAt = bytes.indexOf(headEnd, at + pieceBytesMin - headEnd.length);
      const end = headEndsAt === -1 ? bytes.length : headEndsAt + headEnd.length;
      this.#rest = bytes.subarray(end);
      if (this.#owner.beginsHead()) this.#url.begin();
      this.#url.take(bytes.subarray(at, end));
      this.#rest = nothing;
      if (!this.#isOver) this.#owner.parsed(end - at);
      at = end;
    }
  };

  #hold(rest: Buffer, next: Next): void {
    this.#isHeld = next === 'hold';
    this.#socket.pause();
    this.#socket.unshift(rest);
    this.#owner.note();
    if (next === 'parse') setImmediate(this.#resume);
  }

  readonly #resume = (): void => {
    // Where node:http has stopped, it goes on by itself.
    if (!this.#isHeld && !this.#isOver && !this.#isBraked) this.#socket.resume();
  };

  /** node:http takes nothing while a client reads no answers, and must not be given it then. Not in its types. */
  get #isBraked(): boolean {
    return (this.#socket as { _paused?: boolean })._paused === true;
  }
}

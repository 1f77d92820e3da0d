// Hands what a client sends to node:http in pieces, and none while an answer is owed: node:http parses all that it is given, and what
// waits behind an answer would be kept, 3 KB for a request of 30 bytes. What is not handed over stays in the socket, unread from
// 64 KiB on, and in the kernel. Until a handshake, from when on the socket is the WebSocket's.

import type { Socket } from 'node:net';
import { LongUrl, seenUrlBytesMax, type UrlLimits } from './long-url.ts';

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
  /** Whether of every head that has come the body has come, too. */
  readonly isWhole: boolean;
  /** So many bytes have been parsed. */
  parsed(bytes: number): void;
  /** Something stays in the socket. */
  note(): void;
}

/** node:http's parser. What lies in the slot of that name is called with the first byte of each head; not in its types. */
interface HeadParser {
  [slot: number]: unknown;
  readonly constructor: { readonly kOnMessageBegin?: number };
}

/** See the file comment. */
export class RequestFeed {
  readonly #socket: Socket;
  readonly #owner: FeedOwner;
  readonly #url: LongUrl;
  /** Whether the parser says where heads begin. A long URL is known for one at the beginning of a head alone, never by what it looks like. */
  readonly #seesHeads: boolean;
  #isHeadOpen = false;
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
    const { parser } = socket as { parser?: HeadParser };
    const slot = parser?.constructor.kOnMessageBegin;
    this.#seesHeads = slot !== undefined;
    if (parser && slot !== undefined) {
      parser[slot] = () => {
        this.#isHeadOpen = true;
      };
    }
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

  /** Whether a head has begun that has not come to its end. */
  get isHeadOpen(): boolean {
    return this.#isHeadOpen;
  }

  /** It has come to its end. */
  headIsThere(): void {
    this.#isHeadOpen = false;
  }

  /** As {@link LongUrl.whole}. */
  wholeUrl(seen: string): string | undefined {
    return this.#url.whole(seen);
  }

  /** The socket is somebody else's. Returns what has been read and not handed over: it comes next. */
  end(): Buffer {
    this.#isOver = true;
    this.#url.end();
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
      const end = pieceEnd(bytes, at);
      this.#rest = bytes.subarray(end);
      if (this.#seesHeads && !this.#isHeadOpen && this.#owner.isWhole) this.#url.begin();
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

/** Where the piece ends that begins at `at`: behind a head, so that what is long begins the next one, or at the end of all. */
function pieceEnd(bytes: Buffer, at: number): number {
  const laterFrom = at + pieceBytesMin - headEnd.length;
  const later = bytes.indexOf(headEnd, laterFrom);
  const end = later === -1 ? bytes.length : later + headEnd.length;
  if (end - at <= seenUrlBytesMax) return end;
  const earlier = bytes.subarray(at, laterFrom + headEnd.length - 1).lastIndexOf(headEnd);
  return earlier === -1 ? end : at + earlier + headEnd.length;
}

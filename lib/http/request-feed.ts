// Hands what a client sends to node:http in pieces, and none while an answer is owed: node:http parses all that it is given, and what
// waits behind an answer would be kept, 3 KB for a request of 30 bytes. What is not handed over stays in the socket, unread from
// 64 KiB on, and in the kernel. Until a handshake, from when on the socket is the WebSocket's.

import type { Socket } from 'node:net';

const headEnd = '\r\n\r\n';
/**
 * Bytes of a piece, at least, if there are so many: each costs half a microsecond, and 64 KiB of nothing but ends of heads would be
 * 16,384 of them. Of the shortest requests that is 17.
 */
const pieceBytesMin = 512;

/** See the file comment. */
export class RequestFeed {
  readonly #socket: Socket;
  /** Whether an answer is owed to what has been handed over. */
  readonly #isOwing: () => boolean;
  readonly #onHold: () => void;
  /** Of node:http. */
  readonly #parse: (bytes: Buffer) => void;
  #isHeld = false;
  #isOver = false;

  /** @param socket that node:http has just got, and from which nothing has been read. @param onHold told when something is not handed over. */
  constructor(socket: Socket, isOwing: () => boolean, onHold: () => void) {
    this.#socket = socket;
    this.#isOwing = isOwing;
    this.#onHold = onHold;
    const [parse] = socket.listeners('data') as ((bytes: Buffer) => void)[];
    this.#parse = parse;
    // With a listener of another's node:http parses what it is given, not what its parser reads by itself.
    socket.on('data', this.#feed);
    socket.off('data', parse);
  }

  /** No answer is owed any more: goes on, if it has stopped for that. */
  goOn(): void {
    if (!this.#isHeld) return;
    this.#isHeld = false;
    this.#socket.resume();
  }

  /** The socket is somebody else's. */
  end(): void {
    this.#isOver = true;
    this.#socket.off('data', this.#feed);
  }

  readonly #feed = (bytes: Buffer): void => {
    const socket = this.#socket;
    for (let at = 0; at < bytes.length && !socket.destroyed; ) {
      // node:http stops, too, when a client reads no answers.
      if (this.#isOver || this.#isOwing() || socket.isPaused()) {
        this.#hold(bytes.subarray(at));
        return;
      }
      const end = bytes.indexOf(headEnd, at + pieceBytesMin - headEnd.length);
      const next = end === -1 ? bytes.length : end + headEnd.length;
      this.#parse(bytes.subarray(at, next));
      at = next;
    }
  };

  #hold(rest: Buffer): void {
    if (!this.#isOver && this.#isOwing()) {
      this.#isHeld = true;
      this.#socket.pause();
    }
    this.#socket.unshift(rest);
    this.#onHold();
  }
}

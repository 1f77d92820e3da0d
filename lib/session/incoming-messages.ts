// The messages that a client is sending over a WebSocket: what is long is read in its turn, and what comes behind it waits for
// it. It knows what of them is held, and since when one has not come to its end; what a message says, and what follows when it takes
// too long, is websocket-session.ts's.

import type { Holding } from './held-bytes.ts';
import type { SubscriberSocket } from './subscriber-socket.ts';
import type { Turns } from './turns.ts';

/** Bytes of a message from which on it is read in its turn: reading fewer takes a thread 2 ms at most. */
const longMessageBytes = 64 * 1024;

/** `WebSocket.OPEN`. */
const open = 1;

/** Whose messages they are. */
export interface MessageReader {
  /** The client's address, as limits count it. */
  readonly remoteAddress: string;
  /** Called for each message while the socket is open, in their order. */
  read(data: Buffer): void;
  /** Called when what waited has been read, to look at what is left: {@link IncomingMessages.received}, and more. */
  received(): void;
}

/** See the file comment. */
export class IncomingMessages {
  readonly #reader: MessageReader;
  readonly #ws: SubscriberSocket;
  readonly #holding: Holding;
  readonly #turns: Turns;
  /** Messages that wait for their turn, oldest first. */
  #waiting: Buffer[] = [];
  /** When the message that the client is sending began; `Infinity` between messages. */
  #sinceMs = Infinity;

  constructor(reader: MessageReader, ws: SubscriberSocket, holding: Holding, turns: Turns) {
    this.#reader = reader;
    this.#ws = ws;
    this.#holding = holding;
    this.#turns = turns;
  }

  /** A message has come to its end. */
  ended(): void {
    this.#sinceMs = Infinity;
  }

  /** For how long a message has not come to its end; 0 between messages. */
  unfinishedMs(nowMs: number): number {
    return Math.max(0, nowMs - this.#sinceMs);
  }

  /** Reads a message, or has it wait: then the client is not read meanwhile. */
  take(data: Buffer): void {
    if (data.length <= longMessageBytes && this.#waiting.length === 0) {
      this.#reader.read(data);
      return;
    }
    this.#waiting.push(data);
    this.#ws.pause();
    this.#turns.take(this.#reader.remoteAddress, () => {
      const next = this.#waiting.shift();
      if (next === undefined) return;
      if (this.#ws.readyState === open) this.#reader.read(next);
      if (this.#waiting.length === 0) this.#ws.resume();
      this.#reader.received();
    });
  }

  /** Looks at what is left of the client's bytes once all complete messages have been handled. */
  received(): void {
    let bytes = this.#ws.unfinishedBytes;
    // Not while its own messages wait: it cannot send the rest.
    if (bytes === 0 || this.#waiting.length > 0) this.#sinceMs = Infinity;
    else if (this.#sinceMs === Infinity) this.#sinceMs = performance.now();
    for (const { length } of this.#waiting) bytes += length;
    this.#holding.set('message', bytes);
  }

  /** Forgets what waits. */
  drop(): void {
    this.#sinceMs = Infinity;
    this.#waiting = [];
  }
}

// The pings and pongs that a WebSocket session sends: at once or, to a client that takes nothing, one of each when it does, so
// that they cannot pile up. Of pings that come together the newest is answered, as RFC 6455 lets a server (section 5.5.3): a pong
// for each costs a write of its own, and a piece of 64 KiB can have 9,000 pings. When a ping is due and what a silence means is the session's and subscriber-liveness.ts's.

import type { Socket } from 'node:net';
import type { SubscriberSocket } from './subscriber-socket.ts';

/** See the file comment. */
export class ControlFrames {
  readonly #ws: SubscriberSocket;
  readonly #socket: Socket;
  #owesPing = false;
  /** The payload of the newest pong that is owed. */
  #owedPong: Buffer | undefined;

  constructor(ws: SubscriberSocket, socket: Socket) {
    this.#ws = ws;
    this.#socket = socket;
  }

  ping(): void {
    if (this.#socket.writableNeedDrain) this.#owesPing = true;
    else this.#ws.ping();
  }

  /** Answers a ping once {@link read} is called. @param payload shares memory with what is read; copied if it is kept. */
  pong(payload: Buffer): void {
    this.#owedPong = payload;
  }

  /** To be called when all that has come is read. */
  read(): void {
    if (this.#owedPong === undefined) return;
    if (this.#socket.writableNeedDrain) this.#owedPong = Buffer.from(this.#owedPong);
    else this.#sendPong();
  }

  /** To be called when the socket takes bytes again. */
  drained(): void {
    if (this.#owedPong !== undefined) this.#sendPong();
    if (this.#owesPing) this.#ws.ping();
    this.#owesPing = false;
  }

  #sendPong(): void {
    this.#ws.pong(this.#owedPong);
    this.#owedPong = undefined;
  }
}

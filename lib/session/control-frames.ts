// The pings and pongs that a WebSocket session sends: at once or, to a client that takes nothing, one of each when it does, so
// that they cannot pile up. When a ping is due and what a silence means is the session's and subscriber-liveness.ts's.

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

  /** @param payload copied if it is kept: it shares memory with what was read. */
  pong(payload: Buffer): void {
    if (this.#socket.writableNeedDrain) this.#owedPong = Buffer.from(payload);
    else this.#ws.pong(payload);
  }

  /** To be called when the socket takes bytes again. */
  drained(): void {
    if (this.#owedPong !== undefined) this.#ws.pong(this.#owedPong);
    if (this.#owesPing) this.#ws.ping();
    this.#owedPong = undefined;
    this.#owesPing = false;
  }
}

// The end of a connection whose client may be sending still: this side shuts its half behind the last answer, and reads and
// forgets what comes until the client shuts its own (RFC 9112, section 9.6). Closed at once, what comes then would be answered
// with a reset, which takes away an answer that the client has not read. Looked at by connection-set.ts.

import type { Socket } from 'node:net';

/** Looks in a row between which nothing has come, of half a second each: the client has read its answer, or does not want to. */
const silentLooksMax = 4;
/** Looks in all: as long as a body may take that is wanted. */
const looksMax = 60;

/** See the file comment. */
export class LingeringClose {
  readonly #socket: Socket;
  #bytesRead: number;
  #silentLooks = 0;
  #looks = 0;

  /** @param socket whose last answer is written; nobody else wants what comes from it. */
  constructor(socket: Socket) {
    this.#socket = socket;
    this.#bytesRead = socket.bytesRead;
    socket.end();
    socket.resume();
  }

  /** To be called every half second: has it go when there has been enough of it. */
  look(): void {
    const { bytesRead } = this.#socket;
    this.#silentLooks = bytesRead === this.#bytesRead ? this.#silentLooks + 1 : 0;
    this.#bytesRead = bytesRead;
    this.#looks++;
    if (this.#silentLooks === silentLooksMax || this.#looks === looksMax) this.#socket.destroy();
  }
}

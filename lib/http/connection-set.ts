// The connections of a listener, and the bounds on those that are no subscriber's: how many there may be, and what they may
// have sent without an answer being under way. Requests and sessions are others'; they say here what a socket is for.

import type { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { HttpLimits } from './http-limits.ts';

/** How often requests that are under way are looked at, in milliseconds. */
const checkMs = 500;

/** See the file comment. */
export class ConnectionSet {
  /** Connections dropped because those that are no subscribers were too many, or had sent too much. */
  refused = 0;
  readonly #limits: Pick<HttpLimits, 'socketsMax' | 'unansweredBytesMax'>;
  readonly #all = new Set<Socket>();
  /** Those that are no subscriber's. */
  readonly #plain = new Set<Socket>();
  /**
   * Those of `#plain` that are not being answered, the one that has been waited for longest first, and how much they had
   * sent when that began.
   */
  readonly #waiting = new Map<Socket, number>();
  /** Answers of each that have not come to their end. */
  readonly #answers = new Map<Socket, number>();
  /** Listens to every socket's close: one function for all costs a socket nothing. */
  readonly #forget: (this: Socket) => void;
  #checking: NodeJS.Timeout | undefined;

  constructor(limits: Pick<HttpLimits, 'socketsMax' | 'unansweredBytesMax'>) {
    this.#limits = limits;
    const lists = [this.#all, this.#plain, this.#waiting, this.#answers];
    this.#forget = function () {
      for (const list of lists) list.delete(this);
    };
  }

  /** Keeps the bounds from now on. */
  start(): void {
    this.#checking = setInterval(() => this.#dropLarge(), checkMs).unref();
  }

  /** Keeps them no longer. */
  stop(): void {
    clearInterval(this.#checking);
  }

  /** Destroys all that are left. */
  destroy(): void {
    for (const socket of this.#all) socket.destroy();
  }

  /** A connection is there, unless there is no room for it. */
  open(socket: Socket): void {
    if (this.#plain.size >= this.#limits.socketsMax) {
      // The one whose request is the slowest to come goes: what honest clients send is here in moments.
      const [slowest = socket] = this.#waiting.keys();
      this.#drop(slowest);
      if (slowest === socket) return;
    }
    this.#all.add(socket);
    this.#plain.add(socket);
    this.waitFor(socket);
    socket.on('close', this.#forget);
  }

  /** A request is there, and is being answered until `response` has come to its end. Called for each response that is made. */
  answer(socket: Socket, response: ServerResponse): void {
    this.#waiting.delete(socket);
    this.#answers.set(socket, (this.#answers.get(socket) ?? 0) + 1);
    response.once('close', () => {
      const left = (this.#answers.get(socket) ?? 0) - 1;
      if (left > 0) this.#answers.set(socket, left);
      else this.#answers.delete(socket);
      this.waitFor(socket);
    });
  }

  isAnswering(socket: Socket): boolean {
    return this.#answers.has(socket);
  }

  /** A request is to come, or the rest of one. */
  waitFor(socket: Socket): void {
    if (this.#plain.has(socket)) this.#waiting.set(socket, socket.bytesRead);
  }

  /** It is a subscriber's from now on. */
  subscribe(socket: Socket): void {
    this.#plain.delete(socket);
    this.#waiting.delete(socket);
  }

  /** It is no subscriber's any more. */
  unsubscribe(socket: Socket): void {
    if (socket.destroyed) return;
    this.#plain.add(socket);
    this.waitFor(socket);
  }

  /** Makes room when requests that have not come to their end hold too much: those go that have sent most. */
  #dropLarge(): void {
    let bytes = 0;
    for (const [{ bytesRead }, before] of this.#waiting) bytes += bytesRead - before;
    if (bytes <= this.#limits.unansweredBytesMax) return;
    const sent = ([socket, before]: readonly [Socket, number]): number => socket.bytesRead - before;
    for (const one of [...this.#waiting].sort((a, b) => sent(b) - sent(a))) {
      if (bytes <= this.#limits.unansweredBytesMax) return;
      bytes -= sent(one);
      this.#drop(one[0]);
    }
  }

  #drop(socket: Socket): void {
    this.refused++;
    socket.destroy();
    this.#forget.call(socket);
  }
}

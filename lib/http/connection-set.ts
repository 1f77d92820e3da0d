// The connections of a listener, and the bound on those that are no subscriber's. What each makes this thread hold is looked at
// here, and counted by lib/session/held-bytes.ts. Requests and sessions are others'; they say here what a socket is for.

import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { heapUse } from '../memory.ts';
import type { HeldBytes } from '../session/held-bytes.ts';
import { Connection } from './connection.ts';
import type { UrlLimits } from './long-url.ts';
import { forgetHead } from './request-head.ts';

/** How often connections that are no subscribers are looked at, in milliseconds. */
const lookMs = 500;

/**
 * How long a connection may say nothing before it has to make room, in milliseconds. A process that opens 6,000 at once on a busy
 * machine was seen to send its first request after more than one second.
 */
const silentMsMax = 5_000;
/**
 * And how often it has been looked at by then: when thousands come at once, they are accepted before any of them is read, and
 * what is silent is this thread. Between two looks everything is read that has come.
 */
const silentLooksMin = 2;

/** What one takes that lingers, of the heap: 2.7 KB were measured. */
const lingeringBytes = 3 * 1024;
/**
 * Of the heap that there may be, what all that linger may take: 5,000 refused handshakes that lingered, at twice those bytes, made a
 * heap of 64 MiB so short that honest subscribers were let go.
 */
const lingeringShare = 1 / 32;

/** What one of a crowd takes of the heap until it has been read, and what all of it may: 3 KB were measured, of node:http's own. */
const crowdBytes = 6 * 1024;
const crowdShare = 1 / 8;

/** Bounds of those that are no subscriber's. */
export interface ConnectionLimits extends UrlLimits {
  readonly socketsMax: number;
  /** Of those that linger behind their last answer, as far as the heap has room for them. */
  readonly lingeringMax: number;
  /** How many more there may be while a crowd comes, as far as the heap has room for them: places that no subscriber has. */
  readonly crowdMax: () => number;
  /** Whose a socket's bytes are before it has sent a request; undefined behind a proxy. */
  readonly addressOf: (socket: Socket) => string | undefined;
}

/** See the file comment. */
export class ConnectionSet {
  /** Connections dropped because those that are no subscribers were too many, or held too much. */
  refused = 0;
  readonly #held: HeldBytes;
  readonly #limits: ConnectionLimits;
  readonly #lingeringMax: number;
  readonly #crowdRoom: number;
  readonly #all = new Map<Socket, Connection>();
  /** Those that are no subscriber's. */
  readonly #plain = new Set<Connection>();
  /** Those of them that are not being answered, the one that has been waited for longest first. */
  readonly #waiting = new Set<Connection>();
  /** Those whose last answer is written, the one that has lingered longest first: it goes where there is no room. */
  readonly #lingering = new Set<Connection>();
  /** Listens to every socket's close: one function for all costs a socket nothing. */
  readonly #forget: (this: Socket) => void;
  /** What node:http calls when a socket's last answer is written. */
  readonly #end: (this: Socket) => void;
  #looking: NodeJS.Timeout | undefined;

  constructor(held: HeldBytes, limits: ConnectionLimits) {
    this.#held = held;
    this.#limits = limits;
    const heapBytes = heapUse().limitBytes;
    const lingeringRoom = Math.floor((heapBytes * lingeringShare) / lingeringBytes);
    this.#lingeringMax = Math.min(limits.lingeringMax, lingeringRoom);
    this.#crowdRoom = Math.floor((heapBytes * crowdShare) / crowdBytes);
    const set = this;
    this.#forget = function () {
      const connection = set.#all.get(this);
      if (connection !== undefined) set.#remove(connection);
    };
    this.#end = function () {
      const connection = set.#all.get(this);
      if (connection !== undefined) set.#linger(connection);
    };
  }

  /** Keeps the bounds from now on, and looks at connections that linger. */
  start(): void {
    this.#looking = setInterval(() => {
      for (const connection of this.#plain) connection.look();
      this.#dropSilent();
    }, lookMs).unref();
  }

  /** Does so no longer. */
  stop(): void {
    clearInterval(this.#looking);
  }

  /** Destroys all that are left. */
  destroy(): void {
    for (const socket of this.#all.keys()) socket.destroy();
  }

  /** A connection is there, unless there is no room for it. */
  open(socket: Socket): void {
    const holding = this.#held.open(this.#limits.addressOf(socket), () => this.#drop(connection));
    const connection = new Connection(socket, holding, this.#limits);
    this.#all.set(socket, connection);
    this.#plain.add(connection);
    this.#wait(connection);
    socket.on('close', this.#forget);
    socket.destroySoon = this.#end;
    this.#dropOldest();
  }

  /** Connections that are there, and those of them that are waited for. */
  get sizes(): { readonly all: number; readonly waiting: number } {
    return { all: this.#all.size, waiting: this.#waiting.size };
  }

  of(socket: Socket): Connection | undefined {
    return this.#all.get(socket);
  }

  /** A handshake is there, and waits for its turn. @param head what came behind it; returns all of that. */
  upgrade(request: IncomingMessage, socket: Socket, head: Buffer): Buffer {
    const connection = this.#all.get(socket);
    if (connection === undefined) return head;
    this.#complete(connection, request);
    this.#waiting.delete(connection);
    return Buffer.concat([head, connection.upgrades()]);
  }

  /** A request is there, and is being answered until `response` has come to its end. Called for each response that is made. */
  answer(socket: Socket, response: ServerResponse): void {
    const connection = this.#all.get(socket);
    if (connection === undefined) return;
    this.#complete(connection, response.req);
    this.#waiting.delete(connection);
    connection.answers(response);
    response.once('close', () => {
      // Its body may still be to come, and its connection be idle for long.
      forgetHead(response.req);
      // It may be that its connection ended first.
      if (connection.answered() && this.#all.has(socket)) this.#wait(connection);
    });
  }

  /** A response that is on its way, and was not before. */
  written(socket: Socket): void {
    this.#all.get(socket)?.written();
  }

  /** Answers what cannot be parsed, or has not come in time, if that is still possible, and ends the connection. */
  fail(socket: Socket, answer: string): void {
    const connection = this.#all.get(socket);
    if (connection?.takesError !== true) {
      socket.destroy();
    } else {
      socket.write(answer);
      this.#linger(connection);
    }
  }

  isAnswering(socket: Socket): boolean {
    return this.#all.get(socket)?.isAnswering === true;
  }

  /** While a request's body comes, its connection is one that waits for a request. */
  waitForBody(socket: Socket): void {
    const connection = this.#all.get(socket);
    if (connection !== undefined) this.#wait(connection);
  }

  /** It is a subscriber's from now on. */
  subscribe(socket: Socket): void {
    const connection = this.#all.get(socket);
    if (connection === undefined) return;
    connection.subscribes();
    this.#plain.delete(connection);
    this.#waiting.delete(connection);
  }

  /** It is no subscriber's any more. */
  unsubscribe(socket: Socket): void {
    const connection = this.#all.get(socket);
    if (connection === undefined) return;
    connection.leaves(() => this.#drop(connection));
    this.#plain.add(connection);
    if (!connection.isAnswering) this.#wait(connection);
  }

  #complete(connection: Connection, request: IncomingMessage): void {
    if (!connection.completes(request)) connection.socket.destroy();
  }

  #linger(connection: Connection): void {
    connection.ends();
    this.#lingering.add(connection);
    if (this.#lingering.size > this.#lingeringMax) this.#endOldest();
  }

  /** Whether one that lingers had to go. */
  #endOldest(): boolean {
    const [oldest] = this.#lingering;
    if (oldest === undefined) return false;
    oldest.socket.destroy();
    this.#remove(oldest);
    return true;
  }

  #wait(connection: Connection): void {
    if (connection.isSubscriber) return;
    connection.waits(performance.now());
    // Behind those that wait already.
    this.#waiting.delete(connection);
    this.#waiting.add(connection);
  }

  /** Makes room: those go that have had their time. */
  #dropSilent(): void {
    const silentSinceMs = performance.now() - silentMsMax;
    for (const connection of this.#waiting) {
      if (this.#plain.size - this.#lingering.size <= this.#limits.socketsMax) return;
      if ((connection.waitsSinceMs as number) > silentSinceMs || connection.looks < silentLooksMin) return;
      this.#drop(connection);
    }
  }

  /** Makes room where not even a crowd has any: who has had an answer, else whose requests are the slowest to come. */
  #dropOldest(): void {
    const { socketsMax, crowdMax } = this.#limits;
    if (this.#plain.size <= socketsMax) return;
    const most = socketsMax + Math.min(crowdMax(), this.#crowdRoom);
    while (this.#plain.size > most && this.#endOldest());
    for (const connection of this.#waiting) {
      if (this.#plain.size <= most) return;
      this.#drop(connection);
    }
  }

  #drop(connection: Connection): void {
    this.refused++;
    connection.socket.destroy();
    this.#remove(connection);
  }

  #remove(connection: Connection): void {
    this.#all.delete(connection.socket);
    this.#plain.delete(connection);
    this.#waiting.delete(connection);
    this.#lingering.delete(connection);
    connection.holding.close();
  }
}

// The public listener: one HTTP server with the v1 wire's routes, dictionaries for download, and subscribers' sessions. It
// owns sockets and their bounds, from bind to the last goodbye; routes and sessions own the rest. Made by lib/service.

import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { AddressTable } from '../fanout/address-table.ts';
import type { Encoding, SubscriptionSource } from '../fanout/transport.ts';
import type { ListenAddress } from '../listen-address.ts';
import { MessageIntake } from '../session/message-intake.ts';
import { defaultSessionTiming, type SessionTiming } from '../session/websocket-session.ts';
import { Admission, type OnAddressFull } from './admission.ts';
import { ClientAddresses } from './client-address.ts';
import { type DictionarySource, dictionaryRoutes } from './dictionary-routes.ts';
import { type HttpLimits, publicHttpLimits, serverWithin } from './http-limits.ts';
import { bind } from './listen.ts';
import { respondText } from './respond.ts';
import { allowGet, type Route, Routes } from './routes.ts';
import { SessionSet } from './session-set.ts';
import { SubscribeRoute } from './subscribe-route.ts';
import { textRoutes } from './text-routes.ts';
import { upgradeResponse } from './upgrade-response.ts';

/** What the listener is made from. */
export interface PublicListenerOptions {
  /** Where sessions attach: the pull loop. */
  readonly source: SubscriptionSource;
  readonly dictionaries: DictionarySource;
  /** What compressed subscribers can ask for, by the id of the dictionary; none but the default without. */
  readonly zstdEncodings?: ReadonlyMap<number, Encoding>;
  /** Counts subscribers, and has their limits; shared with the pull loop, and with other threads. */
  readonly addresses: AddressTable;
  /** IP addresses and CIDR ranges whose `X-Forwarded-For` is believed; none without. */
  readonly trustedProxies?: readonly string[];
  /** Told once in a while that an address has reached its limit of subscribers. */
  readonly onAddressFull?: OnAddressFull;
  /** Now, in microseconds, on the clock that events are stamped with. */
  readonly nowUs: () => number;
  /** Further routes; a path that is taken already replaces the route here. */
  readonly routes?: Iterable<Route>;
  /** What differs from the usual. */
  readonly timing?: Partial<SessionTiming>;
  readonly limits?: HttpLimits;
}

/** What v1 answers to everyone who asks for `/`. */
export const welcome: Route = {
  path: '/',
  allow: allowGet,
  handle: (_request, response) => respondText(response, 200, 'Welcome to Jetstream'),
};

/** How often requests that are under way are looked at, in milliseconds. */
const lookMs = 500;

function destroy(this: Socket): void {
  this.destroy();
}

/** See the file comment. */
export class PublicListener {
  /** Sessions, and the counts of what they did and of what was refused. */
  readonly sessions: SessionSet;
  /** What clients have sent of messages and bodies that have not come to their end. */
  readonly intake = new MessageIntake();
  /** Connections dropped because those that are no subscribers were too many, or had sent too much. */
  socketsRefused = 0;
  /** Connections that the system could not hand over, for want of file descriptors mostly. */
  acceptsFailed = 0;
  readonly subscribe: SubscribeRoute;
  readonly #routes: Routes;
  readonly #server: Server;
  readonly #limits: HttpLimits;
  readonly #sockets = new Set<Socket>();
  /** Those of `#sockets` that are no subscriber's. */
  readonly #plainSockets = new Set<Socket>();
  /**
   * Those of `#plainSockets` that are not being answered, the one that has been waited for longest first, and how much
   * they had sent when that began.
   */
  readonly #waiting = new Map<Socket, number>();
  /** Listens to every socket's close: one function for all costs a socket nothing. */
  readonly #forget: (this: Socket) => void;
  #looking: NodeJS.Timeout | undefined;
  #stopped: Promise<void> | undefined;

  constructor(options: PublicListenerOptions) {
    const limits = options.limits ?? publicHttpLimits;
    this.#limits = limits;
    const listed = [this.#sockets, this.#plainSockets, this.#waiting];
    this.#forget = function () {
      for (const list of listed) list.delete(this);
    };
    const { source, nowUs, addresses, trustedProxies = [], onAddressFull = () => {} } = options;
    const timing = { ...defaultSessionTiming, ...options.timing };
    const clientAddresses = new ClientAddresses(trustedProxies);
    const admission = new Admission(addresses, clientAddresses, onAddressFull);
    const { zstdEncodings = new Map() } = options;
    const { intake } = this;
    const onSubscriber = (socket: Socket, isSubscriber: boolean): void => {
      if (isSubscriber) this.#plainSockets.delete(socket);
      if (isSubscriber || socket.destroyed) return;
      this.#plainSockets.add(socket);
      this.#waitFor(socket);
    };
    const sessions = new SessionSet(admission, timing, onSubscriber);
    this.sessions = sessions;
    this.subscribe = new SubscribeRoute({ source, sessions, intake, zstdEncodings, nowUs, timing });
    this.#routes = new Routes([
      welcome,
      this.subscribe,
      ...textRoutes({ source, sessions, nowUs, timing, onSubscriber }),
      ...dictionaryRoutes(options.dictionaries),
      ...(options.routes ?? []),
    ]);
    this.#server = serverWithin(limits, (request, response) => this.#answer(request, response));
    this.#server.on('connection', (socket: Socket) => this.#connected(socket));
    this.#server.on('upgrade', (request, socket, head) => this.#upgrade(request, socket as Socket, head));
  }

  /** Starts to listen, as `bind` does; resolves with the address bound. Throws HTTP_LISTEN_FAILED. */
  async listen(address: ListenAddress, isShared = false): Promise<ListenAddress> {
    const bound = await bind(this.#server, address, isShared);
    this.#server.on('error', () => this.acceptsFailed++);
    this.#looking = setInterval(() => this.#dropLarge(), lookMs).unref();
    return bound;
  }

  /**
   * Stops accepting at once and says goodbye to every session (close 1001, or the end of its answer). Resolves when all
   * connections are gone; those left after `deadlineMs` are destroyed. Further calls wait for the first.
   */
  stop(deadlineMs: number): Promise<void> {
    this.#stopped ??= this.#stop(deadlineMs);
    return this.#stopped;
  }

  async #stop(deadlineMs: number): Promise<void> {
    clearInterval(this.#looking);
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    const sessionsGone = this.sessions.stop();
    const deadline = setTimeout(() => {
      for (const socket of this.#sockets) socket.destroy();
    }, deadlineMs);
    await closed;
    await sessionsGone;
    clearTimeout(deadline);
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    if (!this.#server.listening) response.shouldKeepAlive = false;
    const { socket } = request;
    this.#waiting.delete(socket);
    response.once('close', () => this.#waitFor(socket));
    this.#routes.answer(request, response);
  }

  #connected(socket: Socket): void {
    if (this.#plainSockets.size >= this.#limits.socketsMax) {
      // The one whose request is the slowest to come goes: what honest clients send is here in moments.
      const [slowest = socket] = this.#waiting.keys();
      this.#drop(slowest);
      if (slowest === socket) return;
    }
    this.#sockets.add(socket);
    this.#plainSockets.add(socket);
    this.#waitFor(socket);
    socket.on('close', this.#forget);
  }

  /** A request is to come, or the rest of one. */
  #waitFor(socket: Socket): void {
    if (this.#plainSockets.has(socket)) this.#waiting.set(socket, socket.bytesRead);
  }

  /** Makes room when requests that have not come to their end hold too much: those that began first have had their time. */
  #dropLarge(): void {
    let bytes = 0;
    for (const [{ bytesRead }, before] of this.#waiting) bytes += bytesRead - before;
    for (const [socket, before] of this.#waiting) {
      if (bytes <= this.#limits.unansweredBytesMax) return;
      bytes -= socket.bytesRead - before;
      this.#drop(socket);
    }
  }

  #drop(socket: Socket): void {
    this.socketsRefused++;
    socket.destroy();
    this.#forget.call(socket);
  }

  /** A request with an `Upgrade` header, to whatever path and of whatever kind. */
  #upgrade(request: IncomingMessage, socket: Socket, head: Buffer): void {
    // node:http has taken its own listener off; ws and the socket's close handle what an error means.
    socket.on('error', destroy);
    this.#waiting.delete(socket);
    if (!this.subscribe.upgrade(request, socket, head)) {
      this.#routes.answer(request, upgradeResponse(request, socket));
    }
  }
}

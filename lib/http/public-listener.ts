// The public listener: one HTTP server with the v1 wire's routes, dictionaries for download, and WebSocket sessions. It
// owns sockets and their bounds, from bind to the last goodbye; routes and sessions own the rest. Made by lib/service.

import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { AddressTable } from '../fanout/address-table.ts';
import type { Encoding, SubscriptionSource } from '../fanout/transport.ts';
import { defaultSessionTiming, type SessionTiming } from '../wire/subscribe-session.ts';
import { Admission, type OnAddressFull } from './admission.ts';
import { bind } from './bind.ts';
import { type DictionarySource, dictionaryRoutes } from './dictionary-routes.ts';
import { type HttpLimits, publicHttpLimits, serverWithin } from './http-limits.ts';
import type { ListenAddress } from './listen-address.ts';
import { respondText } from './respond.ts';
import { allowGet, type Route, Routes } from './routes.ts';
import { SubscribeRoute } from './subscribe-route.ts';
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

function destroy(this: Socket): void {
  this.destroy();
}

/** See the file comment. */
export class PublicListener {
  /** Sessions, and the counts of what they did and of what was refused. */
  readonly subscribe: SubscribeRoute;
  /** Connections dropped because there were too many that are no subscribers. */
  socketsRefused = 0;
  /** Connections that the system could not hand over, for want of file descriptors mostly. */
  acceptsFailed = 0;
  readonly #routes: Routes;
  readonly #server: Server;
  readonly #plainSocketsMax: number;
  readonly #sockets = new Set<Socket>();
  /** Those of `#sockets` that are no sessions. */
  readonly #plainSockets = new Set<Socket>();
  /** Listens to every socket's close: one function for all costs a socket nothing. */
  readonly #forget: (this: Socket) => void;
  #stopped: Promise<void> | undefined;

  constructor(options: PublicListenerOptions) {
    const limits = options.limits ?? publicHttpLimits;
    this.#plainSocketsMax = limits.socketsMax;
    const [sockets, plainSockets] = [this.#sockets, this.#plainSockets];
    this.#forget = function () {
      sockets.delete(this);
      plainSockets.delete(this);
    };
    const { addresses, trustedProxies = [], onAddressFull = () => {} } = options;
    this.subscribe = new SubscribeRoute({
      source: options.source,
      admission: new Admission(addresses, trustedProxies, onAddressFull),
      zstdEncodings: options.zstdEncodings ?? new Map(),
      nowUs: options.nowUs,
      timing: { ...defaultSessionTiming, ...options.timing },
    });
    this.#routes = new Routes([
      welcome,
      this.subscribe,
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
    return bound;
  }

  /**
   * Stops accepting at once and says goodbye to every session (close 1001). Resolves when all connections are gone; those
   * left after `deadlineMs` are destroyed. Further calls wait for the first.
   */
  stop(deadlineMs: number): Promise<void> {
    this.#stopped ??= this.#stop(deadlineMs);
    return this.#stopped;
  }

  async #stop(deadlineMs: number): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    const sessionsGone = this.subscribe.stop();
    const deadline = setTimeout(() => {
      for (const socket of this.#sockets) socket.destroy();
    }, deadlineMs);
    await closed;
    await sessionsGone;
    clearTimeout(deadline);
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    if (!this.#server.listening) response.shouldKeepAlive = false;
    this.#routes.answer(request, response);
  }

  #connected(socket: Socket): void {
    if (this.#plainSockets.size >= this.#plainSocketsMax) {
      this.socketsRefused++;
      this.#server.closeIdleConnections();
      socket.destroy();
      return;
    }
    this.#sockets.add(socket);
    this.#plainSockets.add(socket);
    socket.on('close', this.#forget);
  }

  /** A request with an `Upgrade` header, to whatever path and of whatever kind. */
  #upgrade(request: IncomingMessage, socket: Socket, head: Buffer): void {
    // node:http has taken its own listener off; ws and the socket's close handle what an error means.
    socket.on('error', destroy);
    if (this.subscribe.upgrade(request, socket, head)) this.#plainSockets.delete(socket);
    else this.#routes.answer(request, upgradeResponse(request, socket));
  }
}

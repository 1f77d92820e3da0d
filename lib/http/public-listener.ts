// The public listener: one HTTP server with the v1 wire's routes, dictionaries for download, and subscribers' sessions. It
// puts them together and owns start and stop; connection-set.ts bounds connections, routes and sessions own the rest.
// Made by lib/worker.

import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { Server as NetServer, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import type { AddressTable } from '../fanout/address-table.ts';
import type { SubscriptionSource } from '../fanout/transport.ts';
import { type V2Encodings, v2Encodings as v2JsonOnly } from '../fanout/v2-encodings.ts';
import type { ListenAddress } from '../listen-address.ts';
import { heapUse, memoryLimit } from '../memory.ts';
import { HeldBytes, type HeldLimits, heldLimitsOf } from '../session/held-bytes.ts';
import { defaultSessionTiming, type SessionTiming } from '../session/session-timer.ts';
import { Turns } from '../session/turns.ts';
import type { CoveredLog } from '../wire/coverage-page.ts';
import { type OfferedEncodings, storedOnly } from '../wire/subscribe-query.ts';
import { Admission, type OnAddressFull } from './admission.ts';
import { archiveRoutes } from './archive-routes.ts';
import { ClientAddresses } from './client-address.ts';
import { ConnectionSet } from './connection-set.ts';
import { coverageRoute } from './coverage-route.ts';
import { type DictionarySource, dictionaryRoutes } from './dictionary-routes.ts';
import { type HttpLimits, publicHttpLimits } from './http-limits.ts';
import { bindShared, isOutranked, type Sharing } from './listen.ts';
import { PostedFilters } from './posted-filters.ts';
import { noProofAnswers, type ProofSource, proofRoute } from './proof-route.ts';
import { type Route, Routes, welcome } from './routes.ts';
import { serverWithin } from './server.ts';
import { SessionSet } from './session-set.ts';
import { type OnMisspelt, SubscribeRoute } from './subscribe-route.ts';
import { textRoutes } from './text-routes.ts';
import { v2DictionaryRoute } from './v2-dictionary-route.ts';
import { V2Route } from './v2-route.ts';
import { WaitingRequests, waitingLimitsOf } from './waiting-requests.ts';

/** Connections of a crowd that comes at once, beyond those that may stay. */
const crowdMax = 16_384;

/** What the listener is made from. */
export interface PublicListenerOptions {
  /** Where sessions attach: the delivery loop. */
  readonly source: SubscriptionSource;
  /** What `/coverage` tells of. */
  readonly log: CoveredLog;
  readonly dictionaries: DictionarySource;
  /** Where proofs come from; none are kept without. */
  readonly proofs?: ProofSource | undefined;
  /** What compressed subscribers can have; what is stored without. */
  readonly zstdEncodings?: OfferedEncodings;
  /** The same of the second wire; JSON without. */
  readonly v2Encodings?: V2Encodings;
  /** Dictionaries of the second wire, the current one first; those of the first wire without. */
  readonly v2Dictionaries?: DictionarySource;
  /** Counts subscribers, and has their limits; shared with the delivery loop, and with other threads. */
  readonly addresses: AddressTable;
  /** IP addresses and CIDR ranges whose `X-Forwarded-For` is believed; none without. */
  readonly trustedProxies?: readonly string[];
  /** Told once in a while that an address has reached its limit of subscribers. */
  readonly onAddressFull?: OnAddressFull;
  /** Told of misspelt parameters that were ignored. */
  readonly onMisspelt?: OnMisspelt;
  /** Now, in microseconds, on the clock that events are stamped with. */
  readonly nowUs: () => number;
  /** How far ahead of it a cursor may be that is none from the future; not at all without. */
  readonly cursorAheadUsMax?: number;
  /** Further routes; a path that is taken already replaces the route here. */
  readonly routes?: Iterable<Route>;
  /** What differs from the usual. */
  readonly timing?: Partial<SessionTiming>;
  readonly limits?: HttpLimits;
  readonly heldLimits?: HeldLimits;
  /** Threads that listen with this one, itself among them: they share places. */
  readonly listeners?: number;
}

/** How long a listener goes on to take what is on its way while it leaves: handshakes across the world take a third of a second. */
const leaveMs = 500;
/** And before that, while others get all that is new: a handshake of which something is lost takes one to three seconds. */
const finishMs = 5_000;

function destroy(this: Socket): void {
  this.destroy();
}

/** See the file comment. */
export class PublicListener {
  readonly connections: ConnectionSet;
  /** Sessions, and the counts of what they did and of what was refused. */
  readonly sessions: SessionSet;
  /** What clients make this thread hold. */
  readonly held: HeldBytes;
  /** At what keeps this thread busy: long messages, and filters in bodies. */
  readonly turns = new Turns();
  readonly waitingRequests: WaitingRequests;
  /** What became of requests for proofs. */
  readonly proofAnswers = noProofAnswers();
  /** Connections that the system could not hand over, for want of file descriptors mostly. */
  acceptsFailed = 0;
  readonly #routes: Routes;
  readonly #server: Server;
  /** Another socket that it listens with. */
  #second: NetServer | undefined;
  /** Resolves when the connections of a listener that has left its port are gone. */
  #left: Promise<void> | undefined;
  #stopped: Promise<void> | undefined;

  constructor(options: PublicListenerOptions) {
    const { source, nowUs, addresses, trustedProxies = [], onAddressFull = () => {} } = options;
    const {
      limits = publicHttpLimits,
      zstdEncodings = storedOnly,
      listeners = 1,
      cursorAheadUsMax = 0,
    } = options;
    const timing = { ...defaultSessionTiming, ...options.timing };
    const clientAddresses = new ClientAddresses(trustedProxies);
    const admission = new Admission(addresses, clientAddresses, onAddressFull);
    this.held = new HeldBytes(options.heldLimits ?? heldLimitsOf(memoryLimit().limitBytes, listeners));
    const connections = new ConnectionSet(this.held, {
      ...limits,
      crowdMax: () => Math.min(crowdMax, addresses.placesFree / listeners),
      addressOf: (socket) => clientAddresses.ofPeer(socket),
    });
    const sessions = new SessionSet(admission, connections, timing);
    const { turns } = this;
    const waitingRequests = new WaitingRequests(clientAddresses, waitingLimitsOf(heapUse().limitBytes));
    const times = { nowUs, cursorAheadUsMax, timing };
    const shared = { source, sessions, turns, waitingRequests, ...times };
    const postedFilters = new PostedFilters(connections, clientAddresses, turns);
    this.waitingRequests = waitingRequests;
    this.connections = connections;
    this.sessions = sessions;
    this.#routes = new Routes([
      welcome,
      new SubscribeRoute({
        ...shared,
        zstdEncodings,
        ...(options.onMisspelt && { onMisspelt: options.onMisspelt }),
      }),
      new V2Route({ ...shared, v2Encodings: options.v2Encodings ?? v2JsonOnly(), log: options.log }),
      ...textRoutes({ ...shared, postedFilters }),
      coverageRoute(options.log, sessions, nowUs),
      proofRoute(options.proofs, sessions, clientAddresses, this.proofAnswers),
      ...dictionaryRoutes(options.dictionaries),
      v2DictionaryRoute(options.v2Dictionaries ?? options.dictionaries),
      ...archiveRoutes(),
      ...(options.routes ?? []),
    ]);
    const answer = (request: IncomingMessage, response: ServerResponse) => this.#answer(request, response);
    this.#server = serverWithin(limits, connections, answer, {
      // Behind answers that are under way it is a plain request: it has to wait, and another protocol cannot. And some
      // clients offer another protocol at every first request: with it a body would be lost. Without a host node:http refuses
      // it, if it is a plain one.
      shouldUpgradeCallback: (request) =>
        request.headers.host !== undefined &&
        !connections.isAnswering(request.socket) &&
        !this.#routes.takesBody(request),
    });
    this.#server.on('upgrade', (request, socket, head) => this.#upgrade(request, socket as Socket, head));
  }

  /** Starts to listen, as `bindShared` does; resolves with the address bound. Throws HTTP_LISTEN_FAILED. */
  async listen(address: ListenAddress, sharing: Sharing = 'alone'): Promise<ListenAddress> {
    const bound = await bindShared(this.#server, address, sharing);
    this.#second = bound.second;
    this.#server.on('error', () => this.acceptsFailed++);
    this.connections.start();
    return bound.address;
  }

  /**
   * Leaves the port to others that listen there too. The system resets what waits at a socket that is closed, and handshakes that it has
   * begun: so those are waited for. Where it still gets new ones by then (see `Sharing`), its queue is made as short as can be, and who
   * finds it full is not answered and tries again within a second, at one of the others. Resolves when it is about to be closed.
   */
  async leave(): Promise<void> {
    await delay(finishMs, undefined, { ref: false });
    const { _handle: handle } = this.#server as unknown as { _handle?: { listen?(backlog: number): number } };
    if (this.#server.listening && !isOutranked(this.#server)) handle?.listen?.(0);
    await delay(leaveMs, undefined, { ref: false });
    // Right after connections have been accepted.
    setImmediate(this.#leaveNow);
  }

  /** Those that have been accepted go on: http's own way would end who has not asked for anything yet. */
  readonly #leaveNow = (): void => {
    if (this.#stopped !== undefined || !this.#server.listening) return;
    this.#left = new Promise((resolve) => {
      NetServer.prototype.close.call(this.#server, () => resolve());
    });
  };

  /**
   * Stops accepting at once and ends every session (close 1001, or the end of its answer). Resolves when all connections
   * are gone; those left after `deadlineMs` are destroyed. Further calls wait for the first.
   */
  stop(deadlineMs: number): Promise<void> {
    this.#stopped ??= this.#stop(deadlineMs);
    return this.#stopped;
  }

  async #stop(deadlineMs: number): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    const secondClosed = new Promise<void>((resolve) => {
      if (this.#second === undefined) resolve();
      else this.#second.close(() => resolve());
    });
    const sessionsGone = this.sessions.stop();
    const deadline = setTimeout(() => this.connections.destroy(), deadlineMs);
    await closed;
    await secondClosed;
    await this.#left;
    await sessionsGone;
    clearTimeout(deadline);
    this.connections.stop();
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    // Behind an offer of another protocol that was not taken, node:http loses what came with it.
    if (!this.#server.listening || request.headers.upgrade !== undefined) response.shouldKeepAlive = false;
    this.#routes.answer(request, response);
  }

  /** A request with an `Upgrade` header, to whatever path and of whatever kind. */
  #upgrade(request: IncomingMessage, socket: Socket, head: Buffer): void {
    // node:http has taken its own listener off; ws and the socket's close handle what an error means.
    socket.on('error', destroy);
    const all = this.connections.upgrade(request, socket, head);
    this.#routes.upgrade(request, socket, all, (response) => this.connections.answer(socket, response));
  }
}

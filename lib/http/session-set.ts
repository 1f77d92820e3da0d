// The sessions of a listener, over WebSocket and over plain HTTP: who is let in, what they did, and the goodbye to all. It
// keeps their places and their clock; how a session is made is its route's business, and what it does is lib/wire's.

import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Filter } from '../event/filter.ts';
import { SessionCounts } from '../session/session-counts.ts';
import { SessionTimer, type Visited } from '../session/session-timer.ts';
import { type SessionTiming, shortestMsOf } from '../session/websocket-session.ts';
import type { StoredFilterId } from '../wire/stored-filter.ts';
import { unknownFilter } from '../wire/subscribe-query.ts';
import { type Admission, stopping } from './admission.ts';
import type { FilterDesk } from './filter-desk.ts';
import { answerRefusal, type Refusal, type RefusalReason, refusalReasons } from './refusal.ts';

/** What is in the set. */
export interface Session extends Visited {
  /** The client's address, as limits count it. */
  readonly remoteAddress: string;
  /** Says goodbye because the server stops. */
  stop(): void;
}

/** Told of the sockets that are a subscriber's from now on, and of those that are no longer. */
export type OnSubscriber = (socket: Socket, isSubscriber: boolean) => void;

/** Why a request is refused, if it is. */
export type Outcome = Refusal | undefined;

/** Hands on an outcome: at once, or when it is there. */
export function settle<T>(outcome: T | Promise<T>, then: (outcome: T) => void): void {
  if (outcome instanceof Promise) void outcome.then(then);
  else then(outcome);
}

/** Makes a session for an address. */
export type MakeSession = (remoteAddress: string, filter: Filter) => Session | undefined;

/** See the file comment. */
export class SessionSet {
  readonly members = new Set<Session>();
  readonly counts = new SessionCounts();
  readonly refusals = new Map<RefusalReason, number>(refusalReasons.map((reason) => [reason, 0]));
  readonly #admission: Admission;
  readonly #desk: FilterDesk;
  readonly #onSubscriber: OnSubscriber;
  /** Those that use a stored filter, and its id. */
  readonly #borrowed = new Map<Session, string>();
  readonly #rounds: SessionTimer<Session>;
  #stopping = false;
  #allGone: () => void = () => {};

  constructor(admission: Admission, desk: FilterDesk, timing: SessionTiming, onSubscriber: OnSubscriber) {
    this.#admission = admission;
    this.#desk = desk;
    this.#onSubscriber = onSubscriber;
    this.#rounds = new SessionTimer(this.members, shortestMsOf(timing));
  }

  /**
   * Lets a request in, or says why not: at once, unless its filter is a stored one, which has to be asked for. `make`
   * makes the session; it may find that the client has gone, and make none.
   */
  open(
    request: IncomingMessage,
    filter: Filter | StoredFilterId,
    make: MakeSession,
  ): Outcome | Promise<Outcome> {
    const remoteAddress = this.#stopping ? stopping : this.#admission.enter(request);
    if (typeof remoteAddress !== 'string') return remoteAddress;
    this.#onSubscriber(request.socket, true);
    if ('id' in filter) return this.#openStored(request, filter.id, remoteAddress, make);
    if (!this.#add(make(remoteAddress, filter))) this.#leave(request, remoteAddress);
    return undefined;
  }

  /** To be called once for each session, when it has come to its end. */
  readonly gone = (session: Session): void => {
    this.members.delete(session);
    this.#admission.leave(session.remoteAddress);
    const id = this.#borrowed.get(session);
    if (id !== undefined) this.#desk.release(id);
    this.#borrowed.delete(session);
    if (this.members.size === 0) this.#allGone();
  };

  /** Why a request with that filter would be refused whoever sent it: the filter is a stored one that is not there. */
  refusalOf(request: IncomingMessage, filter: Filter | StoredFilterId): Outcome | Promise<Outcome> {
    return 'id' in filter ? this.#look(request, filter.id) : undefined;
  }

  /** Answers a request that is refused, and counts it. */
  refuse(response: ServerResponse, refusal: Refusal): void {
    this.countRefusal(refusal.reason);
    answerRefusal(response, refusal);
  }

  countRefusal(reason: RefusalReason): void {
    this.refusals.set(reason, (this.refusals.get(reason) as number) + 1);
  }

  /** Ends every session and lets no more in; resolves when all are gone. */
  stop(): Promise<void> {
    this.#stopping = true;
    for (const session of this.members) session.stop();
    return new Promise((resolve) => {
      this.#allGone = resolve;
      if (this.members.size === 0) resolve();
    });
  }

  async #openStored(
    request: IncomingMessage,
    id: string,
    remoteAddress: string,
    make: MakeSession,
  ): Promise<Outcome> {
    const isWanted = (): boolean => !this.#stopping && !request.socket.destroyed;
    const outcome = await this.#desk.lend(remoteAddress, id, isWanted, (filter) => {
      const session = make(remoteAddress, filter);
      if (session !== undefined) this.#borrowed.set(session, id);
      return this.#add(session);
    });
    if (outcome === 'lent') return undefined;
    this.#leave(request, remoteAddress);
    if (outcome === 'unknown') return unknownFilter(id);
    return this.#stopping ? stopping : undefined;
  }

  async #look(request: IncomingMessage, id: string): Promise<Outcome> {
    const description = await this.#desk.look(request, id);
    return description === undefined ? unknownFilter(id) : undefined;
  }

  /** Takes back the place that no session was made for. */
  #leave(request: IncomingMessage, remoteAddress: string): void {
    this.#admission.leave(remoteAddress);
    this.#onSubscriber(request.socket, false);
  }

  /** Whether there is one. */
  #add(session: Session | undefined): boolean {
    if (session === undefined) return false;
    this.members.add(session);
    this.#rounds.start();
    return true;
  }
}

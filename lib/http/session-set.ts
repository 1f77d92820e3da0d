// The sessions of a listener, over WebSocket and over plain HTTP: who is let in, what they did, and the end of all. It
// counts them and has their timer; how a session is made is its route's business, and what it does is lib/session's.

import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Holding } from '../session/held-bytes.ts';
import { SessionCounts } from '../session/session-counts.ts';
import { SessionTimer, type SessionTiming, shortestMsOf, type Visited } from '../session/session-timer.ts';
import { type Admission, stopping } from './admission.ts';
import type { ConnectionSet } from './connection-set.ts';
import { answerRefusal, type Refusal, type RefusalReason, refusalReasons } from './refusal.ts';

/** What is in the set. */
export interface Session extends Visited {
  /** The client's address, as limits count it. */
  readonly remoteAddress: string;
  readonly socket: Socket;
  /** Ends it because the server stops. */
  stop(): void;
}

/** See the file comment. */
export class SessionSet {
  readonly members = new Set<Session>();
  readonly counts = new SessionCounts();
  readonly refusals = new Map<RefusalReason, number>(refusalReasons.map((reason) => [reason, 0]));
  readonly #admission: Admission;
  readonly #connections: ConnectionSet;
  readonly #timer: SessionTimer<Session>;
  #stopping = false;
  #allGone: () => void = () => {};

  constructor(admission: Admission, connections: ConnectionSet, timing: SessionTiming) {
    this.#admission = admission;
    this.#connections = connections;
    this.#timer = new SessionTimer(this.members, shortestMsOf(timing));
  }

  /** Lets a request in, or says why not. `make` makes the session; when the client has gone, none is made. */
  open(
    request: IncomingMessage,
    make: (remoteAddress: string, holding: Holding) => Session | undefined,
  ): Refusal | undefined {
    const holding = this.#connections.of(request.socket)?.holding;
    if (holding === undefined) return undefined;
    const remoteAddress = this.#stopping ? stopping : this.#admission.enter(request);
    if (typeof remoteAddress !== 'string') return remoteAddress;
    this.#connections.subscribe(request.socket);
    holding.move(remoteAddress);
    const session = make(remoteAddress, holding);
    if (session === undefined) {
      this.#admission.leave(remoteAddress);
      this.#connections.unsubscribe(request.socket);
    } else {
      this.members.add(session);
      this.#timer.start();
    }
    return undefined;
  }

  /** To be called once for each session, when it has come to its end. */
  readonly gone = (session: Session): void => {
    this.members.delete(session);
    this.#admission.leave(session.remoteAddress);
    this.#connections.unsubscribe(session.socket);
    if (this.members.size === 0) this.#allGone();
  };

  /** Of a session over plain HTTP: notes what has come behind its request. */
  readonly behind = (socket: Socket, isWhole: boolean): number =>
    this.#connections.of(socket)?.behind(isWhole) ?? 0;

  /** Answers a request that is refused, and counts it. */
  refuse(response: ServerResponse, refusal: Refusal): void {
    const { reason } = refusal;
    this.refusals.set(reason, (this.refusals.get(reason) as number) + 1);
    answerRefusal(response, refusal);
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
}

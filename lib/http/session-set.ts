// The sessions of a listener, over WebSocket and over plain HTTP: who is let in, what they did, and the goodbye to all. It
// keeps their places and their clock; how a session is made is its route's business, and what it does is lib/wire's.

import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { SessionCounts } from '../session/session-counts.ts';
import { SessionTimer, type Visited } from '../session/session-timer.ts';
import { type SessionTiming, shortestMsOf } from '../session/websocket-session.ts';
import { type Admission, stopping } from './admission.ts';
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

/** Makes a session for an address. */
export type MakeSession = (remoteAddress: string) => Session | undefined;

/** See the file comment. */
export class SessionSet {
  readonly members = new Set<Session>();
  readonly counts = new SessionCounts();
  readonly refusals = new Map<RefusalReason, number>(refusalReasons.map((reason) => [reason, 0]));
  readonly #admission: Admission;
  readonly #onSubscriber: OnSubscriber;
  readonly #rounds: SessionTimer<Session>;
  #stopping = false;
  #allGone: () => void = () => {};

  constructor(admission: Admission, timing: SessionTiming, onSubscriber: OnSubscriber) {
    this.#admission = admission;
    this.#onSubscriber = onSubscriber;
    this.#rounds = new SessionTimer(this.members, shortestMsOf(timing));
  }

  /** Lets a request in, or says why not. `make` makes the session; it may find that the client has gone, and make none. */
  open(request: IncomingMessage, make: MakeSession): Refusal | undefined {
    const remoteAddress = this.#stopping ? stopping : this.#admission.enter(request);
    if (typeof remoteAddress !== 'string') return remoteAddress;
    this.#onSubscriber(request.socket, true);
    const session = make(remoteAddress);
    if (session === undefined) {
      this.#admission.leave(remoteAddress);
      this.#onSubscriber(request.socket, false);
    } else {
      this.members.add(session);
      this.#rounds.start();
    }
    return undefined;
  }

  /** To be called once for each session, when it has come to its end. */
  readonly gone = (session: Session): void => {
    this.members.delete(session);
    this.#admission.leave(session.remoteAddress);
    if (this.members.size === 0) this.#allGone();
  };

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
}

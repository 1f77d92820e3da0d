// The sessions of a listener, over WebSocket and over plain HTTP: who is let in, what they did, and the end of all. It
// counts them and has their timer; how a session is made is its route's business, and what it does is lib/session's.

import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { CloseReason } from '../fanout/transport.ts';
import type { Holding } from '../session/held-bytes.ts';
import { SessionCounts } from '../session/session-counts.ts';
import { SessionTimer, type SessionTiming, shortestMsOf, type Visited } from '../session/session-timer.ts';
import { type Admission, memoryShort, stopping } from './admission.ts';
import type { ConnectionSet } from './connection-set.ts';
import { answerRefusal, type Refusal, type RefusalReason, refusalReasons } from './refusal.ts';
import { forgetHead } from './request-head.ts';

/** What is in the set. */
export interface Session extends Visited {
  /** The client's address, as limits count it. */
  readonly remoteAddress: string;
  readonly socket: Socket;
  /** Ends it, and says why. */
  close(reason: CloseReason): void;
  /** Its end has begun. */
  readonly isEnding: boolean;
  /** Ends it because the server stops. */
  stop(): void;
}

/** Who watches over memory. */
export interface MemoryGate {
  /** Whether there is memory for one more. */
  takes(replays: boolean): boolean;
  /** Called several times a second while there are sessions. */
  look(): void;
}

/** See the file comment. */
export class SessionSet {
  readonly members = new Set<Session>();
  readonly counts = new SessionCounts();
  readonly refusals = new Map<RefusalReason, number>(refusalReasons.map((reason) => [reason, 0]));
  /** Set by who has the memory to watch. */
  memory: MemoryGate = { takes: () => true, look: () => {} };
  readonly #admission: Admission;
  readonly #connections: ConnectionSet;
  readonly #timer: SessionTimer<Session>;
  #stopping = false;
  #allGone: () => void = () => {};

  constructor(admission: Admission, connections: ConnectionSet, timing: SessionTiming) {
    this.#admission = admission;
    this.#connections = connections;
    this.#timer = new SessionTimer(this.members, shortestMsOf(timing), () => this.memory.look());
  }

  /**
   * Lets a request in, or says why not. `make` makes the session; when the client has gone, none is made.
   * @param replays whether it begins behind.
   */
  open(
    request: IncomingMessage,
    replays: boolean,
    make: (remoteAddress: string, holding: Holding) => Session | undefined,
  ): Refusal | undefined {
    const holding = this.#connections.of(request.socket)?.holding;
    if (holding === undefined) return undefined;
    if (this.#stopping) return stopping;
    if (!this.memory.takes(replays)) return memoryShort;
    const remoteAddress = this.#admission.enter(request);
    if (typeof remoteAddress !== 'string') return remoteAddress;
    this.#connections.subscribe(request.socket);
    holding.move(remoteAddress);
    const session = make(remoteAddress, holding);
    if (session === undefined) {
      this.#admission.leave(remoteAddress);
      this.#connections.unsubscribe(request.socket);
    } else {
      // It would stay for as long as a stream does.
      forgetHead(request);
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

  /** Answers a request that is refused, and counts it. */
  refuse(response: ServerResponse, refusal: Refusal): void {
    const { reason } = refusal;
    this.refusals.set(reason, (this.refusals.get(reason) as number) + 1);
    answerRefusal(response, refusal);
  }

  /** Those that are not on their way out, oldest first. */
  get staying(): Session[] {
    return Array.from(this.members).filter(({ isEnding }) => !isEnding);
  }

  /** Ends so many for want of memory: see {@link newestOfMost}. Returns how many. */
  shedNewest(count: number): number {
    const going = newestOfMost(this.staying, count);
    for (const session of going) session.close('memory_short');
    return going.length;
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

/** Sessions of an address that are no more than anybody may have: a bot with two must not go before crowds with one from each address. */
export const fewOfAddress = 4;

/**
 * Those that go first for want of memory: of the addresses that have most the newest, until none has more than a few; then the newest
 * of all. So a crowd from a few addresses goes before anybody else, and of many addresses with a few each those that came last.
 * @param sessions oldest first.
 */
export function newestOfMost<One extends { readonly remoteAddress: string }>(
  sessions: Iterable<One>,
  count: number,
): One[] {
  const byAddress = Map.groupBy(
    Array.from(sessions, (session, age) => ({ session, age })),
    ({ session }) => session.remoteAddress,
  );
  const addresses = [...byAddress.values()].sort((a, b) => b.length - a.length);
  const going: One[] = [];
  for (let most = addresses[0]?.length ?? 0; most > 0 && going.length < count; most--) {
    const newest: { session: One; age: number }[] = [];
    const isFew = most <= fewOfAddress;
    // Those that have most come first, also when each has one less.
    for (const own of addresses) {
      if (own.length < most && !isFew) break;
      newest.push(...own.splice(isFew ? 0 : -1));
    }
    newest.sort((a, b) => b.age - a.age);
    going.push(...newest.slice(0, count - going.length).map(({ session }) => session));
  }
  return going;
}

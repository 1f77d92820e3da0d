// `GET /subscribe`: checks in the v1 wire's order (parameters, then handshake), refusals over plain HTTP, and sessions
// for the rest. It keeps the set of sessions; what a session does is lib/wire's.

import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { positionOfCursor } from '../event/cursor.ts';
import type { Encoding, SubscriptionSource } from '../fanout/transport.ts';
import { MessageIntake } from '../wire/message-intake.ts';
import { SessionCounts } from '../wire/session-counts.ts';
import { SessionRounds } from '../wire/session-rounds.ts';
import {
  isSubscribeFault,
  parseSubscribeQuery,
  type SubscribeFault,
  type SubscribeRequest,
} from '../wire/subscribe-query.ts';
import {
  type SessionHost,
  type SessionTiming,
  SubscribeSession,
  shortestMsOf,
} from '../wire/subscribe-session.ts';
import { type Admission, type Refusal, stopping } from './admission.ts';
import { acceptHandshake, isHandshake } from './handshake.ts';
import { respond, respondError, respondText } from './respond.ts';
import { allowGet, pathOf, queryOf, type Route } from './routes.ts';

/** Why a request to subscribe was refused: a closed list, for counting. */
export const refusalReasons = [
  'bad_cursor',
  'bad_collection',
  'bad_did',
  'too_many_dids',
  'too_many_collections',
  'bad_kind',
  'bad_operation',
  'bad_subject',
  'too_many_subjects',
  'bad_dictionary',
  'bad_handshake',
  /** As many subscribers as allowed, in all or of one address. */
  'too_many_subscribers',
  'too_many_of_address',
  'stopping',
] as const;
export type RefusalReason = (typeof refusalReasons)[number];

/** What the route needs. */
export interface SubscribeRouteOptions {
  readonly source: SubscriptionSource;
  readonly admission: Admission;
  /** What compressed subscribers can ask for, by the id of the dictionary. */
  readonly zstdEncodings: ReadonlyMap<number, Encoding>;
  /** Now, in microseconds, on the clock that events are stamped with. */
  readonly nowUs: () => number;
  readonly timing: SessionTiming;
}

/** See the file comment. */
export class SubscribeRoute implements Route {
  readonly path = '/subscribe';
  readonly allow = allowGet;
  readonly sessions = new Set<SubscribeSession>();
  readonly sessionCounts = new SessionCounts();
  readonly refusals = new Map<RefusalReason, number>(refusalReasons.map((reason) => [reason, 0]));
  readonly #admission: Admission;
  readonly #zstdEncodings: ReadonlyMap<number, Encoding>;
  readonly #nowUs: () => number;
  readonly #host: SessionHost;
  readonly #rounds: SessionRounds<SubscribeSession>;
  /** Why `upgrade` did not take a good request, until `handle` has said so. */
  readonly #refused = new WeakMap<IncomingMessage, Refusal>();
  #stopping = false;
  #allGone: () => void = () => {};

  constructor({ source, admission, zstdEncodings, nowUs, timing }: SubscribeRouteOptions) {
    this.#admission = admission;
    this.#zstdEncodings = zstdEncodings;
    this.#nowUs = nowUs;
    this.#host = {
      source,
      timing,
      counts: this.sessionCounts,
      intake: new MessageIntake(),
      gone: (session) => this.#gone(session),
    };
    this.#rounds = new SessionRounds(this.sessions, shortestMsOf(timing));
  }

  /** Refuses a request, over plain HTTP: one that asks for no upgrade, or one that `upgrade` did not take. */
  handle(request: IncomingMessage, response: ServerResponse): void {
    const asked = this.#read(request);
    const refusal = this.#refused.get(request);
    if (isSubscribeFault(asked)) {
      this.#count(asked.reason);
      respondText(response, asked.status, asked.body);
    } else if (refusal !== undefined) {
      this.#count(refusal.reason);
      response.setHeader('Retry-After', String(refusal.retryAfterSeconds));
      respondError(response, refusal.status, refusal.message);
    } else {
      this.#count('bad_handshake');
      response.setHeader('Sec-Websocket-Version', '13');
      response.setHeader('X-Content-Type-Options', 'nosniff');
      respond(response, 400, 'text/plain; charset=utf-8', 'Bad Request\n');
    }
  }

  /** Starts a session if the request is a good one and there is room; false when it has to be refused. */
  upgrade(request: IncomingMessage, socket: Socket, head: Buffer): boolean {
    if (request.method !== 'GET' || pathOf(request.url ?? '') !== this.path) return false;
    const asked = this.#read(request);
    if (isSubscribeFault(asked) || !isHandshake(request)) return false;
    const remoteAddress = this.#stopping ? stopping : this.#admission.enter(request);
    if (typeof remoteAddress !== 'string') {
      this.#refused.set(request, remoteAddress);
      return false;
    }
    const { cursor } = asked;
    const afterTimeUs = cursor === undefined ? undefined : positionOfCursor(cursor, this.#nowUs());
    let session: SubscribeSession | undefined;
    acceptHandshake(request, socket, head, (ws) => {
      session = new SubscribeSession({
        ws,
        socket,
        host: this.#host,
        request: asked,
        remoteAddress,
        afterTimeUs,
      });
    });
    if (session === undefined) {
      this.#admission.leave(remoteAddress);
    } else {
      this.sessions.add(session);
      this.#rounds.start();
    }
    return true;
  }

  /** Ends every session with a close frame and takes no more; resolves when all are gone. */
  stop(): Promise<void> {
    this.#stopping = true;
    for (const session of this.sessions) session.stop();
    return new Promise((resolve) => {
      this.#allGone = resolve;
      if (this.sessions.size === 0) resolve();
    });
  }

  #gone(session: SubscribeSession): void {
    this.sessions.delete(session);
    this.#admission.leave(session.remoteAddress);
    if (this.sessions.size === 0) this.#allGone();
  }

  #read(request: IncomingMessage): SubscribeRequest | SubscribeFault {
    const socketEncoding = request.headers['socket-encoding'] as string | undefined;
    return parseSubscribeQuery(queryOf(request.url ?? ''), socketEncoding, this.#zstdEncodings);
  }

  #count(reason: RefusalReason): void {
    this.refusals.set(reason, (this.refusals.get(reason) as number) + 1);
  }
}

// `GET /subscribe`: checks in the v1 wire's order (parameters, then handshake), refusals over plain HTTP, and sessions
// for the rest. It keeps the set of sessions; what a session does is lib/wire's.

import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { positionOfCursor } from '../event/cursor.ts';
import type { SubscriptionSource } from '../fanout/transport.ts';
import { SessionCounts } from '../wire/session-counts.ts';
import {
  isSubscribeFault,
  parseSubscribeQuery,
  type SubscribeFault,
  type SubscribeRequest,
} from '../wire/subscribe-query.ts';
import { type SessionTiming, SubscribeSession } from '../wire/subscribe-session.ts';
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
  'bad_handshake',
  /** As many sessions as allowed, or the server stops. */
  'unavailable',
] as const;
export type RefusalReason = (typeof refusalReasons)[number];

/** What the route needs. */
export interface SubscribeRouteOptions {
  readonly source: SubscriptionSource;
  /** Now, in microseconds, on the clock that events are stamped with. */
  readonly nowUs: () => number;
  readonly timing: SessionTiming;
  readonly sessionsMax: number;
}

/** Seconds after which a client that finds no place is asked to come back. */
const retryAfterSeconds = 5;

/** See the file comment. */
export class SubscribeRoute implements Route {
  readonly path = '/subscribe';
  readonly allow = allowGet;
  readonly sessions = new Set<SubscribeSession>();
  readonly sessionCounts = new SessionCounts();
  readonly refusals = new Map<RefusalReason, number>(refusalReasons.map((reason) => [reason, 0]));
  readonly #options: SubscribeRouteOptions;
  #stopping = false;
  #allGone: () => void = () => {};

  constructor(options: SubscribeRouteOptions) {
    this.#options = options;
  }

  /** Refuses a request, over plain HTTP: one that asks for no upgrade, or one that `upgrade` did not take. */
  handle(request: IncomingMessage, response: ServerResponse): void {
    const asked = read(request);
    if (isSubscribeFault(asked)) {
      this.#refused(asked.reason);
      respondText(response, asked.status, asked.body);
    } else if (!isHandshake(request)) {
      this.#refused('bad_handshake');
      response.setHeader('Sec-Websocket-Version', '13');
      response.setHeader('X-Content-Type-Options', 'nosniff');
      respond(response, 400, 'text/plain; charset=utf-8', 'Bad Request\n');
    } else {
      this.#refused('unavailable');
      response.setHeader('Retry-After', String(retryAfterSeconds));
      respondError(response, 503, 'Service Unavailable');
    }
  }

  /** Starts a session if the request is a good one and there is room; false when it has to be refused. */
  upgrade(request: IncomingMessage, socket: Socket, head: Buffer): boolean {
    if (request.method !== 'GET' || pathOf(request.url ?? '') !== this.path) return false;
    const asked = read(request);
    if (isSubscribeFault(asked) || !isHandshake(request)) return false;
    if (this.#stopping || this.sessions.size >= this.#options.sessionsMax) return false;
    const { source, nowUs, timing } = this.#options;
    const { encoding, filter, requireHello, cursor } = asked;
    const afterTimeUs = cursor === undefined ? undefined : positionOfCursor(cursor, nowUs());
    acceptHandshake(request, socket, head, (ws) => {
      const counts = this.sessionCounts;
      const onGone = (session: SubscribeSession): void => this.#gone(session);
      this.sessions.add(
        new SubscribeSession({
          ws,
          socket,
          source,
          encoding,
          filter,
          afterTimeUs,
          requireHello,
          timing,
          counts,
          onGone,
        }),
      );
    });
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
    if (this.sessions.size === 0) this.#allGone();
  }

  #refused(reason: RefusalReason): void {
    this.refusals.set(reason, (this.refusals.get(reason) as number) + 1);
  }
}

function read(request: IncomingMessage): SubscribeRequest | SubscribeFault {
  const socketEncoding = request.headers['socket-encoding'] as string | undefined;
  return parseSubscribeQuery(queryOf(request.url ?? ''), socketEncoding);
}

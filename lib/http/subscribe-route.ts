// `GET /subscribe`: checks in the v1 wire's order (parameters, then handshake), and refusals over plain HTTP. Sessions for
// the rest are kept by session-set.ts; what they do is lib/wire's.

import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { positionOfCursor } from '../event/cursor.ts';
import type { Encoding, SubscriptionSource } from '../fanout/transport.ts';
import type { MessageIntake } from '../session/message-intake.ts';
import { type SessionHost, type SessionTiming, WebSocketSession } from '../session/websocket-session.ts';
import {
  isSubscribeFault,
  parseSubscribeQuery,
  type SubscribeFault,
  type SubscribeRequest,
} from '../wire/subscribe-query.ts';
import { acceptHandshake, isHandshake } from './handshake.ts';
import type { Refusal } from './refusal.ts';
import { respond, whenItsTurn } from './respond.ts';
import { allowGet, pathOf, queryOf, type Route } from './routes.ts';
import type { SessionSet } from './session-set.ts';

/** What the route needs. */
export interface SubscribeRouteOptions {
  readonly source: SubscriptionSource;
  readonly sessions: SessionSet;
  readonly intake: MessageIntake;
  /** What compressed subscribers can ask for, by the id of the dictionary. */
  readonly zstdEncodings: ReadonlyMap<number, Encoding>;
  /** Now, in microseconds, on the clock that events are stamped with. */
  readonly nowUs: () => number;
  readonly timing: SessionTiming;
}

/** A request for an upgrade, as node:http has it. */
interface Upgrade {
  readonly request: IncomingMessage;
  readonly socket: Socket;
  readonly head: Buffer;
}

/** See the file comment. */
export class SubscribeRoute implements Route {
  readonly path = '/subscribe';
  readonly allow = allowGet;
  readonly #options: SubscribeRouteOptions;
  readonly #host: SessionHost;
  /** Why `upgrade` did not take a good request, until `handle` has said so. */
  readonly #refused = new WeakMap<IncomingMessage, Refusal>();

  constructor(options: SubscribeRouteOptions) {
    const { source, sessions, intake, timing } = options;
    this.#options = options;
    this.#host = { source, timing, counts: sessions.counts, intake, gone: sessions.gone };
  }

  /** Refuses a request, over plain HTTP: one that asks for no upgrade, or one that `upgrade` did not take. */
  handle(request: IncomingMessage, response: ServerResponse): void {
    const asked = this.#read(request);
    const refusal = isSubscribeFault(asked) ? asked : this.#refused.get(request);
    whenItsTurn(response, () => this.#refuse(response, refusal));
  }

  /** Starts a session if the request is a good one and there is room; false when it has to be refused. */
  upgrade(request: IncomingMessage, socket: Socket, head: Buffer): boolean {
    if (request.method !== 'GET' || pathOf(request.url ?? '') !== this.path) return false;
    const asked = this.#read(request);
    if (isSubscribeFault(asked) || !isHandshake(request)) return false;
    const refusal = this.#options.sessions.open(request, (remoteAddress) =>
      this.#accept({ request, socket, head }, asked, remoteAddress),
    );
    if (refusal !== undefined) this.#refused.set(request, refusal);
    return refusal === undefined;
  }

  #refuse(response: ServerResponse, refusal: Refusal | undefined): void {
    const { sessions } = this.#options;
    if (refusal !== undefined) {
      sessions.refuse(response, refusal);
    } else {
      sessions.countRefusal('bad_handshake');
      response.setHeader('Sec-Websocket-Version', '13');
      response.setHeader('X-Content-Type-Options', 'nosniff');
      respond(response, 400, 'text/plain; charset=utf-8', 'Bad Request\n');
    }
  }

  #accept(
    { request, socket, head }: Upgrade,
    asked: SubscribeRequest,
    remoteAddress: string,
  ): WebSocketSession | undefined {
    const { cursor } = asked;
    const afterTimeUs = cursor === undefined ? undefined : positionOfCursor(cursor, this.#options.nowUs());
    let session: WebSocketSession | undefined;
    acceptHandshake(request, socket, head, (ws) => {
      const host = this.#host;
      session = new WebSocketSession({
        ws,
        socket,
        host,
        request: asked,
        remoteAddress,
        afterTimeUs,
      });
    });
    return session;
  }

  #read(request: IncomingMessage): SubscribeRequest | SubscribeFault {
    const socketEncoding = request.headers['socket-encoding'] as string | undefined;
    return parseSubscribeQuery(queryOf(request.url ?? ''), socketEncoding, this.#options.zstdEncodings);
  }
}

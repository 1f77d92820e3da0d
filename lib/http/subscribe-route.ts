// `GET /subscribe`: checks in the v1 wire's order (parameters, then handshake, then limits of subscribers), each made once and answered
// where it fails. Sessions are kept by session-set.ts; what they do is lib/session's.

import type { IncomingMessage, ServerResponse } from 'node:http';
import { positionOfCursor } from '../event/cursor.ts';
import type { SubscriptionSource } from '../fanout/transport.ts';
import type { Holding } from '../session/held-bytes.ts';
import type { SessionTiming } from '../session/session-timer.ts';
import type { Turns } from '../session/turns.ts';
import { WebSocketSession, type WebSocketSessionHost } from '../session/websocket-session.ts';
import {
  isSubscribeFault,
  type Misspelt,
  type OfferedEncodings,
  parseSubscribeQuery,
  type SubscribeFault,
  type SubscribeRequest,
} from '../wire/subscribe-query.ts';
import { acceptHandshake, isHandshake } from './handshake.ts';
import { badHandshake, type Refusal } from './refusal.ts';
import { whenItsTurn } from './respond.ts';
import { allowGet, queryOf, type Route, type Upgrade } from './routes.ts';
import type { SessionSet } from './session-set.ts';
import type { WaitingRequests } from './waiting-requests.ts';

/** What the route needs. */
export interface SubscribeRouteOptions {
  readonly source: SubscriptionSource;
  readonly sessions: SessionSet;
  /** For reading what is long. */
  readonly turns: Turns;
  readonly waitingRequests: WaitingRequests;
  /** What compressed subscribers can have. */
  readonly zstdEncodings: OfferedEncodings;
  /** Now, in microseconds, on the clock that events are stamped with. */
  readonly nowUs: () => number;
  /** As of `PublicListenerOptions`. */
  readonly cursorAheadUsMax: number;
  readonly timing: SessionTiming;
  readonly onMisspelt?: OnMisspelt;
}

/**
 * Told of a parameter that was ignored for being misspelt: of the first request that meant this part of a filter, the second, the
 * fourth and so on, so that a client which does so for ever fills no log. The name is the client's.
 */
export type OnMisspelt = (misspelt: Misspelt, requests: number) => void;

/** See the file comment. */
export class SubscribeRoute implements Route {
  readonly path = '/subscribe';
  readonly allow = allowGet;
  readonly #options: SubscribeRouteOptions;
  readonly #host: WebSocketSessionHost;

  constructor(options: SubscribeRouteOptions) {
    const { source, sessions, turns, timing } = options;
    this.#options = options;
    this.#host = { source, timing, counts: sessions.counts, turns, gone: sessions.gone };
  }

  /** Refuses a request that asks for no upgrade. */
  handle(request: IncomingMessage, response: ServerResponse): void {
    const asked = this.#read(request);
    const refusal = isSubscribeFault(asked) ? asked : badHandshake;
    whenItsTurn(response, () => this.#options.sessions.refuse(response, refusal));
  }

  /** Starts a session if the request is a good one and there is room. */
  upgrade(upgrade: Upgrade): void {
    const { sessions, waitingRequests } = this.#options;
    const open = (): void => {
      const refusal = this.#open(upgrade);
      if (refusal !== undefined) sessions.refuse(upgrade.refuse(), refusal);
    };
    waitingRequests.take(upgrade.request, open, upgrade.head.length);
  }

  #open(upgrade: Upgrade): Refusal | undefined {
    const { request } = upgrade;
    const asked = this.#read(request);
    if (isSubscribeFault(asked)) return asked;
    if (!isHandshake(request)) return badHandshake;
    return this.#options.sessions.open(request, asked.cursor !== undefined, (remoteAddress, holding) =>
      this.#accept(upgrade, asked, remoteAddress, holding),
    );
  }

  /** None when the client has gone. */
  #accept(
    { request, socket, head }: Upgrade,
    asked: SubscribeRequest,
    remoteAddress: string,
    holding: Holding,
  ): WebSocketSession | undefined {
    const { cursor, misspelt } = asked;
    if (misspelt !== undefined) {
      const requests = this.#host.counts.misspell(misspelt.meant);
      if (Number.isInteger(Math.log2(requests))) this.#options.onMisspelt?.(misspelt, requests);
    }
    const { nowUs, cursorAheadUsMax } = this.#options;
    const afterTimeUs =
      cursor === undefined ? undefined : positionOfCursor(cursor, nowUs() + cursorAheadUsMax);
    let session: WebSocketSession | undefined;
    acceptHandshake(request, socket, head, (ws) => {
      const from = { ws, socket, holding, host: this.#host };
      session = new WebSocketSession({ ...from, request: asked, remoteAddress, afterTimeUs });
    });
    return session;
  }

  #read(request: IncomingMessage): SubscribeRequest | SubscribeFault {
    const socketEncoding = request.headers['socket-encoding'] as string | undefined;
    const { zstdEncodings, nowUs } = this.#options;
    return parseSubscribeQuery(queryOf(request.url ?? ''), socketEncoding, zstdEncodings, nowUs);
  }
}

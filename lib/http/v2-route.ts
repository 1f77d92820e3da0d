// `GET /xrpc/network.bsky.jetstream.subscribeEvents`: the second wire's checks, in its order: parameters, whether it is a handshake, limits
// of subscribers. What is wrong is said in its form before the upgrade, so that a plain request is told the same. Sessions are
// kept by session-set.ts; what they do is lib/session's.

import type { IncomingMessage, ServerResponse } from 'node:http';
import { subscribeEventsNsid } from '../event/v2-event.ts';
import type { SubscriptionSource } from '../fanout/transport.ts';
import type { V2Encodings } from '../fanout/v2-encodings.ts';
import type { SessionTiming } from '../session/session-timer.ts';
import type { Turns } from '../session/turns.ts';
import { WebSocketSession, type WebSocketSessionHost } from '../session/websocket-session.ts';
import type { CoveredLog } from '../wire/coverage-page.ts';
import { startOfV2, v2UpdatedWire, v2Wire } from '../wire/v2-messages.ts';
import { isV2Fault, parseV2Query, type V2Fault, type V2Request } from '../wire/v2-query.ts';
import { acceptHandshake, asksForWebSocket, isHandshake, offers } from './handshake.ts';
import { badKey, needsUpgrade, type Refusal, xrpcRefusal } from './refusal.ts';
import { whenItsTurn } from './respond.ts';
import { allowGet, queryOf, type Route, type Upgrade } from './routes.ts';
import type { SessionSet } from './session-set.ts';
import type { WaitingRequests } from './waiting-requests.ts';

/** The one sub-protocol of this wire, which is spoken whether it is offered or not. */
const subprotocol = 'xrpc.v1.json';

/** What the route needs. */
export interface V2RouteOptions {
  readonly source: SubscriptionSource;
  readonly sessions: SessionSet;
  readonly turns: Turns;
  readonly waitingRequests: WaitingRequests;
  readonly v2Encodings: V2Encodings;
  /** Whose oldest event is the first that a cursor can ask for. */
  readonly log: CoveredLog;
  /** Now, in microseconds, on the clock that events are stamped with. */
  readonly nowUs: () => number;
  /** As of `PublicListenerOptions`. */
  readonly cursorAheadUsMax: number;
  readonly timing: SessionTiming;
}

/** See the file comment. */
export class V2Route implements Route {
  readonly path = `/xrpc/${subscribeEventsNsid}`;
  readonly allow = allowGet;
  readonly #options: V2RouteOptions;
  readonly #host: WebSocketSessionHost;

  constructor(options: V2RouteOptions) {
    const { source, sessions, turns, timing } = options;
    this.#options = options;
    this.#host = { source, timing, counts: sessions.counts, turns, gone: sessions.gone };
  }

  /** Answers a request that asks for no upgrade: it is refused, and with good parameters told to upgrade. */
  handle(request: IncomingMessage, response: ServerResponse): void {
    whenItsTurn(response, () => {
      const asked = this.#read(request);
      this.#options.sessions.refuse(response, xrpcRefusal(isV2Fault(asked) ? asked : needsUpgrade));
    });
  }

  /** Starts a session if the request is a good one and there is room. */
  upgrade(upgrade: Upgrade): void {
    const { sessions, waitingRequests } = this.#options;
    const open = (): void => {
      const refusal = this.#open(upgrade);
      if (refusal !== undefined) sessions.refuse(upgrade.refuse(), xrpcRefusal(refusal));
    };
    waitingRequests.take(upgrade.request, open, upgrade.head.length);
  }

  #open({ request, socket, head }: Upgrade): Refusal | undefined {
    const asked = this.#read(request);
    if (isV2Fault(asked)) return asked;
    if (!isHandshake(request)) return asksForWebSocket(request) ? badKey : needsUpgrade;
    const { sessions, nowUs, cursorAheadUsMax, log } = this.#options;
    return sessions.open(request, asked.cursor !== undefined, (remoteAddress, holding) => {
      const { afterTimeUs, notice } = startOfV2(asked.cursor, nowUs(), log.oldestUs, cursorAheadUsMax);
      const wire = asked.takesUpdates ? v2UpdatedWire : v2Wire;
      const isOffered = offers(request, subprotocol);
      let session: WebSocketSession | undefined;
      acceptHandshake(
        request,
        socket,
        head,
        (ws) => {
          const from = { ws, socket, holding, host: this.#host, request: asked, wire };
          session = new WebSocketSession({ ...from, remoteAddress, afterTimeUs, notice });
        },
        isOffered ? subprotocol : undefined,
      );
      return session;
    });
  }

  #read(request: IncomingMessage): V2Request | V2Fault {
    const socketEncoding = request.headers['socket-encoding'] as string | undefined;
    return parseV2Query(queryOf(request.url ?? ''), socketEncoding, this.#options.v2Encodings);
  }
}

// `GET /events` and `GET /events.ndjson`: subscriptions over plain HTTP. It answers bad requests and those that there is no
// room for; sessions for the rest are kept by session-set.ts, and what is in an answer is lib/wire's.

import type { IncomingMessage, ServerResponse } from 'node:http';
import type { SubscriptionSource } from '../fanout/transport.ts';
import { describeText, HttpSession, type HttpSessionHost } from '../session/http-session.ts';
import type { SessionTiming } from '../session/websocket-session.ts';
import {
  isTextFault,
  readEventStream,
  readPull,
  type TextFault,
  type TextRequest,
} from '../wire/text-query.ts';
import { respondError, whenItsTurn } from './respond.ts';
import { allowGetAndHead, queryOf, type Route } from './routes.ts';
import type { SessionSet } from './session-set.ts';

/** What the routes need. */
export interface TextRoutesOptions {
  readonly source: SubscriptionSource;
  readonly sessions: SessionSet;
  /** Now, in microseconds, on the clock that events are stamped with. */
  readonly nowUs: () => number;
  readonly timing: SessionTiming;
}

/** The two routes. */
export function textRoutes(options: TextRoutesOptions): Route[] {
  const { source, sessions, timing, nowUs } = options;
  const host: HttpSessionHost = {
    source,
    timing,
    counts: sessions.counts,
    gone: sessions.gone,
    fail: (response, reason) => respondError(response, 503, `Service Unavailable: ${reason}`),
  };
  const route = (path: string, read: (request: IncomingMessage) => TextRequest | TextFault): Route => ({
    path,
    allow: allowGetAndHead,
    handle(request, response) {
      whenItsTurn(response, () => answerText(request, response, read(request), host, options));
    },
  });
  return [
    route('/events', ({ url, headers }) => {
      const lastEventId = (headers['last-event-id'] as string | undefined) ?? '';
      return readEventStream(queryOf(url ?? ''), lastEventId, nowUs(), timing.pingIntervalMs);
    }),
    route('/events.ndjson', ({ url }) => readPull(queryOf(url ?? ''), nowUs)),
  ];
}

function answerText(
  request: IncomingMessage,
  response: ServerResponse,
  asked: TextRequest | TextFault,
  host: HttpSessionHost,
  { sessions }: TextRoutesOptions,
): void {
  if (isTextFault(asked)) {
    sessions.refuse(response, asked);
    return;
  }
  if (request.method === 'HEAD') {
    describeText(response, asked.body);
    response.writeHead(200).end();
    return;
  }
  const refusal = sessions.open(request, (remoteAddress) => {
    // A socket that is gone would never tell its session.
    if (request.socket.destroyed) return undefined;
    return new HttpSession({ host, request, response, asked, remoteAddress });
  });
  if (refusal !== undefined) sessions.refuse(response, refusal);
}

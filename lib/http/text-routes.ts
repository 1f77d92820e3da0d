// `GET /events` and `GET /events.ndjson`: subscriptions over plain HTTP. It answers bad requests and those that there is no
// room for, and keeps the set of sessions for the rest; what is in an answer is lib/wire's.

import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { SubscriptionSource } from '../fanout/transport.ts';
import { SessionRounds } from '../wire/session-rounds.ts';
import { type SessionTiming, shortestMsOf } from '../wire/subscribe-session.ts';
import {
  isTextFault,
  readEventStream,
  readPull,
  type TextFault,
  type TextFaultReason,
  type TextRequest,
} from '../wire/text-query.ts';
import { type Admission, type Refusal, stopping } from './admission.ts';
import { respondError, respondText } from './respond.ts';
import { allowGetAndHead, queryOf, type Route } from './routes.ts';
import {
  describeText,
  TextSession,
  type TextSessionEnd,
  type TextSessionHost,
  textSessionEnds,
} from './text-session.ts';

/** Why a request was refused. */
export type TextRefusalReason = TextFaultReason | Refusal['reason'];
/** Those that a request for a WebSocket cannot have (subscribe-route.ts has the others). */
const textRefusalReasons = ['bad_last_event_id', 'bad_until', 'bad_limit', 'needs_websocket'] as const;

/** What the routes need. */
export interface TextRoutesOptions {
  readonly source: SubscriptionSource;
  readonly admission: Admission;
  /** Now, in microseconds, on the clock that events are stamped with. */
  readonly nowUs: () => number;
  readonly timing: SessionTiming;
  /** Told of the sockets that are a subscriber's from now on, and of those that are no longer. */
  readonly onSubscriber: (socket: Socket, isSubscriber: boolean) => void;
}

/** See the file comment. */
export class TextRoutes {
  readonly routes: readonly Route[];
  readonly sessions = new Set<TextSession>();
  /** Sums since start, by reasons of closed lists. */
  opened = 0;
  readonly ended = new Map<TextSessionEnd, number>(textSessionEnds.map((reason) => [reason, 0]));
  readonly refusals = new Map<TextRefusalReason, number>(textRefusalReasons.map((reason) => [reason, 0]));
  readonly #options: TextRoutesOptions;
  readonly #host: TextSessionHost;
  readonly #rounds: SessionRounds<TextSession>;
  #stopping = false;
  #allGone: () => void = () => {};

  constructor(options: TextRoutesOptions) {
    const { source, timing, nowUs } = options;
    this.#options = options;
    this.#host = { source, timing, gone: (session, why) => this.#gone(session, why) };
    this.#rounds = new SessionRounds(this.sessions, shortestMsOf(timing));
    this.routes = [
      this.#route('/events', ({ url, headers }) =>
        readEventStream(
          queryOf(url ?? ''),
          (headers['last-event-id'] as string | undefined) ?? '',
          nowUs(),
          timing.pingIntervalMs,
        ),
      ),
      this.#route('/events.ndjson', ({ url }) => readPull(queryOf(url ?? ''), nowUs)),
    ];
  }

  /** Ends every session and takes no more; resolves when all are gone. */
  stop(): Promise<void> {
    this.#stopping = true;
    for (const session of this.sessions) session.stop();
    return new Promise((resolve) => {
      this.#allGone = resolve;
      if (this.sessions.size === 0) resolve();
    });
  }

  #route(path: string, read: (request: IncomingMessage) => TextRequest | TextFault): Route {
    return {
      path,
      allow: allowGetAndHead,
      handle: (request, response) => {
        const answer = (): void => this.#answer(request, response, read(request));
        // Behind another answer on its connection it would do nothing but fill memory: it begins when its turn has come
        // and the other has gone.
        if (response.socket === null) response.once('socket', () => setImmediate(answer));
        else answer();
      },
    };
  }

  #answer(request: IncomingMessage, response: ServerResponse, asked: TextRequest | TextFault): void {
    if (isTextFault(asked)) {
      count(this.refusals, asked.reason);
      respondText(response, asked.status, asked.body);
      return;
    }
    if (request.method === 'HEAD') {
      describeText(response, asked.body);
      response.writeHead(200).end();
      return;
    }
    // A socket that is gone would never tell its session.
    if (request.socket.destroyed) return;
    const remoteAddress = this.#stopping ? stopping : this.#options.admission.enter(request);
    if (typeof remoteAddress !== 'string') {
      count(this.refusals, remoteAddress.reason);
      response.setHeader('Retry-After', String(remoteAddress.retryAfterSeconds));
      respondError(response, remoteAddress.status, remoteAddress.message);
      return;
    }
    this.opened++;
    this.#options.onSubscriber(request.socket, true);
    this.sessions.add(new TextSession({ host: this.#host, request, response, asked, remoteAddress }));
    this.#rounds.start();
  }

  #gone(session: TextSession, why: TextSessionEnd): void {
    count(this.ended, why);
    this.sessions.delete(session);
    this.#options.admission.leave(session.remoteAddress);
    this.#options.onSubscriber(session.socket, false);
    if (this.sessions.size === 0) this.#allGone();
  }
}

function count<T>(counts: Map<T, number>, key: T): void {
  counts.set(key, (counts.get(key) ?? 0) + 1);
}

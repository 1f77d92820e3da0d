// `/events` and `/events.ndjson`: subscriptions over plain HTTP, with a filter in the query (GET) or as the body (POST). It
// answers bad requests and those that there is no room for; sessions for the rest are kept by session-set.ts, and what is
// in an answer is lib/wire's.

import { type IncomingMessage, type ServerResponse, STATUS_CODES } from 'node:http';
import type { SubscriptionSource } from '../fanout/transport.ts';
import { describeText, HttpSession, type HttpSessionHost } from '../session/http-session.ts';
import type { SessionTiming } from '../session/session-timer.ts';
import { filterParameterIn } from '../wire/subscribe-query.ts';
import {
  isTextFault,
  readEventStream,
  readPull,
  type TextFault,
  type TextRequest,
} from '../wire/text-query.ts';
import type { PostedFilters } from './posted-filters.ts';
import type { Refusal } from './refusal.ts';
import { respondError, whenItsTurn } from './respond.ts';
import { queryOf, type Route } from './routes.ts';
import type { SessionSet } from './session-set.ts';
import type { WaitingRequests } from './waiting-requests.ts';

/** What the routes need. */
export interface TextRoutesOptions {
  readonly source: SubscriptionSource;
  readonly sessions: SessionSet;
  readonly postedFilters: PostedFilters;
  readonly waitingRequests: WaitingRequests;
  /** Now, in microseconds, on the clock that events are stamped with. */
  readonly nowUs: () => number;
  /** As of `PublicListenerOptions`. */
  readonly cursorAheadUsMax: number;
  readonly timing: SessionTiming;
}

/** Reads what a request asks for, but for a body. */
type Read = (request: IncomingMessage) => TextRequest | TextFault;

/** The two routes. */
export function textRoutes(options: TextRoutesOptions): Route[] {
  const { timing, nowUs, cursorAheadUsMax } = options;
  return [
    new TextRoute('/events', options, ({ url, headers }) => {
      const lastEventId = (headers['last-event-id'] as string | undefined) ?? '';
      const query = queryOf(url ?? '');
      return readEventStream(query, lastEventId, nowUs(), timing.pingIntervalMs, cursorAheadUsMax);
    }),
    new TextRoute('/events.ndjson', options, ({ url }) =>
      readPull(queryOf(url ?? ''), nowUs, cursorAheadUsMax),
    ),
  ];
}

class TextRoute implements Route {
  readonly path: string;
  readonly allow = 'OPTIONS, GET, HEAD, POST';
  readonly #options: TextRoutesOptions;
  readonly #host: HttpSessionHost;
  readonly #read: Read;

  constructor(path: string, options: TextRoutesOptions, read: Read) {
    const { source, sessions, timing } = options;
    this.path = path;
    this.#options = options;
    this.#host = {
      source,
      timing,
      counts: sessions.counts,
      gone: sessions.gone,
      fail: (response, { status, text }) =>
        respondError(response, status, `${STATUS_CODES[status]}: ${text}`),
    };
    this.#read = read;
  }

  handle(request: IncomingMessage, response: ServerResponse): void {
    whenItsTurn(response, () => {
      if (request.method === 'POST') void this.#post(request, response);
      else {
        const { waitingRequests } = this.#options;
        waitingRequests.take(request, () => this.#refuse(response, this.#get(request, response)));
      }
    });
  }

  #get(request: IncomingMessage, response: ServerResponse): Refusal | undefined {
    const asked = this.#read(request);
    if (isTextFault(asked)) return asked;
    if (request.method !== 'HEAD') return this.#open(request, response, asked);
    describeText(response, asked.body);
    response.writeHead(200).end();
    return undefined;
  }

  async #post(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const asked = this.#read(request);
    if (isTextFault(asked)) {
      this.#refuse(response, asked);
      return;
    }
    const twice = filterTwice(request);
    if (twice !== undefined) {
      this.#refuse(response, twice);
      return;
    }
    const { postedFilters } = this.#options;
    const refusal = await postedFilters.read(request, response, (filter) => {
      this.#refuse(response, this.#open(request, response, { ...asked, filter }));
    });
    this.#refuse(response, refusal);
  }

  #open(request: IncomingMessage, response: ServerResponse, asked: TextRequest): Refusal | undefined {
    const host = this.#host;
    return this.#options.sessions.open(request, asked.afterTimeUs !== undefined, (remoteAddress, holding) => {
      // A socket that is gone would never tell its session, nor one whose client has shut its half, which is what those do that go.
      if (request.socket.readableEnded) request.socket.destroy();
      if (!request.socket.writable) return undefined;
      return new HttpSession({ host, request, response, asked, holding, remoteAddress });
    });
  }

  #refuse(response: ServerResponse, refusal: Refusal | undefined): void {
    if (refusal !== undefined) this.#options.sessions.refuse(response, refusal);
  }
}

/** A body is a whole filter: parts of another in the query would be meant, and left out. */
function filterTwice({ url }: IncomingMessage): Refusal | undefined {
  const name = filterParameterIn(queryOf(url ?? ''));
  if (name === undefined) return undefined;
  const message = `Bad Request: ${name} is in the query: a POST has its whole filter in the body`;
  return { reason: 'filter_twice', status: 400, message };
}

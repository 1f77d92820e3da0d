// `POST /filters` stores a filter that is too long for a URL, and `GET /filters/<id>` says whether one is still there, and
// how much it has of what; never what. How filters are read and kept is lib/wire's.

import type { IncomingMessage, ServerResponse } from 'node:http';
import type { FilterDescription } from '../wire/filter-store.ts';
import { filterBodyBytesMax } from '../wire/stored-filter.ts';
import type { FilterDesk } from './filter-desk.ts';
import { respondError, respondJson, whenItsTurn } from './respond.ts';
import { allowGetAndHead, pathOf, type Route } from './routes.ts';

/** What became of filters that were posted. */
export const filterPostOutcomes = [
  'stored',
  /** It was there already. */
  'known',
  'bad_filter',
  'too_large',
  /** The client has gone, or took too long. */
  'unfinished',
  /** Too much is under way, or in use. */
  'no_room',
  'no_room_for_address',
] as const;
export type FilterPostOutcome = (typeof filterPostOutcomes)[number];

/** Answers other than success and a fault of the filter, which have words of their own. */
const refusals = {
  too_large: [
    413,
    `Content Too Large: a filter has at most ${filterBodyBytesMax.toLocaleString('en')} bytes`,
  ],
  no_room: [503, 'Service Unavailable: no room for this filter'],
  no_room_for_address: [
    429,
    'Too Many Requests: your address has as many stored filters in use as one address may have',
  ],
} as const;
const retryAfterSeconds = 30;
const storePath = '/filters';

/** See the file comment. */
export class FilterRoutes {
  /** Sums since start. */
  readonly posts = new Map<FilterPostOutcome, number>(filterPostOutcomes.map((outcome) => [outcome, 0]));
  readonly routes: readonly Route[] = [
    {
      path: storePath,
      allow: 'OPTIONS, POST',
      handle: (request, response) => whenItsTurn(response, () => void this.#post(request, response)),
    },
    {
      path: '/filters/',
      allow: allowGetAndHead,
      handle: (request, response, id) => whenItsTurn(response, () => void this.#get(request, response, id)),
    },
  ];
  readonly #desk: FilterDesk;

  constructor(desk: FilterDesk) {
    this.#desk = desk;
  }

  /** Whether a request has a body that is of interest. */
  takesBody({ method, url }: IncomingMessage): boolean {
    return method === 'POST' && pathOf(url ?? '') === storePath;
  }

  async #post(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const result = await this.#desk.store(request, response);
    if (typeof result === 'string') {
      this.#refuse(response, result);
    } else if ('problem' in result) {
      this.#count('bad_filter');
      respondError(response, 400, `Bad Request: ${result.problem}`);
    } else if ('description' in result) {
      this.#count(result.outcome);
      response.setHeader('Location', `/filters/${result.description.id}`);
      respondJson(response, result.outcome === 'stored' ? 201 : 200, told(result.description));
    } else {
      this.#refuse(response, result.outcome);
    }
  }

  async #get(request: IncomingMessage, response: ServerResponse, id: string): Promise<void> {
    const description = await this.#desk.look(request, id);
    response.setHeader('Cache-Control', 'no-store');
    if (description === undefined) respondError(response, 404, 'Not Found');
    else respondJson(response, 200, told(description));
  }

  #refuse(response: ServerResponse, outcome: keyof typeof refusals | 'unfinished'): void {
    this.#count(outcome);
    // Nobody is there to be told.
    if (outcome === 'unfinished') return;
    const [status, message] = refusals[outcome];
    if (status !== 413) response.setHeader('Retry-After', String(retryAfterSeconds));
    respondError(response, status, message);
  }

  #count(outcome: FilterPostOutcome): void {
    this.posts.set(outcome, (this.posts.get(outcome) as number) + 1);
  }
}

function told({ id, expiresMs, counts }: FilterDescription): object {
  return { id, expires: new Date(expiresMs).toISOString(), ...counts };
}

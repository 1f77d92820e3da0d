// `GET /proof`: the proof of one event's record as a CAR, or why there is none. What is asked and said is lib/wire/proof-query.ts's, the
// proof and whose turn it is lib/proofs'.

import type { ServerResponse } from 'node:http';
import { type ProofLack, type ProofRequest, proofLacks } from '../proofs/proof-desk.ts';
import { isProofFault, lackWords, readProofQuery } from '../wire/proof-query.ts';
import type { ClientAddresses } from './client-address.ts';
import { respond, respondJson, whenItsTurn } from './respond.ts';
import { allowGetAndHead, queryOf, type Route } from './routes.ts';
import type { SessionSet } from './session-set.ts';

/** Where proofs come from. */
export interface ProofSource {
  /** A CAR, or why there is none. Never rejects. @param address whose request it is. */
  find(request: ProofRequest, address: string): Promise<Uint8Array | ProofLack>;
}

/** What becomes of requests that make sense. */
export const proofAnswers = ['found', 'off', ...proofLacks] as const;
type ProofAnswer = (typeof proofAnswers)[number];
/** How often, since start. */
export type ProofAnswerCounts = Record<ProofAnswer, number>;

const contentType = 'application/vnd.ipld.car';
/** What is proven of an event stays so; it is no later than what is kept. */
const foundCacheControl = 'public, max-age=3600, immutable';
const retryAfterSeconds = 1;
const statuses: Partial<Record<ProofAnswer, number>> = {
  too_many_events: 400,
  log_unreadable: 503,
  busy: 503,
};

export function noProofAnswers(): ProofAnswerCounts {
  return Object.fromEntries(proofAnswers.map((answer) => [answer, 0])) as ProofAnswerCounts;
}

/** @param source undefined: none are kept. @param sessions counts what is refused. @param counts are added to. */
export function proofRoute(
  source: ProofSource | undefined,
  sessions: SessionSet,
  addresses: ClientAddresses,
  counts: ProofAnswerCounts,
): Route {
  const answer = async (response: ServerResponse, request: ProofRequest, address: string): Promise<void> => {
    const found = source === undefined ? 'off' : await source.find(request, address);
    counts[typeof found === 'string' ? found : 'found']++;
    if (typeof found === 'string') tell(response, found);
    else {
      response.setHeader('Cache-Control', foundCacheControl);
      respond(response, 200, contentType, found);
    }
  };
  return {
    path: '/proof',
    allow: allowGetAndHead,
    handle(request, response) {
      whenItsTurn(response, () => {
        const asked = readProofQuery(queryOf(request.url ?? ''));
        response.setHeader('X-Content-Type-Options', 'nosniff');
        if (!isProofFault(asked)) void answer(response, asked, addresses.of(request));
        else {
          response.setHeader('Cache-Control', 'no-store');
          sessions.refuse(response, asked);
        }
      });
    },
  };
}

function tell(response: ServerResponse, reason: ProofLack | 'off'): void {
  const status = statuses[reason] ?? 404;
  response.setHeader('Cache-Control', 'no-store');
  if (status === 503) response.setHeader('Retry-After', String(retryAfterSeconds));
  respondJson(response, status, { reason, message: lackWords[reason] });
}

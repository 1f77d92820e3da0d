// Why a request to subscribe is refused: a closed list, for counting, and the forms of the answer. What is refused is for
// lib/wire, admission.ts and session-set.ts to say; used by the routes that subscribers come through.

import type { ServerResponse } from 'node:http';
import { respond, respondError, respondText } from './respond.ts';

/** Those of requests over plain HTTP are among them. */
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
  'bad_last_event_id',
  'bad_until',
  'bad_limit',
  'misspelt_name',
  'needs_websocket',
  /** Of a body: no filter, or one beside another in the query. */
  'bad_filter',
  'filter_twice',
  'filter_too_large',
  'no_room_for_filter',
  'bad_handshake',
  /** As many subscribers as allowed, in all or of one address. */
  'too_many_subscribers',
  'too_many_of_address',
  'memory_short',
  'stopping',
] as const;
export type RefusalReason = (typeof refusalReasons)[number];

/** Something is wrong with the parameters: plain text, as the v1 wire has it. */
export interface BadRequest {
  readonly reason: RefusalReason;
  readonly status: 400;
  /** Without a newline at its end. */
  readonly body: string;
}

/** Something is wrong with a body, or there is no room for a subscriber now: an error in JSON. */
export interface Failure {
  readonly reason: RefusalReason;
  readonly status: 400 | 413 | 429 | 503;
  readonly retryAfterSeconds?: number;
  readonly message: string;
}

export type Refusal = BadRequest | Failure;

/** Good parameters, and no WebSocket handshake. */
export const badHandshake: BadRequest = { reason: 'bad_handshake', status: 400, body: 'Bad Request\n' };

/** The same for a person who has opened the address in a browser; programs get what v1 answers. */
export const noPage: BadRequest = {
  reason: 'bad_handshake',
  status: 400,
  body: `This address is for WebSocket clients. Without one: /events (server-sent events) and /events.ndjson (for curl).
The page at / makes the address, the command or the code for what you want.
`,
};

/** Answers a request that is refused. */
export function answerRefusal(response: ServerResponse, refusal: Refusal): void {
  if (refusal === badHandshake) {
    response.setHeader('Sec-Websocket-Version', '13');
    response.setHeader('X-Content-Type-Options', 'nosniff');
    respond(response, refusal.status, 'text/plain; charset=utf-8', badHandshake.body);
  } else if ('body' in refusal) {
    respondText(response, refusal.status, refusal.body);
  } else {
    const { status, retryAfterSeconds, message } = refusal;
    if (retryAfterSeconds !== undefined) response.setHeader('Retry-After', String(retryAfterSeconds));
    respondError(response, status, message);
  }
}

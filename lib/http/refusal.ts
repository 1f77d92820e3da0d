// Why a request to subscribe is refused: a closed list, for counting, and the forms of the answer. What is refused is for
// lib/wire, admission.ts and session-set.ts to say; used by the routes that subscribers come through.

import type { ServerResponse } from 'node:http';
import { respond, respondError, respondText, respondXrpcError } from './respond.ts';

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
  'bad_verified',
  'bad_dictionary',
  'bad_last_event_id',
  'bad_until',
  'bad_limit',
  'bad_proof_request',
  'misspelt_name',
  'needs_websocket',
  /** Of a body: no filter, or one beside another in the query. */
  'bad_filter',
  'filter_twice',
  'filter_too_large',
  'no_room_for_filter',
  'bad_handshake',
  /** Of the second wire: a query that cannot be read, a parameter of the first one, a limit of sizes. */
  'bad_query',
  'v1_parameter',
  'bad_message_size',
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

/** Whatever is wrong, as the second wire has it: an XRPC error. */
export interface XrpcRefusal {
  readonly reason: RefusalReason;
  readonly status: 400 | 404 | 426 | 503;
  readonly retryAfterSeconds?: number | undefined;
  /** The name that clients look at. */
  readonly error: string;
  readonly message: string;
}

export type Refusal = BadRequest | Failure | XrpcRefusal;

/** Good parameters, and no WebSocket handshake. The first line is v1's. */
export const badHandshake: BadRequest = {
  reason: 'bad_handshake',
  status: 400,
  body: `Bad Request
This address is for WebSocket clients, such as websocat. The same events without one, with the same parameters:
/events (server-sent events) and /events.ndjson (a line each, for curl). The page at / makes commands and code.
`,
};

/** The same on the second wire. */
export const needsUpgrade: XrpcRefusal = {
  reason: 'bad_handshake',
  status: 426,
  error: 'UpgradeRequired',
  message: 'the parameters are good: connect with a WebSocket',
};

/** A handshake on the second wire that can be answered with no `Sec-WebSocket-Accept`. */
export const badKey: XrpcRefusal = {
  reason: 'bad_handshake',
  status: 400,
  error: 'InvalidRequest',
  message: 'Sec-WebSocket-Key must be 16 bytes as base64',
};

/** When to come back, where nothing else says so. */
const retryAfterSeconds = 5;

/**
 * A refusal in the form of the second wire. Clients of it stop for ever at any status from 400 to 499: what may be tried again is
 * a 503, so that too many connections of an address are no 429.
 */
export function xrpcRefusal(refusal: Refusal): XrpcRefusal {
  if ('error' in refusal) return refusal;
  const { reason } = refusal;
  const message = 'body' in refusal ? refusal.body : refusal.message;
  if (refusal.status === 400) return { reason, status: 400, error: 'InvalidRequest', message };
  const seconds = 'body' in refusal ? undefined : refusal.retryAfterSeconds;
  return {
    reason,
    status: 503,
    error: 'ServiceUnavailable',
    message,
    retryAfterSeconds: seconds ?? retryAfterSeconds,
  };
}

/** Answers a request that is refused. */
export function answerRefusal(response: ServerResponse, refusal: Refusal): void {
  if (refusal === badHandshake) {
    response.setHeader('Sec-Websocket-Version', '13');
    response.setHeader('X-Content-Type-Options', 'nosniff');
    respond(response, refusal.status, 'text/plain; charset=utf-8', badHandshake.body);
  } else if ('error' in refusal) {
    if (refusal.retryAfterSeconds !== undefined) {
      response.setHeader('Retry-After', String(refusal.retryAfterSeconds));
    }
    if (refusal.status === 426) {
      response.setHeader('Upgrade', 'websocket');
      response.setHeader('Sec-WebSocket-Version', '13');
    }
    respondXrpcError(response, refusal.status, refusal.error, refusal.message);
  } else if ('body' in refusal) {
    respondText(response, refusal.status, refusal.body);
  } else {
    const { status, retryAfterSeconds, message } = refusal;
    if (retryAfterSeconds !== undefined) response.setHeader('Retry-After', String(retryAfterSeconds));
    respondError(response, status, message);
  }
}

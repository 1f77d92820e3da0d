// What `GET /events` and `GET /events.ndjson` ask for: the parameters of `GET /subscribe` as far as they make sense over
// plain HTTP, and a few of their own, to a request or an error message. Pure.

import { parseCursor, positionOfCursor } from '../event/cursor.ts';
import type { Filter } from '../event/filter.ts';
import { momentHint, parseMomentCursor } from '../event/moment.ts';
import { encodings } from '../fanout/encodings.ts';
import { NdjsonBody } from './ndjson-body.ts';
import { eachQueryPair } from './query-pairs.ts';
import { SseBody } from './sse-body.ts';
import {
  isSubscribeFault,
  parseSubscribeQuery,
  type SubscribeFault,
  type SubscribeRequest,
  storedOnly,
} from './subscribe-query.ts';
import type { TextBody } from './text-encodings.ts';
import { namedFault, textKindWords } from './wanted-filter.ts';

const withEnd = 'this stream has none, /events.ndjson has';
/** Events of a pull without a limit of its own. */
const limitUsual = 10_000;
/** Most that a pull can ask for. */
const limitMax = 1_000_000;

/** A valid request. */
export interface TextRequest {
  readonly filter: Filter;
  /** Where delivery starts, as of `SubscriptionSource.subscribe`. */
  readonly afterTimeUs: number | undefined;
  readonly body: TextBody;
}

/** Why there is no request: a closed list, for counting. */
export type TextFaultReason =
  | SubscribeFault['reason']
  | 'bad_last_event_id'
  | 'bad_until'
  | 'bad_limit'
  | 'misspelt_name'
  /** Compression, or a hello. */
  | 'needs_websocket';

/** The answer to a bad request, as `SubscribeFault`. */
export interface TextFault extends Omit<SubscribeFault, 'reason'> {
  readonly reason: TextFaultReason;
}

/**
 * Reads a request for server-sent events; `rawQuery` as in `parseSubscribeQuery`.
 * @param lastEventId the value of the header, which says more than a cursor: the position of an event that has been seen.
 */
export function readEventStream(
  rawQuery: string,
  lastEventId: string,
  nowUs: number,
  pingIntervalMs: number,
): TextRequest | TextFault {
  const asked = readShared(rawQuery, () => nowUs);
  if (isTextFault(asked)) return asked;
  const { until, limit } = readBounds(rawQuery);
  // It would never come to an end that was asked for.
  if (limit !== '') return fault('bad_limit', `limit needs an end: ${withEnd}`);
  if (until !== '') return fault('bad_until', `until needs an end: ${withEnd}`);
  const { filter, cursor, progress } = asked;
  const body = new SseBody(progress, pingIntervalMs);
  if (lastEventId === '') {
    const afterTimeUs = cursor === undefined ? undefined : positionOfCursor(cursor, nowUs);
    return { filter, afterTimeUs, body };
  }
  const id = parseCursor(lastEventId);
  if (id === undefined) return fault('bad_last_event_id', `invalid Last-Event-ID: ${lastEventId}`);
  return { filter, afterTimeUs: id > nowUs ? undefined : Math.max(0, id), body };
}

/** Reads a request for lines; `rawQuery` as in `parseSubscribeQuery`. */
export function readPull(rawQuery: string, nowUs: () => number): TextRequest | TextFault {
  const asked = readShared(rawQuery, nowUs);
  if (isTextFault(asked)) return asked;
  const { filter, cursor, progress } = asked;
  const { until, limit } = readBounds(rawQuery);
  const untilCursor = parseMomentCursor(until || String(Number.MAX_SAFE_INTEGER), nowUs);
  if (untilCursor === undefined) return fault('bad_until', `invalid until: ${until}: ${momentHint}`);
  const limitEvents = limit === '' ? limitUsual : /^[0-9]{1,7}$/.test(limit) ? Number(limit) : 0;
  if (limitEvents < 1 || limitEvents > limitMax) {
    return fault('bad_limit', `invalid limit: ${limit}: give a number from 1 to ${limitMax}`);
  }
  const startUs = nowUs();
  // Without a cursor it is from the oldest event on: from now on there would be nothing.
  const afterTimeUs = positionOfCursor(cursor ?? 0, startUs);
  const throughUs = Math.max(afterTimeUs ?? 0, positionOfCursor(untilCursor, startUs) ?? startUs);
  const body = new NdjsonBody({ limit: limitEvents, throughUs, wantsProgress: progress, nowUs });
  return { filter, afterTimeUs, body };
}

/** Whether there is a fault. */
export function isTextFault<T extends object>(result: T | TextFault): result is TextFault {
  return 'status' in result;
}

function fault(reason: TextFaultReason, body: string): TextFault {
  return { reason, status: 400, body };
}

function readShared(rawQuery: string, nowUs: () => number): SubscribeRequest | TextFault {
  const asked = parseSubscribeQuery(rawQuery, undefined, storedOnly, nowUs, textKindWords);
  // Of `/subscribe` the text is v1's, which says no more.
  if (isSubscribeFault(asked) && asked.reason === 'bad_cursor')
    return fault(asked.reason, `${asked.body}: ${momentHint}`);
  if (isSubscribeFault(asked)) return fault(asked.reason, namedFault({ text: asked.body, did: asked.did }));
  if (asked.misspelt !== undefined) {
    const { name, meant } = asked.misspelt;
    return fault('misspelt_name', `unknown parameter: ${name}: did you mean ${meant}?`);
  }
  if (asked.encoding !== encodings.json || asked.requireHello) {
    const name = asked.requireHello ? 'requireHello' : 'compress';
    return fault('needs_websocket', `${name} needs a WebSocket: leave it out, or connect to /subscribe`);
  }
  return asked;
}

/** The first value of each; empty without. */
function readBounds(rawQuery: string): { until: string; limit: string } {
  const first = new Map<string, string>();
  eachQueryPair(rawQuery, (name, value) => {
    if ((name === 'until' || name === 'limit') && !first.has(name)) first.set(name, value);
  });
  return { until: first.get('until') ?? '', limit: first.get('limit') ?? '' };
}

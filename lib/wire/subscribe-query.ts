// What a `GET /subscribe` asks for: query string and encoding header to a request, or to the v1 wire's answer to a bad
// one. Pure. Whether the request is a WebSocket handshake, and what a cursor means now, is decided by lib/http.

import { parseCursor } from '../event/cursor.ts';
import type { Filter } from '../event/filter.ts';
import { type Encoding, encodings } from '../fanout/encodings.ts';
import { messageSizeLimit } from './message-size-limit.ts';
import { eachQueryPair } from './query-pairs.ts';
import { isFilterId, type StoredFilterId } from './stored-filter.ts';
import {
  type EachWanted,
  eachWanted,
  type FilterFaultReason,
  filterOf,
  isFilterFault,
  type WantedName,
  wantedNames,
} from './wanted-filter.ts';

/** A valid request for a subscription. */
export interface SubscribeRequest {
  readonly filter: Filter | StoredFilterId;
  /** As given (lib/event/cursor.ts); undefined when absent or empty. */
  readonly cursor: number | undefined;
  readonly encoding: Encoding;
  /** Nothing is delivered before the first valid options update, which replaces `filter`. */
  readonly requireHello: boolean;
  /** The client wants to be told how far it has come. */
  readonly progress: boolean;
}

/** The answer to a bad request: `text/plain`, `body` without a newline at its end. */
export interface SubscribeFault {
  readonly reason:
    | FilterFaultReason
    | 'bad_cursor'
    | 'bad_dictionary'
    /** A stored filter, and another or parts of one beside it. */
    | 'filter_not_alone'
    | 'unknown_filter';
  readonly status: 400 | 404;
  readonly body: string;
}

/** The answer when there is no stored filter with that id. */
export function unknownFilter(id: string): SubscribeFault {
  const body = `unknown filter: ${id}: it may have expired: POST it again to /filters`;
  return { reason: 'unknown_filter', status: 404, body };
}

/**
 * Reads a request. `rawQuery` is what follows the `?`, one character per byte; `socketEncoding` is the value of the
 * `Socket-Encoding` header, `zstdEncodings` what compressed connections can have, by the id of the dictionary. Takes time
 * linear in the query: 10,000 DIDs (440 KB) take about 5 ms.
 */
export function parseSubscribeQuery(
  rawQuery: string,
  socketEncoding: string | undefined,
  zstdEncodings: ReadonlyMap<number, Encoding> = new Map(),
): SubscribeRequest | SubscribeFault {
  const wanted = eachWanted((): string[] => []);
  const first = new Map<string, string>();
  eachQueryPair(rawQuery, (name, value) => {
    if (Object.hasOwn(wanted, name)) wanted[name as WantedName].push(value);
    else if (singleValued.has(name) && !first.has(name)) first.set(name, value);
  });
  const cursorText = first.get('cursor') ?? '';
  const cursor = parseCursor(cursorText);
  if (cursor === undefined && cursorText !== '') {
    return { reason: 'bad_cursor', status: 400, body: `invalid cursor: ${cursorText}` };
  }
  const filter = readFilter(wanted, first);
  if ('status' in filter) return filter;
  const compressed = first.get('compress') === 'true' || socketEncoding?.includes('zstd') === true;
  const idText = compressed ? (first.get('zstdDictionary') ?? '') : '';
  const encoding =
    idText === ''
      ? encodings[compressed ? 'zstd' : 'json']
      : zstdEncodings.get(idPattern.test(idText) ? Number(idText) : 0);
  if (encoding === undefined) {
    const ids = [...zstdEncodings.keys()].join(', ');
    return {
      reason: 'bad_dictionary',
      status: 400,
      body: `unknown zstd dictionary: ${idText}: give one of ${ids}`,
    };
  }
  return {
    filter,
    cursor,
    encoding,
    requireHello: first.get('requireHello') === 'true',
    progress: first.get('progress') === 'true',
  };
}

function readFilter(
  wanted: EachWanted<readonly string[]>,
  first: ReadonlyMap<string, string>,
): Filter | StoredFilterId | SubscribeFault {
  const id = first.get('filter');
  const limit = first.get('maxMessageSizeBytes');
  if (id === undefined) {
    const filter = filterOf({ ...wanted, maxMessageSizeBytes: messageSizeLimit(limit ?? '') });
    return isFilterFault(filter) ? { reason: filter.reason, status: 400, body: filter.text } : filter;
  }
  const other = wantedNames.find((name) => wanted[name].length > 0);
  if (other !== undefined || limit !== undefined) {
    const name = other ?? 'maxMessageSizeBytes';
    const body = `filter cannot be combined with ${name}: POST a filter that has both`;
    return { reason: 'filter_not_alone', status: 400, body };
  }
  return isFilterId(id) ? { id } : unknownFilter(id);
}

/** Spelling of a dictionary's id; 0 is none. */
const idPattern = /^[1-9][0-9]{0,9}$/;

const singleValued = new Set([
  'cursor',
  'filter',
  'maxMessageSizeBytes',
  'compress',
  'zstdDictionary',
  'requireHello',
  'progress',
]);

/** Whether `parseSubscribeQuery` found a fault. */
export function isSubscribeFault(result: SubscribeRequest | SubscribeFault): result is SubscribeFault {
  return 'status' in result;
}

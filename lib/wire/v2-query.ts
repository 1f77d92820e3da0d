// What a `GET /xrpc/network.bsky.jetstream.subscribeEvents` asks for: query string and encoding header to a request, or to the
// error that this wire has for a bad one. Pure. Whether it is a WebSocket handshake is decided by lib/http.

import { isInt64, parseCursor } from '../event/cursor.ts';
import type { Filter } from '../event/filter.ts';
import type { Encoding } from '../fanout/encodings.ts';
import type { V2Encodings } from '../fanout/v2-encodings.ts';
import { eachQueryPair } from './query-pairs.ts';
import {
  isV2FilterFault,
  tooMany,
  type V2FilterFault,
  type V2ListName,
  v2FilterOf,
  v2ListNames,
  v2QueryValuesMax,
} from './v2-filter.ts';
import { type FilterFaultReason, readVerified, verifiedName } from './wanted-filter.ts';

/** A valid request. */
export interface V2Request {
  readonly filter: Filter;
  /** As given; undefined when absent or empty. */
  readonly cursor: number | undefined;
  readonly encoding: Encoding;
  /** The client may send filters. */
  readonly takesUpdates: boolean;
  /** Nothing is delivered before the first of them, which replaces `filter`. */
  readonly requireHello: boolean;
  /** The client wants to be told how far it has come, and of gaps. */
  readonly progress: boolean;
}

/** The names of errors that this wire answers a request with. */
export type V2ErrorName = 'InvalidRequest' | 'UnknownZstdDictionary';

/** Why there is no request: a closed list, for counting. */
export type V2FaultReason =
  | FilterFaultReason
  | 'bad_query'
  | 'v1_parameter'
  | 'bad_cursor'
  | 'bad_message_size'
  | 'bad_verified'
  | 'bad_filter'
  | 'bad_dictionary';

/** The answer to a bad request: an XRPC error. */
export interface V2Fault {
  readonly reason: V2FaultReason;
  readonly status: 400;
  readonly error: V2ErrorName;
  readonly message: string;
}

/** Parameters of v1 that would change the stream if they were not left out, and what to say of them. */
const tombstones: Readonly<Record<string, string>> = {
  wantedDids: 'wantedDids is a parameter of /subscribe: use dids',
  wantedCollections: 'wantedCollections is a parameter of /subscribe: use collections',
  requireHello:
    'requireHello is a parameter of /subscribe: this stream takes no messages, its filter is in the query',
};
const compressAdvice =
  'compress=true and Socket-Encoding: zstd are for /subscribe: use zstdDictionary=ID with the dictionary of network.bsky.jetstream.getZstdDictionary';

const uint32End = 2 ** 32;
const digits = /^[0-9]+$/;
/** A semicolon, or a percent sign without two hexadecimal digits: parameters that would be dropped without a word. */
const malformed = /;|%(?![0-9A-Fa-f]{2})/;

/**
 * Reads a request. `rawQuery` is what follows the `?`, one character per byte; `socketEncoding` is the value of the
 * `Socket-Encoding` header. Takes time linear in the query. Keeps no more than the limits, however many values come.
 */
export function parseV2Query(
  rawQuery: string,
  socketEncoding: string | undefined,
  encodings: V2Encodings,
): V2Request | V2Fault {
  if (malformed.test(rawQuery)) {
    return invalid('bad_query', 'the query is malformed: ";" and "%" have to be escaped');
  }
  const lists = eachList((): string[] => []);
  const counts: Record<V2ListName, number> = eachList(() => 0);
  const single = new Map<string, string[]>();
  let tombstone: string | undefined;
  eachQueryPair(rawQuery, (name, value) => {
    if (Object.hasOwn(lists, name)) {
      const list = name as V2ListName;
      if (counts[list]++ < v2QueryValuesMax[list]) lists[list].push(value);
    } else if (singleNames.has(name)) {
      const values = single.get(name);
      if (values === undefined) single.set(name, [value]);
      else if (values.length < 2) values.push(value);
    } else if (Object.hasOwn(tombstones, name)) {
      tombstone ??= tombstones[name];
    }
  });
  if (single.get('compress')?.[0] === 'true' || socketEncoding?.includes('zstd') === true) {
    return invalid('v1_parameter', compressAdvice);
  }
  if (tombstone !== undefined) return invalid('v1_parameter', tombstone);
  const encoding = encodingOf(single.get('zstdDictionary'), encodings);
  if ('status' in encoding) return encoding;
  const size = messageSizeOf(single.get('maxMessageSizeBytes'));
  if (size === undefined) {
    return invalid('bad_message_size', 'maxMessageSizeBytes must be one integer from 0 to 4294967295');
  }
  const verified = single.get(verifiedName)?.[0] ?? '';
  const isVerified = readVerified(verified);
  if (isVerified === undefined) {
    return invalid('bad_verified', `invalid ${verifiedName}: ${verified}: give true or false`);
  }
  let fault: V2FilterFault | undefined;
  for (const name of v2ListNames) fault ??= tooMany(name, counts[name], v2QueryValuesMax);
  const filter = fault ?? v2FilterOf(lists, size, isVerified);
  if (isV2FilterFault(filter)) return invalid(filter.reason, filter.message);
  const cursor = single.get('cursor')?.[0] ?? '';
  if (cursor !== '' && (!isInt64(cursor) || cursor.startsWith('-'))) {
    return invalid(
      'bad_cursor',
      `invalid cursor: ${cursor}: give the seq to start with, or microseconds since 1970`,
    );
  }
  const updates = single.get(updatesName)?.[0] ?? '';
  if (updates !== '' && updates !== 'allow' && updates !== 'first') {
    return invalid(
      'bad_filter',
      `invalid ${updatesName}: ${updates}: give allow, or first to send the filter first`,
    );
  }
  return {
    filter,
    cursor: parseCursor(cursor),
    encoding,
    takesUpdates: updates !== '',
    requireHello: updates === 'first',
    progress: single.get('progress')?.[0] === 'true',
  };
}

/** Ours: the client may send `options_update`. */
const updatesName = 'filterUpdates';
const singleNames = new Set([
  ...['cursor', 'maxMessageSizeBytes', 'zstdDictionary', 'compress'],
  ...[updatesName, 'progress', verifiedName],
]);

function eachList<T>(make: () => T): Record<V2ListName, T> {
  return Object.fromEntries(v2ListNames.map((name) => [name, make()])) as Record<V2ListName, T>;
}

/** Whether `parseV2Query` found a fault. */
export function isV2Fault(result: V2Request | V2Fault): result is V2Fault {
  return 'status' in result;
}

function invalid(reason: V2FaultReason, message: string): V2Fault {
  return { reason, status: 400, error: 'InvalidRequest', message };
}

function encodingOf(values: readonly string[] | undefined, encodings: V2Encodings): Encoding | V2Fault {
  if (values === undefined || (values.length === 1 && values[0] === '')) return encodings.json;
  const id = values.length === 1 && digits.test(values[0]) ? Number(values[0]) : 0;
  if (id < 1) {
    return invalid('bad_dictionary', 'zstdDictionary must be one positive integer, the id of a dictionary');
  }
  const encoding = encodings.byId.get(id);
  if (encoding !== undefined) return encoding;
  const advice = `the current one is ${encodings.currentId}: get it by getZstdDictionary, or connect without zstdDictionary`;
  const message = `unknown zstd dictionary ${values[0]}: ${advice}`;
  return { reason: 'bad_dictionary', status: 400, error: 'UnknownZstdDictionary', message };
}

function messageSizeOf(values: readonly string[] | undefined): number | undefined {
  if (values === undefined) return 0;
  const size = values.length === 1 && digits.test(values[0]) ? Number(values[0]) : uint32End;
  return size < uint32End ? size : undefined;
}

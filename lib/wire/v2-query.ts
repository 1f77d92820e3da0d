// What a `GET /xrpc/network.bsky.jetstream.subscribeEvents` asks for: query string and encoding header to a request, or to the
// error that this wire has for a bad one. Pure. Whether it is a WebSocket handshake is decided by lib/http.

import { isInt64, parseCursor } from '../event/cursor.ts';
import { isDid } from '../event/did.ts';
import { eventKinds, v2Kinds } from '../event/event.ts';
import type { Filter } from '../event/filter.ts';
import { isNsid, nsidBytesMax } from '../event/nsid.ts';
import { v2BytesMore } from '../event/v2-event.ts';
import type { Encoding } from '../fanout/encodings.ts';
import type { V2Encodings } from '../fanout/v2-encodings.ts';
import { eachQueryPair } from './query-pairs.ts';
import { textKindWords } from './wanted-filter.ts';

/** A valid request. */
export interface V2Request {
  readonly filter: Filter;
  /** As given; undefined when absent or empty. */
  readonly cursor: number | undefined;
  readonly encoding: Encoding;
  readonly requireHello: false;
  readonly progress: false;
}

/** The names of errors that this wire answers a request with. */
export type V2ErrorName = 'InvalidRequest' | 'UnknownZstdDictionary';

/** Why there is no request: a closed list, for counting. */
export type V2FaultReason =
  | 'bad_query'
  | 'v1_parameter'
  | 'bad_cursor'
  | 'bad_collection'
  | 'bad_did'
  | 'too_many_dids'
  | 'too_many_collections'
  | 'bad_kind'
  | 'bad_message_size'
  | 'bad_dictionary';

/** The answer to a bad request: an XRPC error. */
export interface V2Fault {
  readonly reason: V2FaultReason;
  readonly status: 400;
  readonly error: V2ErrorName;
  readonly message: string;
}

const commitBit = 1 << eventKinds.commit;

/** Most values of each list, repeated ones included. */
const valuesMax = { kinds: 4, dids: 10_000, collections: 100 } as const;
type ListName = keyof typeof valuesMax;

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
  const lists: Record<ListName, string[]> = { kinds: [], dids: [], collections: [] };
  const counts: Record<ListName, number> = { kinds: 0, dids: 0, collections: 0 };
  const single = new Map<string, string[]>();
  let tombstone: string | undefined;
  eachQueryPair(rawQuery, (name, value) => {
    if (Object.hasOwn(lists, name)) {
      if (counts[name as ListName]++ < valuesMax[name as ListName]) lists[name as ListName].push(value);
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
  const filter = filterOf(lists, counts, single.get('maxMessageSizeBytes'));
  if ('status' in filter) return filter;
  const cursor = single.get('cursor')?.[0] ?? '';
  if (cursor !== '' && (!isInt64(cursor) || cursor.startsWith('-'))) {
    return invalid(
      'bad_cursor',
      `invalid cursor: ${cursor}: give the seq to start with, or microseconds since 1970`,
    );
  }
  return { filter, cursor: parseCursor(cursor), encoding, requireHello: false, progress: false };
}

const singleNames = new Set(['cursor', 'maxMessageSizeBytes', 'zstdDictionary', 'compress']);

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

function filterOf(
  lists: Readonly<Record<ListName, readonly string[]>>,
  counts: Readonly<Record<ListName, number>>,
  sizes: readonly string[] | undefined,
): Filter | V2Fault {
  for (const [name, reason] of limitReasons) {
    const most = valuesMax[name];
    if (counts[name] > most) return invalid(reason, `too many ${name}: ${counts[name]}, at most ${most}`);
  }
  let kinds = 0;
  for (const value of lists.kinds) {
    const bit = textKindWords.get(value);
    if (bit === undefined) {
      return invalid('bad_kind', `invalid kinds: ${value}: give commit, identity, account or sync`);
    }
    kinds |= bit;
  }
  const dids = new Set<string>();
  for (const value of lists.dids) {
    if (!isDid(value)) return invalid('bad_did', `invalid dids: ${value} is no DID`);
    dids.add(value);
  }
  const collections = new Set<string>();
  const prefixes = new Set<string>();
  for (const value of lists.collections) {
    const isWildcard = value.endsWith('.*');
    // The longest wildcard is one with room for a name of one letter.
    const isGood = isWildcard
      ? value.length <= nsidBytesMax && isNsid(`${value.slice(0, -1)}x`)
      : isNsid(value);
    if (!isGood) {
      return invalid(
        'bad_collection',
        `invalid collections: ${value} is no NSID, and no NSID with .* at its end`,
      );
    }
    if (isWildcard) prefixes.add(value.slice(0, -1));
    else collections.add(value);
  }
  if (counts.collections > 0 && kinds !== 0 && (kinds & commitBit) === 0) {
    return invalid('bad_collection', 'collections can never apply: kinds has no commit');
  }
  const size = messageSizeOf(sizes);
  if (size === undefined) {
    return invalid('bad_message_size', 'maxMessageSizeBytes must be one integer from 0 to 4294967295');
  }
  const filter = { collections, prefixes: [...prefixes], dids, subjects: new Set<string>() };
  const wire = { isV2: true, bytesMore: v2BytesMore, kinds: kinds || v2Kinds } as const;
  return { ...filter, ...wire, maxMessageSizeBytes: size, operations: 0 };
}

const limitReasons = [
  ['kinds', 'bad_kind'],
  ['dids', 'too_many_dids'],
  ['collections', 'too_many_collections'],
] as const;

function messageSizeOf(values: readonly string[] | undefined): number | undefined {
  if (values === undefined) return 0;
  const size = values.length === 1 && digits.test(values[0]) ? Number(values[0]) : uint32End;
  return size < uint32End ? size : undefined;
}

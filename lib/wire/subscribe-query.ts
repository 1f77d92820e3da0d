// What a `GET /subscribe` asks for: query string and encoding header to a request, or to the v1 wire's answer to a bad
// one. Pure. Whether the request is a WebSocket handshake, and what a cursor means now, is decided by lib/http.

import type { Filter } from '../event/filter.ts';
import { parseMomentCursor } from '../event/moment.ts';
import type { ZstdEncodings } from '../fanout/dictionary-encoding.ts';
import { type Encoding, encodings } from '../fanout/encodings.ts';
import { type FilterName, filterNames, meantBy } from './misspelt-name.ts';
import { eachQueryPair } from './query-pairs.ts';
import {
  eachWanted,
  type FilterFaultReason,
  filterOf,
  isFilterFault,
  type KindWords,
  limitName,
  messageSizeLimit,
  queryDidsMax,
  readVerified,
  v1KindWords,
  verifiedName,
  type WantedName,
} from './wanted-filter.ts';

/** A valid request for a subscription. */
export interface SubscribeRequest {
  readonly filter: Filter;
  /** As given (lib/event/cursor.ts); undefined when absent or empty. */
  readonly cursor: number | undefined;
  readonly encoding: Encoding;
  /** Nothing is delivered before the first valid options update, which replaces `filter`. */
  readonly requireHello: boolean;
  /** The client wants to be told how far it has come. */
  readonly progress: boolean;
  /** The first parameter that is nearly a part of a filter, and which. It is ignored, as by v1. */
  readonly misspelt?: Misspelt | undefined;
}

/** A name that is not known, and what it seems to mean. */
export interface Misspelt {
  readonly name: string;
  readonly meant: FilterName;
}

/** Names that are not known that are looked at: it takes a thousand times as long as to read them. */
const unknownNamesMax = 16;

/** The answer to a bad request: `text/plain`, `body` without a newline at its end. */
export interface SubscribeFault {
  readonly reason: FilterFaultReason | 'bad_cursor' | 'bad_dictionary';
  readonly status: 400;
  readonly body: string;
  /** The bad DID, which the wire's words leave out. */
  readonly did?: string | undefined;
}

/**
 * Reads a request. `rawQuery` is what follows the `?`, one character per byte; `socketEncoding` is the value of the
 * `Socket-Encoding` header, `zstdEncodings` what compressed connections can have, `nowUs` what a cursor such
 * as `1h` counts back from, `kindWords` the kinds that can be asked for. Takes time linear in the query: 10,000 DIDs (440 KB) take about 5 ms.
 */
export function parseSubscribeQuery(
  rawQuery: string,
  socketEncoding: string | undefined,
  zstdEncodings: OfferedEncodings = storedOnly,
  nowUs: () => number = systemNowUs,
  kindWords: KindWords = v1KindWords,
): SubscribeRequest | SubscribeFault {
  const wanted = eachWanted((): string[] => []);
  const first = new Map<string, string>();
  let misspelt: Misspelt | undefined;
  let unknownNames = 0;
  eachQueryPair(rawQuery, (name, value) => {
    if (Object.hasOwn(wanted, name)) wanted[name as WantedName].push(value);
    else if (singleValued.has(name)) first.set(name, first.get(name) ?? value);
    else if (misspelt === undefined && unknownNames++ < unknownNamesMax) misspelt = misspeltBy(name);
  });
  const cursorText = first.get('cursor') ?? '';
  const cursor = parseMomentCursor(cursorText, nowUs);
  if (cursor === undefined && cursorText !== '') {
    return { reason: 'bad_cursor', status: 400, body: `invalid cursor: ${cursorText}` };
  }
  const maxMessageSizeBytes = messageSizeLimit(first.get(limitName) ?? '');
  const verified = first.get(verifiedName) ?? '';
  const isVerified = readVerified(verified);
  if (isVerified === undefined) {
    const body = `invalid subscriber options: invalid ${verifiedName}: ${verified}: give true or false`;
    return { reason: 'bad_verified', status: 400, body };
  }
  const filter = filterOf({ ...wanted, maxMessageSizeBytes, isVerified }, queryDidsMax, kindWords);
  if (isFilterFault(filter)) {
    const { reason, text, did } = filter;
    return { reason, status: 400, body: text, ...(did === undefined ? {} : { did }) };
  }
  const compressed = first.get('compress') === 'true' || socketEncoding?.includes('zstd') === true;
  const idText = compressed ? (first.get('zstdDictionary') ?? '') : '';
  const encoding =
    idText === ''
      ? compressed
        ? zstdEncodings.unnamed
        : encodings.json
      : zstdEncodings.byId.get(idPattern.test(idText) ? Number(idText) : 0);
  if (encoding === undefined) {
    const ids = [...zstdEncodings.byId.keys()].join(', ');
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
    misspelt,
  };
}

function misspeltBy(name: string): Misspelt | undefined {
  const meant = meantBy(name);
  return meant && { name, meant };
}

/** The first parameter of a query that says something of the filter, if there is one. */
export function filterParameterIn(rawQuery: string): string | undefined {
  let first: string | undefined;
  eachQueryPair(rawQuery, (name) => {
    if ((filterNames as readonly string[]).includes(name)) first ??= name;
  });
  return first;
}

/** The part of what there is that a query chooses from. */
export type OfferedEncodings = Pick<ZstdEncodings, 'byId' | 'unnamed'>;

const systemNowUs = (): number => Date.now() * 1000;

/** All get what is stored. */
export const storedOnly: OfferedEncodings = { byId: new Map(), unnamed: encodings.zstd };

/** Spelling of a dictionary's id; 0 is none. */
const idPattern = /^[1-9][0-9]{0,9}$/;

const singleValued = new Set([
  ...['cursor', limitName, verifiedName, 'compress', 'zstdDictionary', 'requireHello', 'progress'],
]);

/** Whether `parseSubscribeQuery` found a fault. */
export function isSubscribeFault(result: SubscribeRequest | SubscribeFault): result is SubscribeFault {
  return 'status' in result;
}

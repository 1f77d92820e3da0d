// What a consumer wants, and how a server is asked for it: the query of `/subscribe`, and `options_update`. Pure. Kinds
// and operations are asked for and applied here too, because v1 servers do not know them.

import { CodedError } from '../event/coded-error.ts';
import type { StreamEvent } from './event.ts';

/** What to receive. All conditions must hold; an absent or empty one is none. */
export interface StreamFilter {
  /** NSIDs, or prefixes as `app.bsky.graph.*`; at most 100. Identity and account events pass. */
  readonly wantedCollections?: readonly string[] | undefined;
  /** At most 10,000. */
  readonly wantedDids?: readonly string[] | undefined;
  readonly wantedKinds?: readonly StreamEvent['kind'][] | undefined;
  /** Of commits; identity and account events pass. */
  readonly wantedOperations?: readonly ('create' | 'update' | 'delete')[] | undefined;
  /** Events longer than this as JSON are left out; 0 is no limit. v1 servers take it at connect only. */
  readonly maxMessageSizeBytes?: number | undefined;
}

/** What a connection asks for beside the filter. */
export interface RequestOptions {
  /** Microseconds since 1970; undefined is live. */
  readonly cursor: number | undefined;
  readonly compress: boolean;
  /** The dictionary to compress with; undefined is the server's own choice. v1 servers have one, and ignore this. */
  readonly dictionaryId: number | undefined;
}

/** How to open a connection. */
export interface Request {
  readonly url: string;
  /** To send once the connection is open: the filter, when it is too long for a URL. */
  readonly hello: string | undefined;
}

/** Characters of the values in a query. Proxies take request lines of 8 KiB, and a longer filter goes as a hello. */
const queryCharsMax = 6_000;

/** A subscription as its address and its options say it together. */
export interface AskedFor {
  /** `ws:` or `wss:`, without what is in `filter` and `cursor`. */
  readonly url: URL;
  readonly filter: StreamFilter;
  readonly cursor: number | undefined;
}

/**
 * Reads the address to subscribe at, `/subscribe` when it has no path. What its query says of collections, DIDs and the
 * cursor is added to the options; other parameters stay in it. @throws CodedError `CLIENT_BAD_URL`.
 */
export function readUrl(text: string, options: StreamFilter): AskedFor {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const secure = url?.protocol === 'wss:' || url?.protocol === 'https:';
  if (url === undefined || !(secure || url.protocol === 'ws:' || url.protocol === 'http:')) {
    throw new CodedError('CLIENT_BAD_URL', `${JSON.stringify(text)} is no address: give ws://host:port`);
  }
  url.protocol = secure ? 'wss:' : 'ws:';
  url.hash = '';
  if (url.pathname === '/') url.pathname = '/subscribe';
  const take = (name: string): string[] => {
    const values = url.searchParams.getAll(name);
    url.searchParams.delete(name);
    return values;
  };
  const cursor = Number(take('cursor')[0] || Number.NaN);
  const { wantedKinds, wantedOperations, maxMessageSizeBytes } = options;
  const filter = {
    wantedCollections: [...(options.wantedCollections ?? []), ...take('wantedCollections')],
    wantedDids: [...(options.wantedDids ?? []), ...take('wantedDids')],
    wantedKinds,
    wantedOperations,
    maxMessageSizeBytes,
  };
  return { url, filter, cursor: Number.isSafeInteger(cursor) ? cursor : undefined };
}

/** The same address for plain HTTP. */
export function httpUrl(url: URL): URL {
  const http = new URL(url);
  http.protocol = url.protocol === 'wss:' ? 'https:' : 'http:';
  return http;
}

/**
 * What to ask a server for. A filter that is too long for a URL goes as the first message, and the URL has a part of
 * it: what a v1 server sends before it has read the message is then wanted, too.
 */
export function requestOf(
  base: URL,
  filter: StreamFilter,
  { cursor, compress, dictionaryId }: RequestOptions,
): Request {
  const url = new URL(base);
  const query = url.searchParams;
  const collections = filter.wantedCollections ?? [];
  const dids = filter.wantedDids ?? [];
  const someCollections = fitting(collections, queryCharsMax / 2);
  const someDids = fitting(dids, queryCharsMax / 2);
  for (const collection of someCollections) query.append('wantedCollections', collection);
  for (const did of someDids) query.append('wantedDids', did);
  for (const kind of filter.wantedKinds ?? []) query.append('wantedKinds', kind);
  for (const operation of filter.wantedOperations ?? []) query.append('wantedOperations', operation);
  if (filter.maxMessageSizeBytes) query.set('maxMessageSizeBytes', String(filter.maxMessageSizeBytes));
  if (cursor !== undefined) query.set('cursor', String(cursor));
  if (compress) query.set('compress', 'true');
  if (dictionaryId !== undefined) query.set('zstdDictionary', String(dictionaryId));
  query.set('progress', 'true');
  const whole = someCollections.length === collections.length && someDids.length === dids.length;
  if (!whole) query.set('requireHello', 'true');
  return { url: url.href, hello: whole ? undefined : optionsUpdate(filter) };
}

/** The message that replaces the filter of an open connection. */
export function optionsUpdate(filter: StreamFilter): string {
  const { wantedCollections = [], wantedDids = [], maxMessageSizeBytes = 0 } = filter;
  const { wantedKinds = [], wantedOperations = [] } = filter;
  const payload = { wantedCollections, wantedDids, maxMessageSizeBytes, wantedKinds, wantedOperations };
  return JSON.stringify({ type: 'options_update', payload });
}

/** Whether an event is of a wanted kind and operation. */
export function isWanted(event: StreamEvent, { wantedKinds, wantedOperations }: StreamFilter): boolean {
  if (wantedKinds?.length && !wantedKinds.includes(event.kind)) return false;
  return (
    !wantedOperations?.length || event.kind !== 'commit' || wantedOperations.includes(event.commit.operation)
  );
}

/** The first values that fit, and at least one. */
function fitting(values: readonly string[], charsMax: number): readonly string[] {
  let chars = 0;
  const end = values.findIndex((value, at) => {
    chars += value.length + 20;
    return at > 0 && chars > charsMax;
  });
  return end < 0 ? values : values.slice(0, end);
}

// What a consumer wants, and how a server is asked for it: the query of `/subscribe`, and `options_update`. Pure. Kinds,
// operations and subjects are asked for and applied here too, because other servers do not know them. The query of the second wire is
// v2-request.ts's.

import { UsageError } from '../../lib/errors.ts';
import type { StreamEvent } from './event.ts';
import { pointsAt } from './subject.ts';
import { subscribeEventsNsid } from './v2-message.ts';

/** The lists of a filter, by their names on the wire. */
export const listNames = [
  'wantedCollections',
  'wantedDids',
  'wantedKinds',
  'wantedOperations',
  'wantedSubjects',
] as const;

/** The same by their names on the second wire. The last two are Slipstream's; other servers pass over them. */
export const v2Names = {
  wantedCollections: 'collections',
  wantedDids: 'dids',
  wantedKinds: 'kinds',
  wantedOperations: 'operations',
  wantedSubjects: 'subjects',
} as const;

/** The path of the second wire, below that of the server. */
export const v2Path = `/xrpc/${subscribeEventsNsid}`;

/** Whether an address is one of the second wire. */
export function isV2Url(url: URL): boolean {
  return url.pathname.endsWith(v2Path);
}

/** What to receive. All conditions must hold; an absent or empty one is none. */
export interface StreamFilter {
  /** NSIDs, or prefixes as `app.bsky.graph.*`; at most 100. Events that are not commits pass. */
  readonly wantedCollections?: readonly string[] | undefined;
  /** At most 100,000; v1 servers, and the v2 wire, take 10,000. */
  readonly wantedDids?: readonly string[] | undefined;
  /** `sync` is on the v2 wire alone. */
  readonly wantedKinds?: readonly StreamEvent['kind'][] | undefined;
  /** Of commits; others pass. */
  readonly wantedOperations?: readonly ('create' | 'update' | 'delete')[] | undefined;
  /**
   * DIDs, or at-uris of records; at most 100,000. Commits of records that point at one of them, an account's records
   * included, and their deletions as far as the server still has the record. Other servers than Slipstream send every deletion.
   */
  readonly wantedSubjects?: readonly string[] | undefined;
  /** Events longer than this as JSON are left out; 0 is no limit. v1 servers take it at connect only. */
  readonly maxMessageSizeBytes?: number | undefined;
  /**
   * Only commits that the server has found to be signed by their account, with nothing left out; identity and account events pass. For
   * a Slipstream server that checks commits: others do not know it, and send everything.
   */
  readonly verified?: boolean | undefined;
}

/** Names that are meant as a part of a filter: another case or number, as JavaScript lets them through. */
const nearName = /^(wanted|max_?message|(is_?)?verif|collections?$|dids?$|kinds?$|operations?$|subjects?$)/i;

/**
 * Looks for what would bring everything, or nothing, without a word: a part of a filter by a wrong name, and handles in
 * place of DIDs. @throws CodedError `CLIENT_BAD_FILTER`.
 */
export function checkFilter(filter: StreamFilter): void {
  const known: readonly string[] = [...listNames, 'maxMessageSizeBytes', 'verified'];
  for (const [name, value] of Object.entries(filter)) {
    if (known.includes(name) || value === undefined || !nearName.test(name)) continue;
    const text = `${name} is not part of a filter, and ignoring it would bring everything: give one of ${known.join(', ')}`;
    throw new UsageError('CLIENT_BAD_FILTER', text);
  }
  const handle = filter.wantedDids?.find((did) => !did.startsWith('did:'));
  if (handle === undefined) return;
  const what = handle.includes('.') ? 'is a handle: give the DID of the account' : 'is not a DID';
  throw new UsageError('CLIENT_BAD_FILTER', `wantedDids: ${handle.slice(0, 100)} ${what}, as did:plc:…`);
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
 * Reads the address to subscribe at, `/subscribe` when it has no path. What its query says of the filter and the cursor
 * is added to the options; other parameters stay in it. @throws CodedError `CLIENT_BAD_URL`.
 */
export function readUrl(text: string, options: StreamFilter): AskedFor {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const secure = url?.protocol === 'wss:' || url?.protocol === 'https:';
  if (url === undefined || !(secure || url.protocol === 'ws:' || url.protocol === 'http:')) {
    throw new UsageError('CLIENT_BAD_URL', `${JSON.stringify(text)} is not an address: write ws://host:port`);
  }
  url.protocol = secure ? 'wss:' : 'ws:';
  url.hash = '';
  if (url.pathname === '/') url.pathname = '/subscribe';
  const take = (name: string): string[] => {
    const values = url.searchParams.getAll(name);
    url.searchParams.delete(name);
    return values;
  };
  const whole = (name: string): number | undefined => {
    const value = take(name)[0] || undefined;
    const number = Number(value);
    if (value === undefined || Number.isSafeInteger(number)) return value === undefined ? value : number;
    const text = `${name}=${value} in the address is not a whole number`;
    throw new UsageError(
      'CLIENT_BAD_URL',
      name === 'cursor' ? `${text}: give microseconds since 1970` : text,
    );
  };
  const isV2 = isV2Url(url);
  const lists = listNames.map((name) => [
    name,
    [...(options[name] ?? []), ...take(name), ...(isV2 ? take(v2Names[name]) : [])],
  ]);
  const sizeBytes = whole('maxMessageSizeBytes');
  const isInUrl = take('verified')[0] === 'true';
  const verified = options.verified ?? (isInUrl || undefined);
  const filter: StreamFilter = {
    ...Object.fromEntries(lists),
    maxMessageSizeBytes: options.maxMessageSizeBytes ?? sizeBytes,
    verified,
  };
  return { url, filter, cursor: whole('cursor') };
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
  const wantedCollections = fitting(filter.wantedCollections ?? [], queryCharsMax / 2);
  const wantedDids = fitting(filter.wantedDids ?? [], queryCharsMax / 2);
  // All or none: a v1 server does not know them, and others wait for the hello.
  const subjects = filter.wantedSubjects ?? [];
  const charsLeft = queryCharsMax - charsOf(wantedCollections) - charsOf(wantedDids);
  const wantedSubjects = charsOf(subjects) <= charsLeft ? subjects : [];
  const inUrl = { ...filter, wantedCollections, wantedDids, wantedSubjects };
  for (const name of listNames) for (const value of inUrl[name] ?? []) query.append(name, value);
  if (filter.maxMessageSizeBytes) query.set('maxMessageSizeBytes', String(filter.maxMessageSizeBytes));
  if (filter.verified) query.set('verified', 'true');
  if (cursor !== undefined) query.set('cursor', String(cursor));
  if (compress) query.set('compress', 'true');
  if (dictionaryId !== undefined) query.set('zstdDictionary', String(dictionaryId));
  query.set('progress', 'true');
  const isWhole = listNames.every((name) => (inUrl[name] ?? []).length === (filter[name] ?? []).length);
  if (!isWhole) query.set('requireHello', 'true');
  return { url: url.href, hello: isWhole ? undefined : optionsUpdate(filter) };
}

/** The message that replaces the filter of an open connection. */
export function optionsUpdate(filter: StreamFilter): string {
  const lists = Object.fromEntries(listNames.map((name) => [name, filter[name] ?? []]));
  const limit = { maxMessageSizeBytes: filter.maxMessageSizeBytes ?? 0 };
  const payload = { ...lists, ...limit, ...(filter.verified && { verified: true }) };
  return JSON.stringify({ type: 'options_update', payload });
}

/**
 * Whether an event is of a wanted kind and operation, and points at a wanted subject. What a deleted record pointed at
 * is not told: deletions are the server's to choose.
 */
export function wantedBy(filter: StreamFilter): (event: StreamEvent) => boolean {
  const { wantedKinds, wantedOperations, wantedSubjects } = filter;
  const subjects = wantedSubjects?.length ? new Set(wantedSubjects) : undefined;
  return (event) => {
    if (wantedKinds?.length && !wantedKinds.includes(event.kind)) return false;
    if (event.kind !== 'commit') return subjects === undefined;
    const { commit } = event;
    if (wantedOperations?.length && !wantedOperations.includes(commit.operation)) return false;
    return subjects === undefined || commit.operation === 'delete' || pointsAt(commit.record, subjects);
  };
}

/** The first values that fit, and at least one. */
function fitting(values: readonly string[], charsMax: number): readonly string[] {
  let chars = 0;
  const end = values.findIndex((value, at) => {
    chars += charsOf([value]);
    return at > 0 && chars > charsMax;
  });
  return end < 0 ? values : values.slice(0, end);
}

/** What values take in a query, about. */
function charsOf(values: readonly string[]): number {
  return values.reduce((chars, value) => chars + value.length + 20, 0);
}

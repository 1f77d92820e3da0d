// What a consumer wants, and how a server is asked for it: the query of `/subscribe`, and `options_update`. Pure. Kinds,
// operations and subjects are asked for and applied here too, because other servers do not know them. The query of the second wire is
// v2-request.ts's, and the address that a consumer gives address.ts's.

import { UsageError } from '../../lib/errors.ts';
import { nearName } from '../../lib/near-name.ts';
import type { StreamEvent } from './event.ts';
import { shownValue, unknownName } from './misuse.ts';
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
  /** At most 100,000; servers other than Slipstream take 10,000. */
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

/** The parts of a filter. */
export const filterNames: readonly string[] = [...listNames, 'maxMessageSizeBytes', 'verified'];

const kinds: readonly string[] = ['commit', 'identity', 'account', 'sync'] satisfies StreamEvent['kind'][];
const operations: readonly string[] = ['create', 'update', 'delete'];

/** What is wrong with a value of a list, and what is right; undefined when nothing is. */
const valueFaults: Readonly<Record<(typeof listNames)[number], (value: string) => string | undefined>> = {
  wantedCollections: () => undefined,
  wantedDids: didFault,
  wantedKinds: (value) => choiceFault(value, kinds),
  wantedOperations: (value) => choiceFault(value, operations),
  wantedSubjects: (value) =>
    value.startsWith('at://did:')
      ? undefined
      : didFault(value.replace('at://', '')) &&
        'is neither a DID nor the at-uri of a record: write did:plc:… or at://did:plc:…/collection/key',
};
const listExamples: Readonly<Record<(typeof listNames)[number], string>> = {
  wantedCollections: 'app.bsky.feed.post',
  wantedDids: 'did:plc:…',
  wantedKinds: 'commit',
  wantedOperations: 'create',
  wantedSubjects: 'at://did:plc:…/app.bsky.feed.post/…',
};

/**
 * Looks for what would bring everything, or nothing, without a word: a name that is none, and a value that cannot be meant.
 * @param others names that stand beside the filter. @throws UsageError `CLIENT_BAD_FILTER`; `CLIENT_BAD_OPTION` for a name that is
 * nearly one of `others`, or nothing that is known.
 */
export function checkFilter(filter: StreamFilter, others: readonly string[] = []): void {
  const known = [...filterNames, ...others];
  for (const [name, value] of Object.entries(filter as Readonly<Record<string, unknown>>)) {
    if (value === undefined || others.includes(name)) continue;
    if (!filterNames.includes(name)) throw unknownOption(name, value, known, others.length > 0);
    const fault = faultOf(name, value);
    if (fault !== undefined) throw badFilter(fault);
  }
}

/** The part of a filter that `name` nearly names, with or without its `wanted`. */
export function nearFilterName(name: string): string | undefined {
  const short = listNames.map((each) => each.replace('wanted', ''));
  const at = short.indexOf(nearName(name, short) ?? '');
  return nearName(name, filterNames) ?? listNames[at];
}

export function badFilter(text: string): UsageError {
  return new UsageError('CLIENT_BAD_FILTER', text);
}

function unknownOption(
  name: string,
  value: unknown,
  known: readonly string[],
  isSubscribe: boolean,
): UsageError {
  if (name === 'filter')
    return badFilter(
      `filter (${shownValue(value)}) is not an option: write its parts, ${listNames.join(', ')}, beside url`,
    );
  const part = nearFilterName(name);
  if (part === undefined && isSubscribe)
    return new UsageError('CLIENT_BAD_OPTION', unknownName(name, value, 'an option of subscribe', known));
  const what = 'part of a filter, and ignoring it would bring everything';
  return badFilter(unknownName(name, value, what, filterNames, part));
}

function listFault(name: (typeof listNames)[number], value: unknown): string | undefined {
  if (!Array.isArray(value))
    return `${name} is ${shownValue(value)}: it has to be a list, as ["${listExamples[name]}"]`;
  for (const each of value as readonly unknown[]) {
    if (typeof each !== 'string' || each === '')
      return `${name} has ${shownValue(each)} in it: its values have to be texts, as "${listExamples[name]}"`;
    const fault = valueFaults[name](each);
    if (fault !== undefined) return `${name}: ${shownValue(each)} ${fault}`;
  }
  return undefined;
}

function faultOf(name: string, value: unknown): string | undefined {
  if (name === 'maxMessageSizeBytes') return sizeFault(value);
  if (name !== 'verified') return listFault(name as (typeof listNames)[number], value);
  return typeof value === 'boolean'
    ? undefined
    : `verified is ${shownValue(value)}: it has to be true or false`;
}

function sizeFault(value: unknown): string | undefined {
  if (Number.isSafeInteger(value) && (value as number) >= 0) return undefined;
  return `maxMessageSizeBytes is ${shownValue(value)}: it has to be a whole number of bytes, 0 for no limit`;
}

function didFault(value: string): string | undefined {
  if (value.startsWith('did:')) return undefined;
  return value.includes('.')
    ? 'is a handle: give the DID of the account, as did:plc:…'
    : 'is not a DID: give one, as did:plc:…';
}

function choiceFault(value: string, choices: readonly string[]): string | undefined {
  if (choices.includes(value)) return undefined;
  const near = nearName(value, choices);
  return `is none of ${choices.join(', ')}${near === undefined ? '' : `: did you mean ${near}?`}`;
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
export const queryCharsMax = 6_000;

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
export function charsOf(values: readonly string[]): number {
  return values.reduce((chars, value) => chars + value.length + 20, 0);
}

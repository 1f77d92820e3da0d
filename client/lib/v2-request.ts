// How a server of the second wire is asked for what a consumer wants. The wire takes no messages: Slipstream does, for who asks for it
// by a parameter that other servers pass over. Pure. Answers are v2-message.ts's to read.

import {
  charsOf,
  isV2Url,
  listNames,
  queryCharsMax,
  type Request,
  type StreamFilter,
  v2Names,
  v2Path,
} from './filter.ts';

/** From here on a cursor is a time, and below it a number of one server's. */
const timeCursorMin = 1e15;

/** The address of the same server on one wire or the other. */
export function urlOnWire(wire: 'v1' | 'v2', url: URL): URL {
  const at = new URL(url);
  if (isV2Url(url) === (wire === 'v2')) return at;
  const suffix = wire === 'v2' ? '/subscribe' : v2Path;
  const above = url.pathname.endsWith(suffix) ? url.pathname.slice(0, -suffix.length) : url.pathname;
  at.pathname = `${above.replace(/\/$/, '')}${wire === 'v2' ? v2Path : '/subscribe'}`;
  return at;
}

/** What a connection asks for beside the filter. */
export interface V2RequestOptions {
  /** Inclusive; 0 and 1 are the oldest event, undefined is live. */
  readonly cursor: number | undefined;
  readonly dictionaryId: number | undefined;
  /** Whether the server may take messages. */
  readonly mayUpdate: boolean;
}

/** What to ask for at `url`, an address of this wire. */
export function v2RequestOf(
  url: URL,
  filter: StreamFilter,
  { cursor, dictionaryId, mayUpdate }: V2RequestOptions,
): Request {
  const at = new URL(url);
  const query = at.searchParams;
  const chars = listNames.reduce((sum, name) => sum + charsOf(filter[name] ?? []), 0);
  const isHere = !mayUpdate || chars <= queryCharsMax;
  const { maxMessageSizeBytes, verified, ...lists } = isHere ? filter : untilHello;
  for (const name of listNames) for (const value of lists[name] ?? []) query.append(v2Names[name], value);
  if (maxMessageSizeBytes) query.set('maxMessageSizeBytes', String(maxMessageSizeBytes));
  if (verified) query.set('verified', 'true');
  // As a number, the first is refused where its event is gone; a time before all is not. Who has an event comes with 2 at least.
  if (cursor !== undefined) query.set('cursor', String(cursor <= 1 ? timeCursorMin : cursor));
  if (dictionaryId !== undefined) query.set('zstdDictionary', String(dictionaryId));
  query.set('progress', 'true');
  if (mayUpdate) query.set('filterUpdates', isHere ? 'allow' : 'first');
  return { url: at.href, hello: isHere ? undefined : v2Update(filter) };
}

/** No message is that short: a server that does not wait for the hello sends nothing that the filter was not asked about. */
const untilHello: StreamFilter = { maxMessageSizeBytes: 1 };

/** The message that replaces the filter. An empty list is refused, for it could mean nothing. */
export function v2Update(filter: StreamFilter): string {
  const given = listNames.filter((name) => filter[name]?.length);
  const lists = Object.fromEntries(given.map((name) => [v2Names[name], filter[name]]));
  const limit = { maxMessageSizeBytes: filter.maxMessageSizeBytes ?? 0 };
  const payload = { ...lists, ...limit, ...(filter.verified && { verified: true }) };
  return JSON.stringify({ type: 'options_update', payload });
}

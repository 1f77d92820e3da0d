// How a server of the second wire is asked for what a consumer wants: all of it in the query, since that wire takes no
// messages. Pure. Its answers are v2-message.ts's to read.

import { isV2Url, listNames, type Request, type StreamFilter, v2Names, v2Path } from './filter.ts';

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

/** What to ask for at `url`, an address of this wire. @param cursor inclusive; 0 and 1 are the oldest event, undefined is live. */
export function v2RequestOf(
  url: URL,
  filter: StreamFilter,
  cursor: number | undefined,
  dictionaryId: number | undefined,
): Request {
  const at = new URL(url);
  const query = at.searchParams;
  for (const name of listNames) for (const value of filter[name] ?? []) query.append(v2Names[name], value);
  if (filter.maxMessageSizeBytes) query.set('maxMessageSizeBytes', String(filter.maxMessageSizeBytes));
  if (filter.verified) query.set('verified', 'true');
  // As a number, the first is refused where its event is gone; a time before all is not. Who has an event comes with 2 at least.
  if (cursor !== undefined) query.set('cursor', String(cursor <= 1 ? timeCursorMin : cursor));
  if (dictionaryId !== undefined) query.set('zstdDictionary', String(dictionaryId));
  query.set('progress', 'true');
  return { url: at.href, hello: undefined };
}

// The address that a consumer gives: where to subscribe, and what its query says of the filter, the cursor and compression, as other
// clients have it there. Those parameters become options, and what this client asks for in its own way leaves the address. Pure.

import { UsageError } from '../../lib/errors.ts';
import { microsecondsOf } from '../../lib/event/cursor.ts';
import { momentForms } from '../../lib/event/moment.ts';
import { nearName } from '../../lib/near-name.ts';
import { checkFilter, isV2Url, listNames, nearFilterName, type StreamFilter, v2Names } from './filter.ts';
import { shownValue, unknownName } from './misuse.ts';
import { cursorOf, type SubscribeOptions } from './options.ts';
import type { WireName } from './wire.ts';

/** A subscription as its address and its options say it together. */
export interface AskedFor {
  /** `ws:` or `wss:`, without what is in the other fields. */
  readonly url: URL;
  readonly wire: WireName;
  readonly filter: StreamFilter;
  readonly cursor: number | undefined;
  readonly compress: boolean;
}

/** What this client says by itself, whatever an address has. */
const ownNames = ['progress', 'requireHello', 'zstdDictionary', 'filterUpdates'];
/** What is a parameter on either wire, beside the lists. */
const singleNames = ['maxMessageSizeBytes', 'verified', 'cursor', 'compress', ...ownNames, 'filter'];

/**
 * Reads the address to subscribe at, `/subscribe` when it has no path, and adds what its query says to the options, which go first.
 * Parameters that nobody here knows stay in it: they may be a proxy's. @throws UsageError `CLIENT_BAD_URL` for an address that is
 * none, a parameter that is nearly one of ours, and a value that it cannot have; `CLIENT_BAD_FILTER`.
 */
export function readAddress(
  { url: text, wire: asked, cursor, compress, ...options }: SubscribeOptions,
  nowMs: () => number,
): AskedFor {
  const url = addressOf(String(text));
  const wire = asked ?? (isV2Url(url) ? 'v2' : 'v1');
  const { searchParams: query } = url;
  const take = (name: string): string[] => {
    const values = query.getAll(name);
    query.delete(name);
    return values;
  };
  const isCompressed =
    truthOf('compress', take('compress')) || (wire === 'v2' && query.has('zstdDictionary'));
  const cursors = take('cursor');
  const sizes = take('maxMessageSizeBytes');
  const isVerified = truthOf('verified', take('verified'));
  for (const name of ownNames) query.delete(name);
  const lists = listNames.map((name) => [
    name,
    [...(options[name] ?? []), ...take(name), ...(wire === 'v2' ? take(v2Names[name]) : [])],
  ]);
  for (const [name, value] of query) checkName(name, value, wire);
  const filter: StreamFilter = {
    ...Object.fromEntries(lists),
    maxMessageSizeBytes: options.maxMessageSizeBytes ?? sizeOf(sizes[0]),
    verified: options.verified ?? (isVerified || undefined),
  };
  checkFilter(filter);
  const given = cursor ?? (cursors[0] || undefined);
  const start = typeof given === 'string' ? startOf(given, nowMs) : given;
  return {
    url,
    wire,
    filter,
    // Numbers of the second wire may be a server's own.
    cursor: start === undefined || wire === 'v2' ? start : microsecondsOf(start),
    compress: compress ?? isCompressed,
  };
}

/** A WebSocket address, `/subscribe` when it has no path. @throws UsageError `CLIENT_BAD_URL`. */
export function addressOf(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const secure = url?.protocol === 'wss:' || url?.protocol === 'https:';
  if (url === undefined || !(secure || url.protocol === 'ws:' || url.protocol === 'http:'))
    throw badUrl(`${shownValue(text)} is not an address: write ws://host:port`);
  url.protocol = secure ? 'wss:' : 'ws:';
  url.hash = '';
  if (url.pathname === '/') url.pathname = '/subscribe';
  return url;
}

function checkName(name: string, value: string, wire: WireName): void {
  if (name === 'filter') return;
  const lists: readonly string[] = wire === 'v2' ? Object.values(v2Names) : [];
  const part = nearFilterName(name);
  const known = [...lists, ...singleNames];
  const near = nearName(name, known) ?? part;
  if (near === undefined) return;
  const what = `a parameter of the wire ${wire}, and ignoring it would change the stream`;
  throw badUrl(`in the address, ${unknownName(name, value, what, known, near)}`);
}

function truthOf(name: string, values: readonly string[]): boolean {
  const wrong = values.find((value) => value !== 'true' && value !== 'false' && value !== '');
  if (wrong !== undefined) throw badUrl(`${name}=${wrong} in the address: write ${name}=true`);
  return values[0] === 'true';
}

function sizeOf(text: string | undefined): number | undefined {
  const bytes = Number(text || 0);
  if (text === undefined || (Number.isSafeInteger(bytes) && bytes >= 0)) return text ? bytes : undefined;
  throw badUrl(`maxMessageSizeBytes=${text} in the address is not a whole number of bytes`);
}

function startOf(text: string, nowMs: () => number): number {
  const cursor = cursorOf(text, nowMs);
  if (cursor !== undefined) return cursor;
  throw badUrl(`cursor=${text} in the address is not a time: write ${momentForms}`);
}

function badUrl(text: string): UsageError {
  return new UsageError('CLIENT_BAD_URL', text);
}

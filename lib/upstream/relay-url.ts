// What an operator writes to name a relay, parsed into the address to connect to and the key that its sequence is stored
// under. Pure: it looks nothing up and opens nothing.

import { CodedError, UsageError } from '../errors.ts';

const defaultPath = '/xrpc/com.atproto.sync.subscribeRepos';

/** WebSocket scheme for every scheme that is accepted. */
const webSocketSchemes = new Map([
  ['wss:', 'wss:'],
  ['https:', 'wss:'],
  ['ws:', 'ws:'],
  ['http:', 'ws:'],
]);

/** One upstream of frames: a relay, a PDS or a simulator. */
export interface Relay {
  /**
   * Stable key under which its sequence is stored: host, port unless it is the scheme's own, path unless it is the
   * default. No scheme, query or credentials, so those can change without losing the position. Safe to log.
   */
  readonly id: string;
  /** Id of the relay whose numbers it has: its own, or that of the first of the siblings that share them. */
  readonly numbering: string;
  /** Where to connect without a cursor. May hold credentials and tokens: not for logs. */
  readonly url: string;
  /**
   * `url` with `cursor=` added, every other query parameter kept as it was written; `url` itself for undefined (live).
   * @throws CodedError UPSTREAM_BAD_CURSOR for anything but a whole number from 0 on: a sequence gone wrong in our own
   *   hands, which must not reach a relay.
   */
  connectUrl(cursor: number | undefined): string;
}

/**
 * Reads `wss://host`, `ws://host`, `https://host` (as wss) or `http://host` (as ws), with port, path and query if need
 * be. Without a path it gets that of subscribeRepos.
 * @throws CodedError UPSTREAM_BAD_URL when it is no such URL, has a fragment, or sets `cursor` itself.
 */
export function parseRelayUrl(text: string): Relay {
  if (!URL.canParse(text)) throw badUrl(text, 'is not a URL');
  const url = new URL(text);
  const scheme = webSocketSchemes.get(url.protocol);
  if (scheme === undefined) throw badUrl(text, `has the scheme ${url.protocol}`);
  if (url.hash !== '') throw badUrl(text, 'has a fragment (#)');
  // The position in the stream is the store's; one in the URL would come back at every reconnect.
  if (url.searchParams.has('cursor'))
    throw badUrl(text, 'sets cursor, which is added at every connect: leave it out');
  url.protocol = scheme;
  if (url.pathname === '/') url.pathname = defaultPath;
  const href = url.href;
  const separator = url.search === '' ? (href.endsWith('?') ? '' : '?') : '&';
  const id = url.pathname === defaultPath ? url.host : url.host + url.pathname;
  return {
    id,
    numbering: id,
    url: href,
    connectUrl(cursor) {
      if (cursor === undefined) return href;
      if (!Number.isSafeInteger(cursor) || cursor < 0) {
        throw new CodedError(
          'UPSTREAM_BAD_CURSOR',
          `cursor ${cursor} for relay ${id} is not a whole number from 0 on: the stored sequence is damaged`,
        );
      }
      return `${href}${separator}cursor=${cursor}`;
    },
  };
}

/**
 * Reads a list of relays. An entry may be several siblings, `wss://one.example|wss://two.example`: relays with the same numbers,
 * so that what was read from one is gone on with at the other.
 * @throws CodedError UPSTREAM_BAD_URL as {@link parseRelayUrl}.
 */
export function parseRelays(entries: readonly string[]): Relay[] {
  return entries.flatMap((entry) => {
    const siblings = entry.split('|').map((text) => parseRelayUrl(text.trim()));
    return siblings.map((relay) => ({ ...relay, numbering: siblings[0].numbering }));
  });
}

function badUrl(text: string, what: string): CodedError {
  const shown = text.replace(/\/\/[^/?#]*@/, '//***@');
  return new UsageError(
    'UPSTREAM_BAD_URL',
    `relay URL "${shown}" ${what}; give a relay as wss://host, or ws://host:port for one without TLS`,
  );
}

// A client of the daemon: one WebSocket, its events as JSON, plain or compressed. What the events have to be is for
// others to judge.

import { WebSocket } from 'ws';
import { decompress, ownDictionaryId } from './dictionaries.ts';

/** What to ask for. */
export interface ReadRequest {
  /** Inclusive. */
  readonly cursor: number;
  readonly compressed?: boolean;
  readonly collection?: string;
  readonly did?: string;
  /** The first one without. On the second no sync events are asked for: the first has none. */
  readonly wire?: 'v1' | 'v2';
}

/** Reads from `address` (`ws://host:port`) until the connection ends or `close` is called. */
export class EventReader {
  readonly closed: Promise<void>;
  readonly #socket: WebSocket;

  constructor(address: string, request: ReadRequest, take: (json: Buffer) => void) {
    this.#socket = new WebSocket(`${address}${targetOf(request)}`, { perMessageDeflate: false });
    this.#socket.on('message', (data: Buffer, isBinary) => take(isBinary ? decompress(data) : data));
    // A daemon that is killed resets its connections, and refuses new ones: the end is all that matters.
    this.#socket.on('error', () => {});
    this.closed = new Promise((done) => this.#socket.once('close', () => done()));
  }

  close(): Promise<void> {
    this.#socket.terminate();
    return this.closed;
  }
}

function targetOf({ cursor, compressed = false, collection, did, wire }: ReadRequest): string {
  const query = new URLSearchParams({ cursor: String(cursor) });
  const isSecond = wire === 'v2';
  if (collection !== undefined) query.set(isSecond ? 'collections' : 'wantedCollections', collection);
  if (did !== undefined) query.set(isSecond ? 'dids' : 'wantedDids', did);
  if (compressed)
    query.set(isSecond ? 'zstdDictionary' : 'compress', isSecond ? String(ownDictionaryId) : 'true');
  if (!isSecond) return `/subscribe?${query}`;
  for (const kind of ['commit', 'identity', 'account']) query.append('kinds', kind);
  return `/xrpc/network.bsky.jetstream.subscribeEvents?${query}`;
}

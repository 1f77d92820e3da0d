// A server with the published behaviour of the second wire and nothing more: events numbered from small numbers, parameters
// checked before the handshake and told to a plain request too, no messages from clients, no reports of progress. It can be told to
// take filters and to report, as Slipstream does.

import type { IncomingMessage, ServerResponse } from 'node:http';
import { zstdCompressSync } from 'node:zlib';
import type { WebSocket } from 'ws';
import { queryOf, type Refused, StreamServer } from './stream-server.ts';

const nsid = 'network.bsky.jetstream.subscribeEvents';
const streamPath = `/xrpc/${nsid}`;
/** The wire's limit of a query. */
const didsMax = 10_000;
const did = 'did:plc:aaaaaaaaaaaaaaaaaaaaaaaa';

/** A post with the number `seq`. */
export function v2Post(seq: number, time = '2026-08-01T00:00:00.000001Z'): { seq: number } {
  const record = { $type: 'app.bsky.feed.post', text: `post ${seq}` };
  const path = { operation: 'create', collection: 'app.bsky.feed.post', rkey: `r${seq}` };
  return {
    $type: `${nsid}#commit`,
    seq,
    did,
    time,
    rev: `rev${seq}`,
    ...path,
    record,
    cid: `bafy${seq}`,
  } as {
    seq: number;
  };
}

/** An event of a kind that wraps the relay's, with the number `seq`. */
export function v2Wrapped(kind: 'identity' | 'account' | 'sync', seq: number, more: object): { seq: number } {
  const time = '2026-08-01T00:00:00.000002Z';
  return { $type: `${nsid}#${kind}`, seq, did, time, [kind]: { seq: 7, did, time, ...more } } as {
    seq: number;
  };
}

/** See the file comment; `await using` closes it. */
export class V2Server extends StreamServer {
  readonly events: { seq: number }[] = [];
  readonly #compressed = new WeakSet<WebSocket>();
  /** Longest event of a client that has set it. */
  readonly #charsMax = new WeakMap<WebSocket, number>();
  /** Clients that have to send a filter first. */
  readonly #awaited = new WeakMap<WebSocket, URLSearchParams>();
  /** The number of the first event that is kept. */
  floor = 1;
  /** What messages are compressed with. */
  dictionary: { readonly id: number; readonly bytes: Buffer } | undefined;
  /** It has our additions: it reports, and takes filters. */
  isOurs = false;
  /** Why a filter is not taken, if it is not: the reason of a close with 1008. */
  limit: string | undefined;

  static listen(): Promise<V2Server> {
    return new V2Server().start();
  }

  publish(...events: { seq: number }[]): void {
    this.events.push(...events);
    for (const payload of events) this.say({ $type: 'message', payload });
  }

  /** Sends a message to every client. */
  say(message: object): void {
    for (const client of this.clients) if (!this.#awaited.has(client)) this.#send(client, message);
  }

  protected connected(client: WebSocket, query: URLSearchParams): void {
    if (query.has('zstdDictionary')) this.#compressed.add(client);
    const charsMax = Number(query.get('maxMessageSizeBytes'));
    if (charsMax > 0) this.#charsMax.set(client, charsMax);
    if (this.isOurs && query.get('filterUpdates') === 'first') this.#awaited.set(client, query);
    else this.#begin(client, query);
  }

  protected took(client: WebSocket): void {
    if (!this.isOurs) client.close(1008, 'unexpected data message');
    else if (this.limit !== undefined) client.close(1008, this.limit);
    this.#charsMax.delete(client);
    const query = this.#awaited.get(client);
    if (query === undefined) return;
    this.#awaited.delete(client);
    this.#begin(client, query);
  }

  protected refusalOf(request: IncomingMessage): Refused | undefined {
    return this.#faultOf(request);
  }

  protected answerPlain(request: IncomingMessage, response: ServerResponse): void {
    if (request.url === '/xrpc/network.bsky.jetstream.getZstdDictionary' && this.dictionary !== undefined) {
      response.end(this.dictionary.bytes);
      return;
    }
    const upgrade = { status: 426, error: 'InvalidRequest', message: 'this is a WebSocket' };
    const { status, ...body } = this.#faultOf(request) ?? upgrade;
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
  }

  #send(client: WebSocket, message: object): void {
    const text = JSON.stringify(message);
    if (text.length > (this.#charsMax.get(client) ?? Number.POSITIVE_INFINITY)) return;
    const dictionary = this.dictionary?.bytes;
    client.send(this.#compressed.has(client) ? zstdCompressSync(text, { dictionary }) : text);
  }

  #begin(client: WebSocket, query: URLSearchParams): void {
    const cursor = query.get('cursor');
    if (cursor !== null) this.#replay(client, Number(cursor) >= 1e15 ? 0 : Number(cursor));
    if (!this.isOurs) return;
    const next = (this.events.at(-1)?.seq ?? 0) + 1;
    const payload = { $type: 'slipstream.stream.progress#progress', cursor: next, lagUs: 0, live: true };
    this.#send(client, { $type: 'message', payload });
  }

  #replay(client: WebSocket, from: number): void {
    if (from === 0 && this.floor > 1) {
      const message = `starts at ${this.floor}`;
      const payload = { $type: `${nsid}#info`, name: 'OutdatedCursor', message };
      this.#send(client, { $type: 'message', payload });
    }
    for (const payload of this.events) {
      if (payload.seq >= Math.max(from, this.floor)) this.#send(client, { $type: 'message', payload });
    }
  }

  #faultOf(request: IncomingMessage): { status: number; error: string; message: string } | undefined {
    if (!request.url?.startsWith(streamPath)) return { status: 404, error: 'NotFound', message: '' };
    const query = queryOf(request);
    const wrong = [...query.keys()].find((name) => /^(wanted|requireHello|compress|filter$)/.test(name));
    const bad = (error: string, message: string) => ({ status: 400, error, message });
    if (wrong !== undefined) return bad('InvalidRequest', `${wrong} is of v1`);
    if (query.getAll('dids').length > didsMax) return bad('InvalidRequest', 'too many dids');
    const cursor = query.get('cursor');
    if (cursor !== null && Number(cursor) < this.floor)
      return bad('CursorTooOld', `the oldest is ${this.floor}`);
    const id = query.get('zstdDictionary');
    if (id !== null && Number(id) !== this.dictionary?.id)
      return bad('UnknownZstdDictionary', `the current one is ${this.dictionary?.id}`);
    return undefined;
  }
}

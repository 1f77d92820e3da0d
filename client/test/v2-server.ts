// A server with the published behaviour of the second wire and nothing more: events numbered from small numbers, parameters
// checked before the handshake and told to a plain request too, no messages from clients, no reports of progress.

import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { zstdCompressSync } from 'node:zlib';
import { type WebSocket, WebSocketServer } from 'ws';

const nsid = 'network.bsky.jetstream.subscribeEvents';
const streamPath = `/xrpc/${nsid}`;
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
export class V2Server implements AsyncDisposable {
  readonly #http = createServer((request, response) => this.#plain(request, response));
  readonly #handshakes = new WebSocketServer({ noServer: true });
  readonly events: { seq: number }[] = [];
  /** Queries of the handshakes, and the addresses of all other requests. */
  readonly queries: URLSearchParams[] = [];
  readonly plainUrls: string[] = [];
  readonly #compressed = new WeakSet<WebSocket>();
  /** The number of the first event that is kept. */
  floor = 1;
  /** What messages are compressed with. */
  dictionary: { readonly id: number; readonly bytes: Buffer } | undefined;

  static async listen(): Promise<V2Server> {
    const server = new V2Server();
    server.#http.on('upgrade', (request, socket, head) => {
      const fault = server.#faultOf(request);
      if (fault !== undefined) {
        socket.end(`HTTP/1.1 ${fault.status} Refused\r\nContent-Length: 0\r\n\r\n`);
        return;
      }
      server.#handshakes.handleUpgrade(request, socket, head, (client) => server.#connected(client, request));
    });
    server.#http.listen(0, '127.0.0.1');
    await once(server.#http, 'listening');
    return server;
  }

  get url(): string {
    return `ws://127.0.0.1:${(this.#http.address() as AddressInfo).port}`;
  }

  get clients(): WebSocket[] {
    return [...this.#handshakes.clients];
  }

  publish(...events: { seq: number }[]): void {
    this.events.push(...events);
    for (const payload of events) this.say({ $type: 'message', payload });
  }

  /** Sends a message to every client. */
  say(message: object): void {
    for (const client of this.clients) this.#send(client, message);
  }

  /** Ends every connection without a close frame. */
  cut(): void {
    for (const client of this.clients) client.terminate();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.cut();
    this.#http.close();
    this.#http.closeAllConnections();
  }

  #send(client: WebSocket, message: object): void {
    const text = JSON.stringify(message);
    const dictionary = this.dictionary?.bytes;
    client.send(this.#compressed.has(client) ? zstdCompressSync(text, { dictionary }) : text);
  }

  #connected(client: WebSocket, request: IncomingMessage): void {
    const query = queryOf(request);
    this.queries.push(query);
    if (query.has('zstdDictionary')) this.#compressed.add(client);
    // Any message from a client is an offence.
    client.on('message', () => client.close(1008));
    const cursor = query.get('cursor');
    if (cursor === null) return;
    const from = Number(cursor) >= 1e15 ? 0 : Number(cursor);
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
    const wrong = [...query.keys()].find((name) => /^(wanted|requireHello|compress|filter)/.test(name));
    const bad = (error: string, message: string) => ({ status: 400, error, message });
    if (wrong !== undefined) return bad('InvalidRequest', `${wrong} is of v1`);
    const cursor = query.get('cursor');
    if (cursor !== null && Number(cursor) < this.floor)
      return bad('CursorTooOld', `the oldest is ${this.floor}`);
    const id = query.get('zstdDictionary');
    if (id !== null && Number(id) !== this.dictionary?.id)
      return bad('UnknownZstdDictionary', `the current one is ${this.dictionary?.id}`);
    return undefined;
  }

  #plain(request: IncomingMessage, response: ServerResponse): void {
    this.plainUrls.push(request.url as string);
    if (request.url === '/xrpc/network.bsky.jetstream.getZstdDictionary' && this.dictionary !== undefined) {
      response.end(this.dictionary.bytes);
      return;
    }
    const upgrade = { status: 426, error: 'InvalidRequest', message: 'this is a WebSocket' };
    const { status, ...body } = this.#faultOf(request) ?? upgrade;
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
  }
}

function queryOf(request: IncomingMessage): URLSearchParams {
  return new URL(request.url as string, 'http://v2').searchParams;
}

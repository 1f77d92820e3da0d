// A server with v1's behaviour and nothing more: inclusive cursors, no progress, no dictionaries, parameters checked before
// the handshake. Events are handed in with their `time_us`, which may be shared or out of order.

import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type WebSocket, WebSocketServer } from 'ws';

/** A post, told apart by `name`. */
export function postEvent(name: string, timeUs: number, more: object = {}): object {
  const commit = {
    rev: `rev${name}`,
    operation: 'create',
    collection: 'app.bsky.feed.post',
    rkey: name,
    record: { $type: 'app.bsky.feed.post', text: name },
    cid: `bafy${name}`,
  };
  return { did: 'did:plc:aaaaaaaaaaaaaaaaaaaaaaaa', time_us: timeUs, kind: 'commit', commit, ...more };
}

/** What answers a request that is no handshake; return false to leave it to the server. */
export type Answer = (request: IncomingMessage, response: ServerResponse) => boolean;

/** See the file comment; `await using` closes it. */
export class V1Server implements AsyncDisposable {
  readonly #http = createServer((request, response) => this.#plain(request, response));
  readonly #handshakes = new WebSocketServer({ noServer: true });
  /** All that was published, in the order in which it is replayed. */
  readonly events: { time_us: number }[] = [];
  /** Queries of the handshakes, and of the plain requests for `/subscribe`. */
  readonly queries: URLSearchParams[] = [];
  readonly plainUrls: string[] = [];
  /** What clients sent. */
  readonly messages: string[] = [];
  /** Handshakes are refused with this. */
  refuse: { status: number; headers?: Record<string, string>; body?: string } | undefined;
  /** Handshakes that it says false to are refused with 400. */
  accepts: (request: IncomingMessage) => boolean = () => true;
  answer: Answer = () => false;
  /** Called with each connection, before the replay. */
  onConnection: (socket: WebSocket) => void = () => {};

  static async listen(): Promise<V1Server> {
    const server = new V1Server();
    server.#http.on('upgrade', (request, socket, head) => {
      const query = new URL(request.url as string, 'http://v1').searchParams;
      server.queries.push(query);
      if (server.refuse !== undefined || !server.accepts(request)) {
        const { status, headers = {} } = server.refuse ?? { status: 400 };
        const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
        socket.end(`HTTP/1.1 ${status} Refused\r\n${lines.join('')}Content-Length: 0\r\n\r\n`);
        return;
      }
      server.#handshakes.handleUpgrade(request, socket, head, (client) => server.#connected(client, query));
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

  publish(...events: object[]): void {
    this.events.push(...(events as { time_us: number }[]));
    for (const event of events) this.send(JSON.stringify(event));
  }

  send(message: string | Uint8Array): void {
    for (const client of this.clients) client.send(message);
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

  #connected(client: WebSocket, query: URLSearchParams): void {
    client.on('message', (data) => this.messages.push(data.toString()));
    this.onConnection(client);
    const cursor = query.get('cursor');
    if (cursor === null) return;
    for (const event of this.events) {
      if (event.time_us >= Number(cursor)) client.send(JSON.stringify(event));
    }
  }

  #plain(request: IncomingMessage, response: ServerResponse): void {
    this.plainUrls.push(request.url as string);
    if (this.answer(request, response)) return;
    const known = (request.url as string).startsWith('/subscribe');
    const { status, headers, body } = this.refuse ?? {
      status: known ? 400 : 404,
      body: known ? 'Bad Request\n' : '{"message":"Not Found"}\n',
    };
    response.writeHead(status, headers).end(body);
  }
}

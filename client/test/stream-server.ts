// What fake servers of both wires have in common: sockets on a port, what was asked, and ends of connections. What a wire says is
// v1-server.ts's and v2-server.ts's.

import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type WebSocket, WebSocketServer } from 'ws';

/** How a handshake is refused. */
export interface Refused {
  readonly status: number;
  readonly headers?: Record<string, string>;
}

/** See the file comment; `await using` closes it. */
export abstract class StreamServer implements AsyncDisposable {
  /** A query of the second wire may have 10,000 DIDs. */
  readonly #http = createServer({ maxHeaderSize: 1024 * 1024 }, (request, response) => {
    this.plainUrls.push(request.url as string);
    this.answerPlain(request, response);
  });
  readonly #handshakes = new WebSocketServer({ noServer: true });
  /** Queries of the handshakes, and the addresses of all other requests. */
  readonly queries: URLSearchParams[] = [];
  readonly plainUrls: string[] = [];
  /** What clients sent. */
  readonly messages: string[] = [];

  /** Serves on a free port. */
  protected async start(): Promise<this> {
    this.#http.on('upgrade', (request, socket, head) => {
      const query = queryOf(request);
      this.queries.push(query);
      const refused = this.refusalOf(request);
      if (refused !== undefined) {
        const lines = Object.entries(refused.headers ?? {}).map(([name, value]) => `${name}: ${value}\r\n`);
        socket.end(`HTTP/1.1 ${refused.status} Refused\r\n${lines.join('')}Content-Length: 0\r\n\r\n`);
        return;
      }
      this.#handshakes.handleUpgrade(request, socket, head, (client) => {
        client.on('message', (data) => {
          this.messages.push(data.toString());
          this.took(client, data.toString());
        });
        this.connected(client, query);
      });
    });
    this.#http.listen(0, '127.0.0.1');
    await once(this.#http, 'listening');
    return this;
  }

  get url(): string {
    return `ws://127.0.0.1:${(this.#http.address() as AddressInfo).port}`;
  }

  get clients(): WebSocket[] {
    return [...this.#handshakes.clients];
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

  /** Why a handshake is refused, if it is. */
  protected abstract refusalOf(request: IncomingMessage): Refused | undefined;
  /** A client is there: what it is sent first. */
  protected abstract connected(client: WebSocket, query: URLSearchParams): void;
  /** What a client's message comes to. */
  protected abstract took(client: WebSocket, message: string): void;
  /** Answers a request that is no handshake. */
  protected abstract answerPlain(request: IncomingMessage, response: ServerResponse): void;
}

/** The parameters of a request. */
export function queryOf(request: IncomingMessage): URLSearchParams {
  return new URL(request.url as string, 'http://server').searchParams;
}

// A server with v1's behaviour and nothing more: inclusive cursors, no progress, no dictionaries, parameters checked before
// the handshake. Events are handed in with their `time_us`, which may be shared or out of order.

import type { IncomingMessage, ServerResponse } from 'node:http';
import type { WebSocket } from 'ws';
import { type Refused, StreamServer } from './stream-server.ts';

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
export class V1Server extends StreamServer {
  /** All that was published, in the order in which it is replayed. */
  readonly events: { time_us: number }[] = [];
  /** Handshakes are refused with this. */
  refuse: (Refused & { readonly body?: string }) | undefined;
  /** Handshakes that it says false to are refused with 400. */
  accepts: (request: IncomingMessage) => boolean = () => true;
  answer: Answer = () => false;
  /** Called with each connection, before the replay. */
  onConnection: (socket: WebSocket) => void = () => {};

  static listen(): Promise<V1Server> {
    return new V1Server().start();
  }

  publish(...events: object[]): void {
    this.events.push(...(events as { time_us: number }[]));
    for (const event of events) this.send(JSON.stringify(event));
  }

  send(message: string | Uint8Array): void {
    for (const client of this.clients) client.send(message);
  }

  protected refusalOf(request: IncomingMessage): Refused | undefined {
    return this.refuse ?? (this.accepts(request) ? undefined : { status: 400 });
  }

  protected connected(client: WebSocket, query: URLSearchParams): void {
    this.onConnection(client);
    const cursor = query.get('cursor');
    if (cursor === null) return;
    for (const event of this.events) {
      if (event.time_us >= Number(cursor)) client.send(JSON.stringify(event));
    }
  }

  protected took(): void {}

  protected answerPlain(request: IncomingMessage, response: ServerResponse): void {
    if (this.answer(request, response)) return;
    const known = (request.url as string).startsWith('/subscribe');
    const { status, headers, body } = this.refuse ?? {
      status: known ? 400 : 404,
      body: known ? 'Bad Request\n' : '{"message":"Not Found"}\n',
    };
    response.writeHead(status, headers).end(body);
  }
}

// A test directory: what the PLC directory answers, and what the hosts of did:web accounts do, for the accounts of a network. It owns
// the listener and its faults; what it tells is did-documents.ts.

import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import type { AccountRecord } from './account-register.ts';
import { didDocument, plcEntries } from './did-documents.ts';
import { ExportStream, type OperationSource } from './export-stream.ts';

/** What a directory does wrong; it holds until it is changed. */
export interface DirectoryFaults {
  /** Answers with this HTTP status; 1 closes the socket without an answer; 0 answers as it should. */
  readonly refuseStatus: number;
  /** What it then says in `Retry-After`, in seconds; 0: nothing. */
  readonly retryAfter: number;
  /** So many refusals, after which it answers again; 0: until it is told. */
  readonly refusals: number;
  /** Milliseconds before it answers. */
  readonly answerDelayMs: number;
  /** Has no export stream, as a replica may: 404. */
  readonly hasNoStream: boolean;
  /** Operations that a cursor of the stream may be behind; further back it is closed with `OutdatedCursor`. */
  readonly streamCatchUpMax: number;
}

const noFaults: DirectoryFaults = {
  ...{ refuseStatus: 0, retryAfter: 0, refusals: 0, answerDelayMs: 0 },
  hasNoStream: false,
  streamCatchUpMax: Number.POSITIVE_INFINITY,
};
/** Lines of a page of the export, unless fewer are asked for. */
const exportMax = 1000;

/** Whose accounts it knows. */
export interface DirectorySource extends OperationSource {
  /** Those that have been seen. */
  records(): Iterable<AccountRecord>;
}

export interface DirectoryOptions {
  /** Default 0: one that is free. */
  readonly port?: number;
  /** Default 127.0.0.1. */
  readonly host?: string;
}

/** A listening directory. */
export class DirectoryServer {
  /** Requests so far, refused ones included. */
  requests = 0;
  readonly #source: DirectorySource;
  readonly #http: Server;
  readonly #stream: ExportStream;
  #faults = noFaults;

  private constructor(source: DirectorySource) {
    this.#source = source;
    this.#stream = new ExportStream(source);
    this.#http = createServer((request, response) => void this.#answer(request, response));
    this.#http.on(
      'upgrade',
      (request, socket: Socket, head: Buffer) => void this.#upgrade(request, socket, head),
    );
  }

  /** Rejects with the listener's error, `EADDRINUSE` for example. */
  static async listen(source: DirectorySource, options: DirectoryOptions = {}): Promise<DirectoryServer> {
    const server = new DirectoryServer(source);
    server.#http.listen(options.port ?? 0, options.host ?? '127.0.0.1');
    await once(server.#http, 'listening');
    return server;
  }

  /** `http://host:port`: the PLC directory, and with a `Host` header the host of a did:web account. */
  get url(): string {
    const { address, family, port } = this.#http.address() as AddressInfo;
    return `http://${family === 'IPv6' ? `[${address}]` : address}:${port}`;
  }

  setFaults(faults: Partial<DirectoryFaults>): void {
    this.#faults = { ...this.#faults, ...faults };
    this.#stream.catchUpMax = this.#faults.streamCatchUpMax;
  }

  /** Connections to the export stream. */
  get streams(): number {
    return this.#stream.connections;
  }

  /** Cuts them, as a network does. */
  cutStreams(): void {
    this.#stream.cut();
  }

  async close(): Promise<void> {
    this.#stream.cut();
    const closed = once(this.#http, 'close');
    this.#http.close();
    this.#http.closeAllConnections();
    await closed;
  }

  async #upgrade(request: IncomingMessage, socket: Socket, head: Buffer): Promise<void> {
    const url = new URL(request.url ?? '/', 'http://directory');
    socket.on('error', () => socket.destroy());
    if (this.#faults.refuseStatus === 0 && !this.#faults.hasNoStream && url.pathname === '/export/stream') {
      this.requests++;
      const cursor = url.searchParams.get('cursor');
      this.#stream.upgrade(request, socket, head, cursor === null ? undefined : Number(cursor));
      return;
    }
    const response = new ServerResponse(request);
    response.shouldKeepAlive = false;
    response.assignSocket(socket);
    response.once('finish', () => socket.end());
    await this.#answer(request, response);
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    this.requests++;
    const { refuseStatus, retryAfter, refusals, answerDelayMs } = this.#faults;
    if (answerDelayMs > 0) await delay(answerDelayMs, undefined, { ref: false });
    if (refuseStatus > 0) {
      if (refusals > 0)
        this.setFaults({ refusals: refusals - 1, ...(refusals === 1 ? { refuseStatus: 0 } : {}) });
      if (refuseStatus === 1) {
        request.socket.destroy();
        return;
      }
      if (retryAfter > 0) response.setHeader('retry-after', retryAfter);
      send(response, refuseStatus, { message: 'refused' });
      return;
    }
    const url = new URL(request.url ?? '/', 'http://directory');
    if (url.pathname === '/.well-known/did.json') {
      const host = (request.headers.host ?? '').replace(/:\d+$/, '');
      await this.#tell(response, `did:web:${host}`, didDocument);
    } else if (url.pathname === '/export') {
      await this.#export(response, url.searchParams);
    } else {
      const [, did = '', rest] = /^\/(did:plc:[a-z2-7]+)(\/log\/audit)?$/.exec(url.pathname) ?? [];
      await this.#tell(response, did, rest === undefined ? didDocument : plcEntries);
    }
  }

  async #tell(
    response: ServerResponse,
    did: string,
    tell: (record: AccountRecord) => unknown,
  ): Promise<void> {
    const record = await this.#source.recordOf(did);
    if (record === undefined) send(response, 404, { message: `DID not registered: ${did}` });
    else send(response, 200, tell(record));
  }

  /** Operations after a number, or in the older form after a moment, oldest first, one a line. */
  async #export(response: ServerResponse, query: URLSearchParams): Promise<void> {
    const after = query.get('after') ?? '';
    const count = Math.min(Number(query.get('count') ?? exportMax) || exportMax, exportMax);
    if (/^\d+$/.test(after)) {
      sendLines(response, await this.#stream.page(Number(after), count));
      return;
    }
    const entries = [...this.#source.records()]
      .filter(({ did }) => did.startsWith('did:plc:'))
      .flatMap(plcEntries)
      .filter(({ createdAt }) => createdAt > after)
      .sort((a, b) => (a.createdAt < b.createdAt ? -1 : 1))
      .slice(0, count);
    sendLines(response, entries);
  }
}

function sendLines(response: ServerResponse, entries: readonly unknown[]): void {
  response.writeHead(200, { 'content-type': 'application/jsonlines' });
  response.end(entries.map((entry) => JSON.stringify(entry)).join('\n'));
}

function send(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json' });
  response.end(JSON.stringify(body));
}

// Relays to connect to in tests: real servers on port 0, from well behaved (ws) down to raw bytes. And the handler that
// records what an upstream reports and waits for conditions on it.

import { createHash } from 'node:crypto';
import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { type WebSocket, WebSocketServer } from 'ws';
import type { DisconnectReason } from '../../lib/upstream/disconnect-reason.ts';
import { parseRelayUrl, type Relay } from '../../lib/upstream/relay-url.ts';
import { Upstream, type UpstreamHandler, type UpstreamOptions } from '../../lib/upstream/upstream.ts';

const deadlineMs = 8_000;
const acceptGuid = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';

/** Everything opened by a test; closed by `closeAll` in reverse order. */
const opened: (() => Promise<unknown>)[] = [];

export async function closeAll(): Promise<void> {
  for (const close of opened.splice(0).reverse()) await close();
}

export interface Disconnect {
  id: string;
  why: DisconnectReason;
  detail: string;
  retryInMs: number;
}

/** Records every call; `until` resolves as soon as a call makes its condition true. */
export class Recorder implements UpstreamHandler {
  cursors = new Map<string, number>();
  connects: { id: string; cursor: number | undefined }[] = [];
  disconnects: Disconnect[] = [];
  frames: Uint8Array[] = [];
  frameCount = 0;
  frameBytes = 0;
  texts = 0;
  /** Calls of `turnOver` that say so. */
  catches = 0;
  keepFrames = true;
  onFrame: ((bytes: Uint8Array, relay: Relay) => void) | undefined;
  onConnected: (() => void) | undefined;
  onDisconnected: ((event: Disconnect) => void) | undefined;
  #waiting = new Set<() => void>();

  cursorFor(relay: Relay): number | undefined {
    return this.cursors.get(relay.id);
  }

  connected(relay: Relay, cursor: number | undefined): void {
    this.connects.push({ id: relay.id, cursor });
    this.onConnected?.();
    this.#check();
  }

  frame(bytes: Uint8Array, relay: Relay): void {
    this.frameCount++;
    this.frameBytes += bytes.length;
    if (this.keepFrames) this.frames.push(bytes);
    this.onFrame?.(bytes, relay);
    this.#check();
  }

  notAFrame(): void {
    this.texts++;
    this.#check();
  }

  turnOver(isCaughtUp: boolean): void {
    if (isCaughtUp) this.catches++;
    this.#check();
  }

  disconnected(relay: Relay, why: DisconnectReason, detail: string, retryInMs: number): void {
    const event = { id: relay.id, why, detail, retryInMs };
    this.disconnects.push(event);
    this.onDisconnected?.(event);
    this.#check();
  }

  /** Also wakes `until`, for conditions on something that a server saw. */
  poke = (): void => this.#check();

  async until(what: string, condition: () => boolean): Promise<void> {
    if (condition()) return;
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const check = () => {
      if (condition()) resolve();
    };
    const timer = setTimeout(() => {
      const seen = JSON.stringify({ connects: this.connects, disconnects: this.disconnects.slice(-5) });
      reject(new Error(`not within ${deadlineMs} ms: ${what}; frames ${this.frameCount}; ${seen}`));
    }, deadlineMs);
    this.#waiting.add(check);
    await promise.finally(() => {
      clearTimeout(timer);
      this.#waiting.delete(check);
    });
  }

  whys(): DisconnectReason[] {
    return this.disconnects.map((event) => event.why);
  }

  #check(): void {
    for (const check of this.#waiting) check();
  }
}

/** An upstream that is stopped at the end of the test; retries are immediate unless `timing` says otherwise. */
export function makeUpstream(
  relays: readonly Relay[],
  handler: UpstreamHandler,
  options: Partial<UpstreamOptions> = {},
): Upstream {
  const timing = { retryMinMs: 0, retryFirstMs: 0, retryMaxMs: 0, closeTimeoutMs: 200, ...options.timing };
  const upstream = new Upstream({ relays, handler, userAgent: 'upstream-test/1', ...options, timing });
  opened.push(() => upstream.stop());
  return upstream;
}

export interface TestRelay {
  relay: Relay;
  port: number;
  /** Request target of every handshake, in order. */
  targets: string[];
  /** Stops listening and cuts every connection. */
  close(): Promise<void>;
}

/** A relay made of `ws`. */
export async function wsRelay(
  onConnection: (ws: WebSocket, request: IncomingMessage) => void,
  query = '',
): Promise<TestRelay> {
  const server = new WebSocketServer({ port: 0, host: '127.0.0.1', perMessageDeflate: true });
  const targets: string[] = [];
  server.on('connection', (ws, request) => {
    targets.push(request.url ?? '');
    ws.on('error', () => {});
    onConnection(ws, request);
  });
  await once(server, 'listening');
  const close = () => {
    for (const client of server.clients) client.terminate();
    return new Promise<void>((resolve) => server.close(() => resolve()));
  };
  return described((server.address() as AddressInfo).port, targets, close, query);
}

/** A TCP server that is handed each socket before anything was read from it. */
export async function rawRelay(onSocket: (socket: Socket) => void): Promise<TestRelay> {
  const sockets = new Set<Socket>();
  const server: Server = createServer({ noDelay: true }, (socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    socket.on('close', () => sockets.delete(socket));
    onSocket(socket);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const close = () => {
    for (const socket of sockets) socket.destroy();
    return new Promise<void>((resolve) => server.close(() => resolve()));
  };
  return described((server.address() as AddressInfo).port, [], close, '');
}

/** A TCP server that completes the WebSocket handshake by hand and is then handed the socket. */
export function shakenRelay(
  onOpen: (socket: Socket) => void,
  onData: (chunk: Buffer, socket: Socket) => void = () => {},
): Promise<TestRelay> {
  return rawRelay((socket) => {
    let request = '';
    let open = false;
    socket.on('data', (chunk: Buffer) => {
      if (open) {
        onData(chunk, socket);
        return;
      }
      request += chunk.toString('latin1');
      if (!request.includes('\r\n\r\n')) return;
      open = true;
      socket.write(switching(request));
      onOpen(socket);
    });
  });
}

function switching(request: string): string {
  const key = /^sec-websocket-key: (.*)\r$/im.exec(request)?.[1] ?? '';
  const accept = createHash('sha1')
    .update(key + acceptGuid)
    .digest('base64');
  return `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`;
}

/** An HTTP server that answers every request with these bytes. */
export function answeringRelay(answer: string): Promise<TestRelay> {
  return rawRelay((socket) => {
    socket.once('data', () => socket.end(answer));
  });
}

/** A relay on a port where nothing listens. */
export async function deadRelay(): Promise<TestRelay> {
  const relay = await rawRelay(() => {});
  await relay.close();
  return relay;
}

/** A server frame, unmasked. */
export function serverFrame(payload: Uint8Array, opcode = 0x2, fin = true): Buffer {
  const first = (fin ? 0x80 : 0) | opcode;
  if (payload.length < 126) return Buffer.concat([Buffer.of(first, payload.length), payload]);
  return Buffer.concat([hugeHeader(first, payload.length), payload]);
}

/** The header of a frame that is announced with a 64-bit length. */
export function hugeHeader(first: number, bytes: number): Buffer {
  const header = Buffer.alloc(10);
  header[0] = first;
  header[1] = 127;
  header.writeBigUInt64BE(BigInt(bytes), 2);
  return header;
}

function described(port: number, targets: string[], close: () => Promise<void>, query: string): TestRelay {
  let closing: Promise<void> | undefined;
  const closeOnce = () => {
    closing ??= close();
    return closing;
  };
  opened.push(closeOnce);
  return { relay: parseRelayUrl(`ws://127.0.0.1:${port}${query}`), port, targets, close: closeOnce };
}

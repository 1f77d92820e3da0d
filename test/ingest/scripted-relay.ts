// A relay that does what a test says, connection by connection: a plain WebSocket server that sends identity frames, each of
// which says its own name. Unlike the simulator it has no history and no order of its own.

import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type WebSocket, WebSocketServer } from 'ws';
import { encodeError, encodeMessage } from '../../simulator/lib/frame-encoder.ts';

const did = 'did:plc:aaaaaaaaaaaaaaaaaaaaaaaa';

/** One frame of a script. */
export function frame(seq: number, name = `n${seq}`, time = new Date().toISOString()): Uint8Array {
  return encodeMessage('#identity', { seq, did, time, handle: `${name}.test` });
}

/** Frames of consecutive numbers. */
export function frames(first: number, count: number, prefix = 'n'): Uint8Array[] {
  return Array.from({ length: count }, (_, at) => frame(first + at, `${prefix}${first + at}`));
}

/** What a relay does with a connection; `cursor` is what was asked for. */
export type Script = (socket: WebSocket, cursor: number | undefined) => void;

/** See the file comment. Each connection has the next script; the last one has all that follow. */
export class ScriptedRelay implements AsyncDisposable {
  readonly cursors: (number | undefined)[] = [];
  readonly #server: WebSocketServer;
  readonly #scripts: readonly Script[];

  private constructor(server: WebSocketServer, scripts: readonly Script[]) {
    this.#server = server;
    this.#scripts = scripts;
    server.on('connection', (socket: WebSocket, request: IncomingMessage) => {
      const text = new URL(request.url ?? '/', 'http://relay').searchParams.get('cursor');
      const cursor = text === null ? undefined : Number(text);
      const script = this.#scripts[Math.min(this.cursors.length, this.#scripts.length - 1)];
      this.cursors.push(cursor);
      script(socket, cursor);
    });
  }

  static async listen(...scripts: Script[]): Promise<ScriptedRelay> {
    const server = new WebSocketServer({ port: 0, host: '127.0.0.1', perMessageDeflate: false });
    await once(server, 'listening');
    return new ScriptedRelay(server, scripts);
  }

  get url(): string {
    return `ws://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#server.clients) socket.terminate();
    this.#server.close();
    await once(this.#server, 'close');
  }
}

/** Sends frames, then closes if told to. */
export function send(socket: WebSocket, messages: readonly Uint8Array[], isLast = false): void {
  for (const message of messages) socket.send(message);
  if (isLast) socket.close(1001);
}

/** Answers with `FutureCursor`, as relays do, and closes. */
export const futureCursor: Script = (socket) =>
  send(socket, [encodeError('FutureCursor', 'Cursor in the future.')], true);

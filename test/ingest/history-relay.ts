// A relay with a history of its own numbers: serves frames after a cursor, as far as they are published, and live ones. Several of
// them have the same commits, each in its own order and under its own numbers, as the relays of one network do.

import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type WebSocket, WebSocketServer } from 'ws';
import {
  decodeFrame,
  encodeError,
  encodeMessage,
  type MessageType,
} from '../../simulator/lib/frame-encoder.ts';
import { SyntheticNetwork } from '../../simulator/lib/network.ts';

/** A frame of the network, before a relay numbers it. */
export interface NetworkFrame {
  readonly type: MessageType;
  readonly body: Readonly<Record<string, unknown>>;
  readonly timeMs: number;
}

/** Commits of a synthetic network, one every `stepMs`, the last of them now. */
export async function networkFrames(count: number, stepMs: number): Promise<NetworkFrame[]> {
  const network = new SyntheticNetwork({ accounts: 40, seed: 'relays' });
  const frames: NetworkFrame[] = [];
  const startMs = Date.now() - count * stepMs;
  while (frames.length < count) {
    const made = await network.next();
    if (made.kind !== 'commit') continue;
    const { header, body } = decodeFrame(made.bytes);
    frames.push({ type: header.t as MessageType, body, timeMs: startMs + frames.length * stepMs });
  }
  return frames;
}

/** Account and revision of a frame: which commit it is. */
export function commitOf({ body }: NetworkFrame): string {
  return `${body.repo} ${body.rev}`;
}

/** See the file comment. */
export class HistoryRelay implements AsyncDisposable {
  readonly cursors: (number | undefined)[] = [];
  /** Ends every connection before a frame is sent. */
  isDown = false;
  /** So many readers with a cursor are told that it is in the future. */
  futureCursors = 0;
  /** The next reader with a cursor gets so many frames from before it. */
  rewind = 0;
  readonly #server: WebSocketServer;
  readonly #history: { readonly seq: number; readonly bytes: Uint8Array }[] = [];
  #nextSeq: number;

  private constructor(server: WebSocketServer, firstSeq: number) {
    this.#server = server;
    this.#nextSeq = firstSeq;
    server.on('connection', (socket: WebSocket, request: IncomingMessage) => this.#accept(socket, request));
  }

  static async listen(firstSeq: number): Promise<HistoryRelay> {
    const server = new WebSocketServer({ port: 0, host: '127.0.0.1', perMessageDeflate: false });
    await once(server, 'listening');
    return new HistoryRelay(server, firstSeq);
  }

  get url(): string {
    return `ws://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** The number of the next frame. */
  get nextSeq(): number {
    return this.#nextSeq;
  }

  get readers(): number {
    return this.#server.clients.size;
  }

  /** Numbers frames, keeps them and sends them to all readers. */
  publish(frames: readonly NetworkFrame[]): void {
    for (const { type, body, timeMs } of frames) {
      const seq = this.#nextSeq++;
      const bytes = encodeMessage(type, { ...body, seq, time: new Date(timeMs).toISOString() });
      this.#history.push({ seq, bytes });
      this.send(bytes);
    }
  }

  /** Sends something that is in no history. */
  send(bytes: Uint8Array): void {
    for (const socket of this.#server.clients) socket.send(bytes);
  }

  /** Leaves out numbers. */
  skip(numbers: number): void {
    this.#nextSeq += numbers;
  }

  /** Goes on with other numbers; what was before cannot be asked for any more. */
  numberFrom(seq: number): void {
    this.#nextSeq = seq;
    this.#history.length = 0;
  }

  /** Forgets all but the newest frames. */
  keep(frames: number): void {
    this.#history.splice(0, Math.max(0, this.#history.length - frames));
  }

  dropConnections(): void {
    for (const socket of this.#server.clients) socket.terminate();
  }

  goDown(): void {
    this.isDown = true;
    this.dropConnections();
  }

  #accept(socket: WebSocket, request: IncomingMessage): void {
    const text = new URL(request.url ?? '/', 'http://relay').searchParams.get('cursor');
    const cursor = text === null ? undefined : Number(text);
    this.cursors.push(cursor);
    if (this.isDown) {
      socket.close(1001);
      return;
    }
    if (cursor === undefined) return;
    if (cursor >= this.#nextSeq || this.futureCursors > 0) {
      this.futureCursors = Math.max(0, this.futureCursors - 1);
      socket.send(encodeError('FutureCursor', 'Cursor in the future.'));
      socket.close(1008);
      return;
    }
    const after = this.#history.findIndex(({ seq }) => seq > cursor);
    const from = Math.max(0, (after < 0 ? this.#history.length : after) - this.rewind);
    this.rewind = 0;
    for (const { bytes } of this.#history.slice(from)) socket.send(bytes);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.dropConnections();
    this.#server.close();
    await once(this.#server, 'close');
  }
}

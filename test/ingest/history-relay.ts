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
  /** Frames before this one are not kept. */
  oldest = 0;
  #published = 0;
  readonly #server: WebSocketServer;
  readonly #frames: readonly NetworkFrame[];
  readonly #firstSeq: number;

  private constructor(server: WebSocketServer, frames: readonly NetworkFrame[], firstSeq: number) {
    this.#server = server;
    this.#frames = frames;
    this.#firstSeq = firstSeq;
    server.on('connection', (socket: WebSocket, request: IncomingMessage) => this.#accept(socket, request));
  }

  static async listen(frames: readonly NetworkFrame[], firstSeq: number): Promise<HistoryRelay> {
    const server = new WebSocketServer({ port: 0, host: '127.0.0.1', perMessageDeflate: false });
    await once(server, 'listening');
    return new HistoryRelay(server, frames, firstSeq);
  }

  get url(): string {
    return `ws://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** Publishes frames up to, not including, that index. */
  publishTo(end: number): void {
    for (; this.#published < end; this.#published++) {
      const bytes = this.#bytesAt(this.#published);
      for (const socket of this.#server.clients) socket.send(bytes);
    }
  }

  goDown(): void {
    this.isDown = true;
    for (const socket of this.#server.clients) socket.terminate();
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
    if (cursor >= this.#firstSeq + this.#published) {
      socket.send(encodeError('FutureCursor', 'Cursor in the future.'));
      socket.close(1008);
      return;
    }
    const from = Math.max(this.oldest, cursor + 1 - this.#firstSeq, 0);
    for (let at = from; at < this.#published; at++) socket.send(this.#bytesAt(at));
  }

  #bytesAt(at: number): Uint8Array {
    const { type, body, timeMs } = this.#frames[at];
    return encodeMessage(type, { ...body, seq: this.#firstSeq + at, time: new Date(timeMs).toISOString() });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#server.clients) socket.terminate();
    this.#server.close();
    await once(this.#server, 'close');
  }
}

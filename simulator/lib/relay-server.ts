// A relay to test against: serves `com.atproto.sync.subscribeRepos` from a source of frames, at a rate or as fast as
// readers take it, with cursors, a backlog and faults on demand. Owns the listener, the head of the history and the
// timer; what the frames are is the source's business, and a reader's pace its connection's.

import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import { type WebSocket, WebSocketServer } from '../../lib/websocket.ts';
import { encodeError, encodeInfo, encodeMessage } from './frame-encoder.ts';
import type { FrameSource } from './frame-source.ts';
import { Pace } from './pace.ts';
import { type CutKind, RelayConnection, type RelayFeed } from './relay-connection.ts';
import { noFaults, type RelayFaults } from './relay-faults.ts';
import { readHandshake, refuse } from './relay-handshake.ts';

/** Milliseconds between readings of the clock while a rate is set. */
const tickMs = 5;
/** Frames published at once for readers that take as many as they can. */
const burstFrames = 256;
const connectionsMax = 256;

/** How a relay is set up. */
export interface RelayServerOptions {
  readonly source: FrameSource;
  /** Default 0: one that is free. */
  readonly port?: number;
  /** Default 127.0.0.1. */
  readonly host?: string;
  /** Default 0: only {@link RelayServer.publish} publishes. Infinity: as fast as the fastest reader takes them. */
  readonly framesPerSecond?: number;
  /** Frames published before the first reader comes. Default 0. */
  readonly backlogFrames?: number;
  readonly faults?: Partial<RelayFaults>;
  /** Milliseconds for pacing. Default: the monotonic clock. */
  readonly nowMs?: () => number;
}

/** A listening relay. */
export class RelayServer implements RelayFeed {
  readonly source: FrameSource;
  readonly #http: Server;
  readonly #handshakes = new WebSocketServer({ noServer: true, perMessageDeflate: false });
  readonly #connections = new Set<RelayConnection>();
  readonly #sockets = new Set<Duplex>();
  readonly #nowMs: () => number;
  readonly #pace: Pace;
  #faults: RelayFaults;
  #head = 0;
  /** Position after the frames that are published or in the making. */
  #planned = 0;
  #accepted = 0;
  readonly #awaited = new Set<() => void>();
  #timer: NodeJS.Timeout | undefined;
  #closed = false;
  /** Set while a source works on frames for the timer or for readers. */
  #preparing = false;

  private constructor(options: RelayServerOptions) {
    this.source = options.source;
    this.#nowMs = options.nowMs ?? (() => performance.now());
    this.#pace = new Pace(0, this.#nowMs());
    this.#faults = { ...noFaults, ...options.faults };
    this.#http = createServer((request, response) => {
      const found = request.url === '/xrpc/_health';
      response.writeHead(found ? 200 : 404, { 'content-type': 'application/json' });
      response.end(found ? '{"version":"relay-sim"}' : '{"error":"NotFound"}');
    });
    this.#http.on('upgrade', (request, socket, head) => void this.#upgrade(request, socket, head));
  }

  /** Starts a relay. Rejects with the listener's error, `EADDRINUSE` for example. */
  static async listen(options: RelayServerOptions): Promise<RelayServer> {
    const server = new RelayServer(options);
    await server.publish(options.backlogFrames ?? 0);
    server.#http.listen(options.port ?? 0, options.host ?? '127.0.0.1');
    await once(server.#http, 'listening');
    server.setRate(options.framesPerSecond ?? 0);
    return server;
  }

  /** `ws://host:port`, without a path. */
  get url(): string {
    const { address, family, port } = this.#http.address() as AddressInfo;
    return `ws://${family === 'IPv6' ? `[${address}]` : address}:${port}`;
  }

  /** Frames published. */
  get head(): number {
    return this.#head;
  }

  /** Sequence of the newest published frame; the one before the first frame's while there is none. */
  get headSeq(): number {
    return this.#head > 0 ? this.source.seqAt(this.#head - 1) : this.source.seqAt(0) - 1;
  }

  /** Readers connected. */
  get connections(): number {
    return this.#connections.size;
  }

  /** Handshakes completed since the start. */
  get accepted(): number {
    return this.#accepted;
  }

  /** Fulfilled when that many readers are connected, or the relay is closed. */
  async readers(count: number): Promise<void> {
    while (this.#connections.size < count && !this.#closed) {
      await new Promise<void>((resolve) => this.#awaited.add(resolve));
    }
  }

  get faults(): RelayFaults {
    return this.#faults;
  }

  /** Frames a second from now on: 0 stops, Infinity publishes what the fastest reader takes. */
  setRate(framesPerSecond: number): void {
    this.#pace.setRate(framesPerSecond, this.#nowMs());
    clearInterval(this.#timer);
    this.#timer = undefined;
    if (framesPerSecond > 0 && Number.isFinite(framesPerSecond) && !this.#closed) {
      this.#timer = setInterval(() => this.#publishDue(), tickMs);
    }
    this.#pumpAll();
  }

  /** Publishes that many frames now; fulfilled when they are published, not when they are read. */
  async publish(frames: number): Promise<void> {
    const end = this.#plan(frames);
    const work = this.source.prepare(end);
    if (work !== undefined) {
      await work;
    }
    this.#advanceTo(end);
  }

  /** Changes some settings of misbehaviour; see {@link RelayFaults}. */
  setFaults(faults: Partial<RelayFaults>): void {
    this.#faults = { ...this.#faults, ...faults };
    this.#pumpAll();
  }

  /** Ends every connection now. */
  dropConnections(kind: CutKind = 'end'): void {
    for (const connection of this.#connections) {
      connection.cut(kind);
    }
  }

  /** Ends every connection within a frame, as a network does. */
  dropConnectionsMidFrame(): void {
    for (const connection of this.#connections) {
      connection.cutMidFrame();
    }
  }

  /** Sends a message to every reader, after what was written to it so far; text goes as a text message. */
  sendRaw(message: Uint8Array | string): void {
    for (const connection of this.#connections) {
      connection.sendRaw(message);
    }
  }

  /** Leaves out `by` sequences before the next frame. @throws CodedError `SIMULATOR_SEQUENCE_FIXED` for a recording. */
  jumpSequence(by: number): void {
    this.source.jumpTo(this.#planned, this.source.seqAt(this.#planned) + by);
  }

  /** Numbers the next frame `seq` and forgets the backlog, as a relay that was set up anew. @throws as jumpSequence. */
  restartSequence(seq: number): void {
    this.source.restartAt(this.#planned, seq);
  }

  /** Ends every connection and the listener. */
  async close(): Promise<void> {
    if (this.#closed) {
      return;
    }
    this.#closed = true;
    this.#wake();
    clearInterval(this.#timer);
    const closed = once(this.#http, 'close');
    this.#http.close();
    this.dropConnections('reset');
    for (const socket of this.#sockets) {
      socket.destroy();
    }
    this.#http.closeAllConnections();
    await closed;
  }

  /** Part of {@link RelayFeed}: for connections only. */
  wantMore(): void {
    if (this.#pace.framesPerSecond === Number.POSITIVE_INFINITY) {
      this.#advanceBy(burstFrames);
    }
  }

  #publishDue(): void {
    if (!this.#preparing) {
      this.#advanceBy(this.#pace.take(this.#nowMs()));
    }
  }

  #advanceBy(frames: number): void {
    if (frames === 0 || this.#preparing || this.#closed) {
      return;
    }
    const end = this.#plan(frames);
    const work = this.source.prepare(end);
    if (work === undefined) {
      this.#advanceTo(end);
      return;
    }
    this.#preparing = true;
    void work.then(() => {
      this.#preparing = false;
      this.#advanceTo(end);
    });
  }

  /** Reserves positions for frames that are about to be made; returns where they end. */
  #plan(frames: number): number {
    const { fallBack } = this.#faults;
    if (fallBack > 0 && this.#head > 0) {
      this.setFaults({ fallBack: 0 });
      this.#fallBack(fallBack);
    }
    this.#planned = Math.min(this.#planned + frames, this.source.length);
    return this.#planned;
  }

  #advanceTo(end: number): void {
    if (end > this.#head) {
      this.#head = end;
      this.#pumpAll();
      this.#sendOdd();
    }
  }

  #fallBack(by: number): void {
    this.restartSequence(Math.max(1, this.source.seqAt(this.#planned) - by));
  }

  /** The frame of the fault `oddSequence`: nobody's, and in no history. */
  #sendOdd(): void {
    const { oddSequence } = this.#faults;
    if (oddSequence === 0 || this.#connections.size === 0) return;
    this.setFaults({ oddSequence: 0 });
    const did = 'did:plc:oddoddoddoddoddoddoddodd';
    const time = new Date().toISOString();
    this.sendRaw(
      encodeMessage('#identity', { seq: this.headSeq + oddSequence, did, time, handle: 'odd.test' }),
    );
  }

  #pumpAll(): void {
    for (const connection of this.#connections) {
      connection.pump();
    }
  }

  async #upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> {
    this.#sockets.add(socket);
    socket.on('close', () => this.#sockets.delete(socket));
    socket.on('error', () => socket.destroy());
    const { acceptDelayMs } = this.#faults;
    if (acceptDelayMs > 0) {
      await delay(acceptDelayMs, undefined, { ref: false });
    }
    const { refuseStatus } = this.#faults;
    if (refuseStatus === 1 || socket.destroyed) {
      socket.destroy();
      return;
    }
    const full = this.#connections.size >= connectionsMax;
    const handshake = readHandshake(request.url ?? '/', refuseStatus, full);
    if (handshake.refusal !== undefined) {
      refuse(socket, handshake.refusal);
      return;
    }
    this.#handshakes.handleUpgrade(request, socket, head, (webSocket) =>
      this.#accept(webSocket, socket as Socket, handshake.cursor),
    );
  }

  #accept(webSocket: WebSocket, socket: Socket, cursor: number | undefined): void {
    const { source } = this;
    webSocket.on('error', () => socket.destroy());
    const asked = cursor === undefined ? undefined : this.#cursorTaken(cursor);
    if (asked === 'future') {
      webSocket.send(encodeError('FutureCursor', 'Cursor in the future.'));
      webSocket.close(1008);
      return;
    }
    this.#accepted++;
    let position = this.#head;
    if (asked !== undefined) {
      position = source.positionAfter(asked, this.#head);
      const outdated =
        position < this.#head && this.#isOldest(position) && asked < source.seqAt(position) - 1;
      if (outdated) {
        webSocket.send(
          encodeInfo('OutdatedCursor', 'Requested cursor exceeded limit. Possibly missing events'),
        );
      }
      const { rewindFrames, skipFrames } = this.#faults;
      position = Math.max(Math.min(position + skipFrames, this.#head) - rewindFrames, source.firstPosition);
    }
    socket.setNoDelay(true);
    const connection = new RelayConnection(this, webSocket, socket, position);
    this.#connections.add(connection);
    this.#wake();
    webSocket.on('close', () => this.#connections.delete(connection));
    connection.pump();
  }

  /** What becomes of a cursor: itself, `future` if the relay says that it does not know it, or live. */
  #cursorTaken(cursor: number): number | 'future' | undefined {
    const { fallBackOnReconnect, futureCursors, ignoreCursor } = this.#faults;
    if (fallBackOnReconnect > 0) {
      this.setFaults({ fallBackOnReconnect: 0 });
      this.#fallBack(fallBackOnReconnect);
      return undefined;
    }
    if (ignoreCursor) return undefined;
    if (futureCursors > 0) {
      this.setFaults({ futureCursors: futureCursors - 1 });
      return 'future';
    }
    return cursor > this.headSeq ? 'future' : cursor;
  }

  #wake(): void {
    for (const resolve of this.#awaited) resolve();
    this.#awaited.clear();
  }

  /** True if no cursor leads to an earlier frame. */
  #isOldest(position: number): boolean {
    return this.source.positionAfter(-1, this.#head) === position;
  }
}

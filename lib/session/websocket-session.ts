// One subscriber's connection after the handshake: the `Transport` of the delivery loop on one side, a WebSocket on the
// other. Events go to the raw socket as they are; ping, pong and close go through ws. It owns the socket's end and
// the client's messages; it knows no log, no cursor arithmetic and no HTTP. Created by lib/http/subscribe-route.ts.

import type { Socket } from 'node:net';
import type { Gap } from '../event/coverage.ts';
import type { Filter } from '../event/filter.ts';
import { messageOf } from '../event/websocket-frame.ts';
import type { Encoding } from '../fanout/encodings.ts';
import type { CloseReason, Progress, Subscription, Transport } from '../fanout/transport.ts';
import { closeGoingAway, closePolicy, closeTryAgainLater, cutCloseReason } from '../wire/server-messages.ts';
import { type SessionWire, v1Wire, type WireClose } from '../wire/session-wire.ts';
import type { SubscribeRequest } from '../wire/subscribe-query.ts';
import { ControlFrames } from './control-frames.ts';
import type { HeldKind, Holding } from './held-bytes.ts';
import { IncomingMessages, type MessageReader } from './incoming-messages.ts';
import { clientBytesPerSecondMax, MessageRate, messageTimeoutMs } from './message-rate.ts';
import { endMsOf, endOf, type SessionEnd } from './session-counts.ts';
import type { SessionHost } from './session-host.ts';
import { listen, type SocketListener } from './socket-listener.ts';
import { bytesTaken, SubscriberLiveness } from './subscriber-liveness.ts';
import type { ClosedBy, SubscriberSocket } from './subscriber-socket.ts';
import type { Turns } from './turns.ts';

/** What the WebSocket sessions of a listener share. */
export interface WebSocketSessionHost extends SessionHost<WebSocketSession> {
  /** For reading what is long. */
  readonly turns: Turns;
}

/** What a session is made from. */
export interface SessionOptions {
  readonly ws: SubscriberSocket;
  /** The socket under `ws`. */
  readonly socket: Socket;
  /** What its client makes this thread hold. */
  readonly holding: Holding;
  readonly host: WebSocketSessionHost;
  /** What the client asked for, and where delivery starts is `afterTimeUs`. Not kept: its filter may be large. */
  readonly request: Pick<SubscribeRequest, 'filter' | 'encoding' | 'requireHello' | 'progress'>;
  /** Which it speaks; without, the first. */
  readonly wire?: SessionWire;
  /** What the client is told before anything else. */
  readonly notice?: string | undefined;
  /** The client's address, as limits count it. */
  readonly remoteAddress: string;
  /** Where delivery starts; undefined is live. Fixed here, also when delivery waits for a hello. */
  readonly afterTimeUs: number | undefined;
}

/** `WebSocket.OPEN`. */
const open = 1;

/**
 * See the file comment. Subscribes in the constructor unless a hello is required. Memory held for a client that reads
 * nothing: one `write` beyond the socket's high-water mark (64 KiB). Of what a client sends: one unfinished message, and what
 * waits for its turn. All of it is counted by its holding. It keeps no timer: its owner visits it (session-timer.ts).
 */
export class WebSocketSession implements Transport, MessageReader, SocketListener {
  readonly encoding: Encoding;
  readonly remoteAddress: string;
  readonly wantsProgress: boolean;
  readonly wantsGaps: boolean;
  readonly socket: Socket;
  readonly #ws: SubscriberSocket;
  readonly #host: WebSocketSessionHost;
  readonly #holding: Holding;
  readonly #afterTimeUs: number | undefined;
  readonly #wire: SessionWire;
  readonly #control: ControlFrames;
  readonly #incoming: IncomingMessages;
  readonly #liveness = new SubscriberLiveness();
  readonly #rate = new MessageRate();
  /** Of the filter in force. */
  #maxMessageSizeBytes: number;
  #subscription: Subscription | undefined;
  /** The delivery loop was told to wait for `drained`. */
  #full = false;
  #ending: SessionEnd | undefined;
  /** When the next ping is due or, once the end has begun, the socket's end; of `performance.now()`. */
  #dueMs: number;

  constructor(options: SessionOptions) {
    const { ws, socket, holding, host, request, remoteAddress, afterTimeUs, notice } = options;
    this.encoding = request.encoding;
    this.remoteAddress = remoteAddress;
    this.wantsProgress = request.progress;
    this.wantsGaps = request.progress;
    this.#ws = ws;
    this.socket = socket;
    this.#host = host;
    this.#wire = options.wire ?? v1Wire;
    this.#control = new ControlFrames(ws, socket);
    this.#incoming = new IncomingMessages(this, ws, holding, host.turns);
    this.#holding = holding;
    holding.letGo = this.#letGo;
    this.#afterTimeUs = afterTimeUs;
    this.#maxMessageSizeBytes = request.filter.maxMessageSizeBytes;
    this.#dueMs = performance.now() + host.timing.pingIntervalMs;
    host.counts.opened++;
    listen(ws, socket, this);
    if (notice !== undefined) this.#say(notice);
    if (!request.requireHello) this.#subscribe(request.filter);
  }

  /** Takes whole messages (see `Transport`). After the end has begun it takes nothing and says that it is full. */
  write(bytes: Uint8Array): boolean {
    if (this.#ws.readyState !== open) return false;
    this.socket.write(bytes);
    // What the kernel has taken at once no longer counts, so a fast reader is never found full. Lower marks save nothing,
    // a replay costs the same with any from 0 to 128 KiB, and no `drain` would follow.
    this.#full = this.socket.writableLength > this.socket.writableHighWaterMark;
    if (this.#full) this.#holding.set('answer', this.socket.writableLength);
    return !this.#full;
  }

  get hasUnsent(): boolean {
    return this.socket.writableLength > 0;
  }

  get isEnding(): boolean {
    return this.#ending !== undefined;
  }

  progress(report: Progress): void {
    this.#say(this.#wire.progressOf(report));
  }

  gap(gap: Gap): boolean {
    this.#say(this.#wire.gapOf(gap));
    return !this.#full;
  }

  /** Sends a message beside events. */
  #say(text: string): void {
    this.write(this.encoding.message?.(text) ?? messageOf(text));
  }

  /** Called by the delivery loop: ends the connection with a close frame. */
  close(reason: CloseReason): void {
    this.#closeBy(reason, this.#wire.closeOf(reason, this.#cursor));
  }

  /** Ends the connection because the server stops. */
  stop(): void {
    this.#close('server_stopping', closeGoingAway, 'server shutting down');
  }

  destroy(): void {
    this.#ws.terminate();
  }

  readonly #letGo = (kind: HeldKind): void => {
    if (kind === 'message') {
      this.#abandon('message_unfinished', closeTryAgainLater, 'no room for this message: try again later');
    } else {
      // What it has not taken is in the way of a close frame.
      this.#begin('no_room_for_answer');
      this.destroy();
    }
  };

  /** Does what is due. Called in short intervals, from the start until the session is gone. */
  visit(nowMs: number): void {
    const { stallTimeoutMs, pingIntervalMs } = this.#host.timing;
    const { writableLength } = this.socket;
    this.#holding.set('answer', writableLength);
    const isStalled = this.#liveness.stalledFor(
      stallTimeoutMs,
      nowMs,
      bytesTaken(this.socket),
      writableLength,
    );
    if (isStalled && stallTimeoutMs > 0) {
      const seconds = stallTimeoutMs / 1000;
      const text = `no progress for ${seconds}s: read faster, or filter more`;
      this.#closeBy('stalled', this.#wire.stallOf(text, this.#cursor));
    }
    if (this.#incoming.unfinishedMs(nowMs) >= messageTimeoutMs) {
      const seconds = messageTimeoutMs / 1000;
      this.#abandon('message_unfinished', closePolicy, `a message did not end within ${seconds}s`);
    }
    if (nowMs < this.#dueMs) return;
    if (this.#ending !== undefined) {
      this.destroy();
    } else {
      this.#dueMs = nowMs + pingIntervalMs;
      this.#ping();
    }
  }

  #subscribe(filter: Filter): void {
    if (this.#ending !== undefined) return;
    this.#subscription = this.#host.source.subscribe(this, filter, this.#afterTimeUs);
    // The source may have closed this session before it returned.
    if (this.#ending !== undefined) this.#subscription.end();
  }

  message(data: Buffer, isBinary: boolean): void {
    this.#incoming.ended();
    if (!this.#affords(data.length) || this.#ws.readyState !== open) return;
    if (this.#wire.readMessage === undefined) this.#refuseMessage();
    else if (isBinary) this.#host.counts.message('ignored_binary');
    else this.#incoming.take(data);
  }

  /** With which it would go on; undefined before delivery has begun. */
  get #cursor(): number | undefined {
    const positionUs = this.#subscription?.positionUs;
    return positionUs === undefined ? undefined : positionUs + 1;
  }

  #refuseMessage(): void {
    if (this.#ending !== undefined) return;
    this.#host.counts.message('failure');
    this.#close('bad_message', closePolicy, 'this stream takes no messages');
  }

  violated(error: Error): void {
    if (this.#wire.readMessage === undefined && this.#ws.isAboutMessage(error)) this.#refuseMessage();
    else this.#ws.answerViolation(error);
  }

  read(data: Buffer): void {
    const { counts } = this.#host;
    const message = this.#wire.readMessage?.(data.toString(), this.#maxMessageSizeBytes);
    switch (message?.kind) {
      case 'ignored':
        counts.message('ignored_type');
        return;
      case 'failure':
        counts.message('failure');
        this.#closeBy('bad_message', this.#wire.failureOf(message.reason));
        return;
      case 'update':
        counts.message('update');
        this.#maxMessageSizeBytes = message.filter.maxMessageSizeBytes;
        if (this.#subscription === undefined) this.#subscribe(message.filter);
        else this.#subscription.setFilter(message.filter);
    }
  }

  /** What has come has been read. */
  received(): void {
    if (this.#wire.readMessage === undefined && this.#ws.isInMessage) this.#refuseMessage();
    this.#incoming.received();
    this.#control.read();
  }

  /** Counts a message or ping; false when the client sends too much, which ends it. */
  #affords(bytes: number): boolean {
    if (this.#rate.take(bytes, performance.now())) return true;
    const mostBytes = clientBytesPerSecondMax.toLocaleString('en');
    const reason = `more than ${mostBytes} bytes of messages a second: send fewer, or shorter ones`;
    this.#abandon('too_many_messages', closePolicy, reason);
    return false;
  }

  /** Ends the connection and looks at nothing more that the client sends. */
  #abandon(why: SessionEnd, code: number, reason: string): void {
    this.#incoming.drop();
    this.#close(why, code, reason);
    this.#ws.dropInput();
  }

  #ping(): void {
    const { bytesRead, writableLength } = this.socket;
    if (this.#liveness.silentAtPing(bytesRead, bytesTaken(this.socket), writableLength)) {
      this.#begin('client_silent');
      this.destroy();
    } else {
      this.#control.ping();
    }
  }

  pinged(payload: Buffer): void {
    if (this.#affords(payload.length) && this.#ws.readyState === open) this.#control.pong(payload);
  }

  drained(): void {
    this.#holding.set('answer', this.socket.writableLength);
    this.#control.drained();
    if (!this.#full) return;
    this.#full = false;
    this.#subscription?.drained();
  }

  #closeBy(why: SessionEnd, { code, text, error }: WireClose): void {
    if (this.#ending === undefined && error !== undefined) this.#say(error);
    this.#close(why, code, text);
  }

  closing(by: ClosedBy, code: number | undefined): void {
    this.#begin(endOf(by, code));
  }

  ended(): void {
    this.#begin('client_gone');
  }

  #close(why: SessionEnd, code: number, reason: string): void {
    if (this.#ending !== undefined) return;
    this.#begin(why);
    this.#ws.close(code, cutCloseReason(reason));
  }

  /** The end begins: no more delivery, and a bound on how long the rest may take. The first reason is the one counted. */
  #begin(why: SessionEnd): void {
    if (this.#ending !== undefined) return;
    this.#ending = why;
    this.#dueMs = performance.now() + endMsOf(why, this.#host.timing);
    // Not at once: while the delivery loop goes through a group, a client that is full can be what leaves no room for this one.
    const subscription = this.#subscription;
    if (subscription !== undefined) {
      queueMicrotask(() => {
        subscription.end();
        // Until the socket is gone this session is here, and its filter need not be.
        this.#subscription = undefined;
      });
    }
  }

  gone(): void {
    this.ended();
    this.#incoming.drop();
    this.#host.counts.end(this.#ending as SessionEnd);
    this.#host.gone(this);
  }
}

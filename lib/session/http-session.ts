// One subscriber over plain HTTP: the `Transport` of the delivery loop on one side, an HTTP answer on the other, which goes
// on for as long as there is something to say. It owns back-pressure, stalls and the end of the answer; what is in it is
// lib/wire/text-encodings.ts's. Created by text-routes.ts.

import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Gap } from '../event/coverage.ts';
import type { Encoding } from '../fanout/encodings.ts';
import type { CloseReason, Progress, Subscription, Transport } from '../fanout/transport.ts';
import { type DeliveryClose, deliveryCloses } from '../wire/server-messages.ts';
import type { TextBody } from '../wire/text-encodings.ts';
import type { TextRequest } from '../wire/text-query.ts';
import type { Holding } from './held-bytes.ts';
import { endMsOf, type SessionEnd } from './session-counts.ts';
import type { SessionHost } from './session-host.ts';
import { bytesTaken, SubscriberLiveness } from './subscriber-liveness.ts';

/** What the sessions over plain HTTP of a listener share. */
export interface HttpSessionHost extends SessionHost<HttpSession> {
  /** Answers that there is no room, in place of events. */
  fail(response: ServerResponse, close: DeliveryClose): void;
}

/** What a session is made from. */
export interface HttpSessionOptions {
  readonly host: HttpSessionHost;
  readonly request: IncomingMessage;
  /** Nothing of it has been sent, and it is its turn on the connection. */
  readonly response: ServerResponse;
  readonly asked: TextRequest;
  /** What its client makes this thread hold. */
  readonly holding: Holding;
  /** The client's address, as limits count it. */
  readonly remoteAddress: string;
}

/** Puts on what describes an answer with that body. */
export function describeText(
  response: ServerResponse,
  { contentType, cacheControl, keepsConnection }: TextBody,
): void {
  response.setHeader('Content-Type', contentType);
  response.setHeader('Cache-Control', cacheControl);
  // Proxies that gather an answer before they pass it on are asked not to.
  response.setHeader('X-Accel-Buffering', 'no');
  if (!keepsConnection) response.shouldKeepAlive = false;
}

/**
 * See the file comment. Subscribes in the constructor. Memory held for a client that reads nothing: one `write` beyond
 * the socket's high-water mark (64 KiB).
 */
export class HttpSession implements Transport {
  readonly encoding: Encoding;
  readonly remoteAddress: string;
  /** The end of a pull is found by it, and streams give a position with their pings. */
  readonly wantsProgress = true;
  readonly wantsGaps: boolean;
  readonly throughUs: number;
  readonly socket: Socket;
  readonly #host: HttpSessionHost;
  readonly #holding: Holding;
  readonly #response: ServerResponse;
  readonly #body: TextBody;
  readonly #liveness = new SubscriberLiveness();
  /** Let go of at the end: until the socket is gone this session is here, and its filter need not be. */
  #subscription: Subscription | undefined;
  /** The delivery loop was told to wait for `drained`. */
  #full = false;
  #ending: SessionEnd | undefined;
  #isGone = false;
  /** When the socket is destroyed, of `performance.now()`. */
  #dueMs = Number.POSITIVE_INFINITY;

  constructor({ host, request, response, asked, holding, remoteAddress }: HttpSessionOptions) {
    const { encoding, throughUs = Number.POSITIVE_INFINITY } = asked.body;
    this.encoding = encoding;
    this.wantsGaps = asked.body.wantsProgress;
    this.throughUs = throughUs;
    this.remoteAddress = remoteAddress;
    this.socket = request.socket;
    this.#host = host;
    this.#holding = holding;
    holding.letGo = this.#letGo;
    this.#response = response;
    this.#body = asked.body;
    host.counts.opened++;
    // From here on `stallTimeoutMs` says how long may be quiet; node:http puts its own timeout back for the next request.
    this.socket.setTimeout(0);
    this.socket.on('drain', this.#drained);
    // Before node:http shuts our half for it: see #breakOff.
    this.socket.prependListener('end', this.#shut);
    this.socket.on('close', this.#gone);
    response.on('finish', this.#gone);
    // A body that came with the request is of no use, and would hide the client's end.
    request.resume();
    this.#subscription = host.source.subscribe(this, asked.filter, asked.afterTimeUs);
    if (this.#ending === undefined) this.#open();
  }

  /** Takes events (see `Transport`). After the end has begun it takes nothing and says that it is full. */
  write(bytes: Uint8Array): boolean {
    if (this.#ending !== undefined || this.socket.destroyed) return false;
    this.#send(this.#body.eventsOf(bytes));
    if (this.#body.isComplete) {
      this.#end('complete', '');
      return false;
    }
    return !this.#isFull();
  }

  get isEnding(): boolean {
    return this.#ending !== undefined;
  }

  gap(gap: Gap): boolean {
    if (this.#ending !== undefined || this.socket.destroyed) return false;
    this.#send(this.#body.gapOf(gap));
    return !this.#isFull();
  }

  progress(report: Progress): void {
    if (this.#ending !== undefined || this.socket.destroyed) return;
    this.#send(this.#body.progressOf(report));
    if (this.#body.isComplete) this.#end('complete', '');
  }

  /** Called by the delivery loop: an error where that can still be said, else the end of the answer. */
  close(reason: CloseReason): void {
    const close = deliveryCloses[reason];
    if (this.#ending === undefined && !this.#response.headersSent) {
      this.#begin(reason);
      this.#host.fail(this.#response, close);
    } else {
      this.#end(reason, this.#body.closingText(close.text));
    }
  }

  /** Ends the answer because the server stops. */
  stop(): void {
    this.#end('server_stopping', this.#body.closingText('server shutting down'));
  }

  /** Does what is due. Called in short intervals, from the start until the session is gone. */
  visit(nowMs: number): void {
    const { stallTimeoutMs } = this.#host.timing;
    const taken = bytesTaken(this.socket);
    this.#holding.set('answer', this.#response.writableLength);
    const isStalled = this.#liveness.stalledFor(stallTimeoutMs, nowMs, taken, this.#response.writableLength);
    if (isStalled && stallTimeoutMs > 0) this.#end('stalled', undefined);
    if (nowMs >= this.#dueMs) this.#breakOff();
  }

  /** Whether the delivery loop has to wait for `drained`. */
  #isFull(): boolean {
    const { writableLength, writableHighWaterMark } = this.#response;
    this.#full = writableLength > writableHighWaterMark;
    if (this.#full) this.#holding.set('answer', writableLength);
    return this.#full;
  }

  #open(): void {
    if (this.#response.headersSent) return;
    describeText(this.#response, this.#body);
    this.#response.writeHead(200);
    if (this.#body.firstText === '') this.#response.flushHeaders();
    else this.#response.write(this.#body.firstText);
  }

  /** Writes in one go: what the kernel has taken at once then no longer counts, and a fast reader is never found full. */
  #send(data: Uint8Array | string): void {
    this.socket.cork();
    this.#open();
    if (data.length > 0) this.#response.write(data);
    this.socket.uncork();
  }

  readonly #letGo = (): void => this.#end('no_room_for_answer', undefined);

  readonly #drained = (): void => {
    this.#holding.set('answer', this.#response.writableLength);
    if (!this.#full) return;
    this.#full = false;
    this.#subscription?.drained();
  };

  /** The client has shut its half, which is what those do that have gone. */
  readonly #shut = (): void => this.#end('client_gone', undefined);

  /** Ends the answer with `last`, or breaks it off. */
  #end(why: SessionEnd, last: string | undefined): void {
    this.#begin(why);
    if (last === undefined) this.#breakOff();
    else if (!this.#response.writableEnded) this.#response.end(last);
  }

  /**
   * Ends the connection so that the answer is not taken for whole: it lacks its last chunk, and without chunks it is reset. Not
   * while our half is being shut: that cannot be reset, and Node would keep such a socket, and a thread that has one, for ever.
   */
  #breakOff(): void {
    if (this.#response.chunkedEncoding || this.socket.writableEnded) this.socket.destroy();
    else this.socket.resetAndDestroy();
  }

  /** The end begins: no more delivery, and a bound on how long the rest may take. The first reason is the one counted. */
  #begin(why: SessionEnd): void {
    if (this.#ending !== undefined) return;
    this.#ending = why;
    // A client that reads a whole answer slowly may have its last bytes too.
    if (why !== 'complete') this.#dueMs = performance.now() + endMsOf(why, this.#host.timing);
    // Not at once: it may be the loop that calls, out of the constructor even.
    queueMicrotask(() => {
      this.#subscription?.end();
      this.#subscription = undefined;
    });
  }

  readonly #gone = (): void => {
    if (this.#isGone) return;
    this.#isGone = true;
    this.#begin('client_gone');
    this.socket.off('drain', this.#drained);
    this.socket.off('end', this.#shut);
    this.socket.off('close', this.#gone);
    this.#host.counts.end(this.#ending as SessionEnd);
    this.#host.gone(this);
  };
}

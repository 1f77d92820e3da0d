// One subscriber's connection after the handshake: the `Transport` of the pull loop on one side, a WebSocket on the
// other. Data frames go to the raw socket as they are; ping, pong and close go through ws. It owns the socket's end and
// the client's messages; it knows no log, no cursor arithmetic and no HTTP. Created by lib/http/subscribe-route.ts.

import type { Socket } from 'node:net';
import type { Filter } from '../event/filter.ts';
import type { Encoding, Subscription, SubscriptionSource, Transport } from '../fanout/transport.ts';
import type { ClosedBy, SubscriberSocket } from '../socket/subscriber-socket.ts';
import { closeApplicationError, closeGoingAway, cutCloseReason } from './close-frame.ts';
import { Liveness } from './liveness.ts';
import { readClientMessage } from './options-update.ts';
import type { SessionCounts, SessionEnd } from './session-counts.ts';

/** Intervals of a session, in milliseconds. */
export interface SessionTiming {
  /** Between pings, from the handshake on. A client is silent after two of them without a sign of life. */
  readonly pingIntervalMs: number;
  /** From the start of the end (a close frame of either side, or the client's FIN) until the socket is destroyed. */
  readonly closeTimeoutMs: number;
}

/** What a daemon runs with; the ping interval is the v1 wire's. */
export const defaultSessionTiming: SessionTiming = { pingIntervalMs: 30_000, closeTimeoutMs: 5_000 };

/** What a session is made from. */
export interface SessionOptions {
  readonly ws: SubscriberSocket;
  /** The socket under `ws`. */
  readonly socket: Socket;
  readonly source: SubscriptionSource;
  readonly encoding: Encoding;
  readonly filter: Filter;
  /** Where delivery starts; undefined is live. Fixed here, also when delivery waits for a hello. */
  readonly afterTimeUs: number | undefined;
  /** Deliver nothing before the first valid options update, which replaces `filter`. */
  readonly requireHello: boolean;
  readonly timing: SessionTiming;
  readonly counts: SessionCounts;
  /** Called once, when the socket is gone. */
  readonly onGone: (session: SubscribeSession) => void;
}

/** Bytes that may wait in the process for one client's socket before delivery to it pauses. */
const unsentBytesMax = 128 * 1024;

/** `WebSocket.OPEN`. */
const open = 1;

/**
 * See the file comment. Subscribes in the constructor unless a hello is required. Memory held for a client that reads
 * nothing: one `write` beyond `unsentBytesMax`, and one unfinished message of the client.
 */
export class SubscribeSession implements Transport {
  readonly encoding: Encoding;
  /** Address of the other end of the socket; headers that claim another are not believed. */
  readonly remoteAddress: string;
  readonly #ws: SubscriberSocket;
  readonly #socket: Socket;
  readonly #source: SubscriptionSource;
  readonly #afterTimeUs: number | undefined;
  readonly #timing: SessionTiming;
  readonly #counts: SessionCounts;
  readonly #onGone: (session: SubscribeSession) => void;
  readonly #liveness: Liveness;
  readonly #pingTimer: NodeJS.Timeout;
  #filter: Filter;
  #subscription: Subscription | undefined;
  /** The pull loop was told to wait for `drained`. */
  #full = false;
  /** Payload of the newest ping that could not be answered because the socket is full. */
  #owedPong: Buffer | undefined;
  #ending: SessionEnd | undefined;
  #closeTimer: NodeJS.Timeout | undefined;

  constructor(options: SessionOptions) {
    this.encoding = options.encoding;
    this.remoteAddress = options.socket.remoteAddress ?? '';
    this.#ws = options.ws;
    this.#socket = options.socket;
    this.#source = options.source;
    this.#afterTimeUs = options.afterTimeUs;
    this.#timing = options.timing;
    this.#counts = options.counts;
    this.#onGone = options.onGone;
    this.#filter = options.filter;
    this.#liveness = new Liveness(options.socket);
    this.#counts.opened++;
    this.#listen();
    this.#pingTimer = setInterval(() => this.#ping(), options.timing.pingIntervalMs);
    if (!options.requireHello) this.#subscribe();
  }

  /** Takes whole frames (see `Transport`). After the end has begun it takes nothing and says that it is full. */
  write(bytes: Uint8Array): boolean {
    if (this.#ws.readyState !== open) return false;
    this.#socket.write(bytes);
    // What the kernel has taken at once no longer counts, so a fast reader is never found full.
    this.#full = this.#socket.writableLength > unsentBytesMax;
    return !this.#full;
  }

  /** Ends the connection with a close frame; the pull loop's way out. */
  close(code: number, reason: string): void {
    this.#close('delivery_failed', code, reason);
  }

  /** Ends the connection because the server stops. */
  stop(): void {
    this.#close('server_stopping', closeGoingAway, 'server shutting down');
  }

  /** Destroys the socket now. */
  destroy(): void {
    this.#ws.terminate();
  }

  #listen(): void {
    const ws = this.#ws;
    ws.on('message', (data, isBinary) => {
      if (ws.readyState !== open) return;
      if (isBinary) this.#counts.message('ignored_binary');
      else this.#message(data.toString());
    });
    ws.on('error', (error) => ws.answerViolation(error));
    ws.on('ping', (payload) => this.#pong(payload));
    ws.onClosing = (by, code) => this.#begin(endOf(by, code));
    ws.once('close', () => this.#gone());
    this.#socket.once('end', () => this.#begin('client_gone'));
    this.#socket.on('drain', () => this.#drained());
  }

  #subscribe(): void {
    this.#subscription = this.#source.subscribe(this, this.#filter, this.#afterTimeUs);
  }

  #message(text: string): void {
    const message = readClientMessage(text, this.#filter);
    switch (message.kind) {
      case 'ignored':
        this.#counts.message('ignored_type');
        return;
      case 'failure':
        this.#counts.message('failure');
        this.#close('bad_message', closeApplicationError, message.reason);
        return;
      case 'update':
        this.#counts.message('update');
        this.#filter = message.filter;
        if (this.#subscription === undefined) this.#subscribe();
        else this.#subscription.setFilter(message.filter);
    }
  }

  #ping(): void {
    if (this.#ws.readyState !== open) return;
    if (this.#liveness.silentAtPing()) {
      this.#begin('client_silent');
      this.#ws.terminate();
      return;
    }
    this.#ws.ping();
  }

  /** Answers at once, or, to a client that takes nothing, once with the newest payload: it cannot pile up pongs. */
  #pong(payload: Buffer): void {
    if (this.#socket.writableNeedDrain) this.#owedPong = Buffer.from(payload);
    else this.#ws.pong(payload);
  }

  #drained(): void {
    if (this.#owedPong !== undefined) {
      this.#ws.pong(this.#owedPong);
      this.#owedPong = undefined;
    }
    if (!this.#full) return;
    this.#full = false;
    this.#subscription?.drained();
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
    clearInterval(this.#pingTimer);
    this.#closeTimer = setTimeout(() => this.destroy(), this.#timing.closeTimeoutMs);
    this.#subscription?.end();
  }

  #gone(): void {
    this.#begin('client_gone');
    clearTimeout(this.#closeTimer);
    this.#counts.end(this.#ending as SessionEnd);
    this.#onGone(this);
  }
}

function endOf(by: ClosedBy, code: number | undefined): SessionEnd {
  if (by === 'violation') return code === 1009 ? 'message_too_large' : 'protocol_violation';
  return by === 'peer' ? 'client_closed' : 'delivery_failed';
}

// One WebSocket, from the attempt to its end: messages and the open connection are told to a handler, the end is a
// promise that never rejects. It knows no events and no retries. A connection that is ended here is silent from then on,
// whatever the socket under it still does.

import type { Platform, WebSocketLike, WebSocketOptions } from './platform.ts';
import { type ClientTiming, healthyMessages } from './timing.ts';

/** Why a connection ended. */
export type EndReason =
  /** It was open, and the server or the network ended it. */
  | 'closed'
  /** It never was open. */
  | 'not_connected'
  | 'connect_timeout'
  /** Nothing came for too long. */
  | 'silent'
  /** The consumer is slower than the server: it goes on once there is room. */
  | 'paused'
  /** The server compresses with another dictionary than the one that was fetched. */
  | 'dictionary_changed'
  /** The server has told an error, in `reason`. */
  | 'failed'
  /** The filter is another, and the wire has no message for that. */
  | 'filter_changed'
  /** It was asked to. */
  | 'stopped';

/** How a connection ended. */
export interface ConnectionEnd {
  readonly why: EndReason;
  /** Of the close frame; 1006 when there was none. */
  readonly code: number;
  /** What the server wrote; of foreign origin. */
  readonly reason: string;
  /** It lived or delivered enough that the next attempt is a first one. */
  readonly healthy: boolean;
}

/** Who hears a connection. Not called after its end. */
export interface ConnectionHandler {
  opened(): void;
  message(data: unknown): void;
}

/** No server of the wire compresses so, and some refuse handshakes that offer it. None has messages of more than 8 Mi characters. */
const socketOptions: WebSocketOptions = { perMessageDeflate: false, maxPayload: 32 * 1024 * 1024 };
/** `WebSocket.OPEN`. */
const open = 1;

/** See the file comment. The attempt starts in the constructor. */
export class Connection {
  readonly ended: Promise<ConnectionEnd>;
  /** The socket is closed too: a server that does not answer keeps one for some time, Node's own for as long as it likes. */
  readonly gone: Promise<void>;
  readonly #platform: Platform;
  readonly #timing: ClientTiming;
  readonly #socket: WebSocketLike;
  #resolve!: (end: ConnectionEnd) => void;
  #left!: () => void;
  #isEnded = false;
  #timer: unknown;
  #openedMs: number | undefined;
  #messages = 0;
  #messagesSeen = 0;
  #watched = false;

  constructor(url: string, platform: Platform, timing: ClientTiming, handler: ConnectionHandler) {
    this.#platform = platform;
    this.#timing = timing;
    this.ended = new Promise((resolve) => {
      this.#resolve = resolve;
    });
    this.gone = new Promise((resolve) => {
      this.#left = resolve;
    });
    // Not undefined in place of the list: Chromium would ask for a protocol of that name.
    const socket = new platform.WebSocket(url, [], socketOptions);
    this.#socket = socket;
    socket.binaryType = 'arraybuffer';
    this.#timer = platform.setTimeout(() => this.end('connect_timeout'), timing.connectTimeoutMs);
    socket.onopen = () => {
      platform.clearTimeout(this.#timer);
      this.#openedMs = platform.nowMs();
      handler.opened();
    };
    socket.onmessage = ({ data }: { data: unknown }) => {
      this.#messages++;
      handler.message(data);
    };
    socket.onclose = ({ code, reason }: { code: number; reason: string }) => {
      this.#left();
      this.#finish(this.#lost, code, reason);
    };
    // Some runtimes tell a failed attempt by an error alone.
    socket.onerror = () => {
      if (this.#openedMs !== undefined) return;
      this.#left();
      this.#finish('not_connected', 1006, '');
    };
  }

  /** Sends a message if the connection is open. */
  send(text: string): void {
    if (this.#socket.readyState === open && !this.#isEnded) this.#socket.send(text);
  }

  /** From now on, silence is an end. */
  watch(): void {
    if (this.#watched || this.#isEnded) return;
    this.#watched = true;
    this.#listenOn();
  }

  /** Ends it now, with what the server said as the reason, if it did. Idempotent. */
  end(why: EndReason, reason = ''): void {
    if (this.#isEnded) return;
    this.#finish(why, 1006, reason);
    this.#socket.close();
  }

  get #lost(): EndReason {
    return this.#openedMs === undefined ? 'not_connected' : 'closed';
  }

  #listenOn(): void {
    this.#messagesSeen = this.#messages;
    this.#timer = this.#platform.setTimeout(() => {
      if (this.#messages === this.#messagesSeen) this.end('silent');
      else this.#listenOn();
    }, this.#timing.silenceTimeoutMs);
  }

  #finish(why: EndReason, code: number, reason: string): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    this.#platform.clearTimeout(this.#timer);
    const socket = this.#socket;
    socket.onopen = null;
    socket.onmessage = null;
    socket.onclose = this.#left;
    // Not null: a socket that is an event emitter throws errors that nobody hears.
    socket.onerror = () => {};
    const openMs = this.#openedMs === undefined ? 0 : this.#platform.nowMs() - this.#openedMs;
    const healthy = openMs >= this.#timing.healthyAfterMs || this.#messages >= healthyMessages;
    this.#resolve({ why, code, reason, healthy });
  }
}

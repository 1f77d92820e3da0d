// One WebSocket to one relay, from dialling to its end: a thin adapter of ws. It says once that it opened and once why
// it ended, hands on frames in between, and leaves no timer behind. It never connects again: `Upstream` does that.

import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import { type ClientOptions, WebSocket } from '../websocket.ts';
import {
  type DisconnectReason,
  detailOfAnswer,
  detailOfError,
  reasonOfClose,
  reasonOfHandshakeError,
  reasonOfStreamError,
} from './disconnect-reason.ts';
import {
  addressAttemptMs,
  bufferedChunksMax,
  controlFramesMax,
  fragmentsMax,
  frameMaxBytes,
  type Timing,
} from './limits.ts';
import { RelayLiveness } from './relay-liveness.ts';
import type { Relay } from './relay-url.ts';
import { Sips } from './sips.ts';

const closedByUs = 1000;

/** Where the messages of a connection go. Exceptions are not caught: they end the process. */
export interface FrameSink {
  /**
   * One binary message, whole; synchronous. `bytes` (a Buffer) are never written to again, so they may be kept, but
   * they are often a view of a chunk of up to 64 KiB shared with their neighbours: copy what is kept for long, mind
   * `byteOffset`, and never transfer or write to the underlying buffer.
   * @param isTold whether {@link turnOver} follows, once all that was read together has been handed on.
   */
  frame(bytes: Uint8Array, relay: Relay, isTold: boolean): void;
  /** A text message. Its content is dropped. */
  notAFrame(relay: Relay): void;
  /**
   * What was read together has been handed on. @param isCaughtUp the relay has sent no more so far: the next frames come a rest later,
   * together, or when there are some.
   */
  turnOver(isCaughtUp: boolean): void;
}

/** What its owner learns of a connection. */
export interface ConnectionEvents {
  /** The WebSocket is open; frames come from here on. At most once. */
  opened(): void;
  /** It is over, open or not. Once, and never after `drop` or `close`. */
  ended(why: DisconnectReason, detail: string): void;
}

/** What a connection is opened with. */
export interface ConnectionOptions {
  readonly relay: Relay;
  readonly cursor: number | undefined;
  readonly userAgent: string;
  readonly timing: Timing;
  /** Monotonic milliseconds. */
  readonly nowMs: () => number;
  readonly sink: FrameSink;
  readonly events: ConnectionEvents;
  /** Start without reading. */
  readonly paused: boolean;
}

/** What ws has no method for: the fragments so far of a message that has begun. `checkSocketInternals` looks for them. */
interface Internals {
  readonly _receiver: { readonly _fragments: readonly Uint8Array[] };
}

/** One attempt and, if it succeeds, one open WebSocket. Dials in the constructor. */
export class Connection {
  readonly #options: ConnectionOptions;
  readonly #ws: WebSocket;
  readonly #liveness: RelayLiveness;
  readonly #handshakeTimer: NodeJS.Timeout;
  #pingTimer: NodeJS.Timeout | undefined;
  #socket: Socket | undefined;
  #sips: Sips | undefined;
  #paused: boolean;
  #frames = 0;
  /** Pings and pongs inside the message that has begun. */
  #controlFrames = 0;
  #opened = false;
  #over = false;

  constructor(options: ConnectionOptions) {
    this.#options = options;
    this.#paused = options.paused;
    const { relay, cursor, userAgent, timing } = options;
    this.#liveness = new RelayLiveness(timing.pingIntervalMs);
    this.#ws = new WebSocket(relay.connectUrl(cursor), clientOptions(userAgent, timing));
    this.#listen();
    this.#handshakeTimer = setTimeout(() => {
      this.#end('handshake_timeout', `not open after ${timing.handshakeTimeoutMs} ms`);
    }, timing.handshakeTimeoutMs);
  }

  /** Binary messages handed on so far. */
  get frames(): number {
    return this.#frames;
  }

  /** Stops reading. What has been read is bounded: see `Upstream.pause`. */
  pause(): void {
    this.#paused = true;
    // A closing socket has to be read to its end, or the end is never seen.
    if (this.#ws.readyState === WebSocket.OPEN) this.#ws.pause();
  }

  resume(): void {
    this.#paused = false;
    this.#liveness.resumed();
    // After a failed handshake ws is closing without a socket, and its resume() would throw.
    if (this.#opened) this.#ws.resume();
  }

  /** Ends it now, without an event. A close frame goes out when the socket takes it. */
  drop(reason: string): void {
    if (this.#over) return;
    this.#finish();
    if (this.#ws.readyState === WebSocket.OPEN) this.#ws.close(closedByUs, closeReason(reason));
    this.#ws.terminate();
  }

  /** Ends it with a close frame and without an event; resolves when the socket is gone, after `closeTimeoutMs` at most. */
  close(): Promise<void> {
    const ws = this.#ws;
    this.#finish();
    if (ws.readyState === WebSocket.CLOSED) return Promise.resolve();
    return new Promise((resolve) => {
      // ws has such a timer too, but not for a peer that half-closed before our close frame.
      const timer = setTimeout(() => ws.terminate(), this.#options.timing.closeTimeoutMs);
      ws.once('close', () => {
        clearTimeout(timer);
        resolve();
      });
      if (!this.#opened) {
        ws.terminate();
        return;
      }
      ws.close(closedByUs);
      // The answer to our close frame is behind what we did not read.
      this.#sips?.end();
      ws.resume();
    });
  }

  #listen(): void {
    const { relay, sink } = this.#options;
    const ws = this.#ws;
    ws.on('upgrade', (answer: IncomingMessage) => {
      this.#socket = answer.socket;
    });
    ws.on('open', () => this.#open());
    const countControl = (): void => this.#countControl();
    ws.on('ping', countControl);
    ws.on('pong', countControl);
    ws.on('message', (data, isBinary) => {
      if (this.#over) return;
      this.#controlFrames = 0;
      // When a paused socket breaks, ws still parses what it had read ahead. The relay sends it again after the cursor.
      if (this.#paused && ws.readyState !== WebSocket.OPEN) return;
      if (!isBinary) {
        sink.notAFrame(relay);
        return;
      }
      this.#frames++;
      this.#sips?.took();
      // Always one Buffer: that is ws' default binaryType.
      sink.frame(data as Buffer, relay, this.#sips !== undefined);
    });
    ws.on('unexpected-response', (_request, answer: IncomingMessage) => {
      this.#end('refused', detailOfAnswer(answer.statusCode, answer.statusMessage, answer.headers.location));
    });
    // Stays on for good: a socket may report one more error after its end.
    ws.on('error', (error) => {
      const why = this.#opened ? reasonOfStreamError(error) : reasonOfHandshakeError(error);
      this.#end(why, detailOfError(error));
    });
    ws.on('close', (code, reason) => {
      const { why, detail } = reasonOfClose(code, reason);
      this.#end(why, detail);
    });
  }

  #countControl(): void {
    const { _fragments } = (this.#ws as unknown as Internals)._receiver;
    if (_fragments.length === 0 || ++this.#controlFrames <= controlFramesMax) return;
    this.#end('oversize', `more than ${controlFramesMax} control frames within one message`);
  }

  #open(): void {
    if (this.#over) return;
    this.#opened = true;
    clearTimeout(this.#handshakeTimer);
    const { timing, sink } = this.#options;
    const turnOver = (isCaughtUp: boolean): void => sink.turnOver(isCaughtUp);
    if (this.#socket !== undefined) this.#sips = new Sips(this.#socket, timing.restMs, turnOver);
    if (this.#paused) this.#ws.pause();
    this.#pingTimer = setInterval(() => {
      // An event loop that was held up finds the timer due before it has read its sockets: judge after that.
      const dueAtMs = this.#options.nowMs();
      setImmediate(() => this.#checkLiveness(dueAtMs));
    }, this.#options.timing.pingIntervalMs);
    this.#options.events.opened();
  }

  #checkLiveness(dueAtMs: number): void {
    if (this.#over) return;
    const bytesRead = this.#socket?.bytesRead ?? 0;
    const step = this.#liveness.tick(bytesRead, this.#paused, dueAtMs, this.#options.nowMs());
    if (step === 'dead') {
      this.#end('silent', `nothing arrived within ${this.#options.timing.pingIntervalMs} ms of a ping`);
    } else if (step === 'ping') {
      // While paused too: it keeps middleboxes awake, and a write is then the only way to notice a broken connection.
      this.#ws.ping();
    }
  }

  #end(why: DisconnectReason, detail: string): void {
    if (this.#over) return;
    this.#finish();
    this.#ws.terminate();
    this.#options.events.ended(why, detail);
  }

  #finish(): void {
    this.#over = true;
    clearTimeout(this.#handshakeTimer);
    clearInterval(this.#pingTimer);
    this.#sips?.end();
  }
}

function clientOptions(userAgent: string, timing: Timing): ClientOptions {
  const options: ClientOptions & { closeTimeout: number; autoSelectFamilyAttemptTimeout: number } = {
    headers: { 'User-Agent': userAgent },
    autoSelectFamilyAttemptTimeout: addressAttemptMs,
    perMessageDeflate: false,
    followRedirects: false,
    // No handshakeTimeout: it is a limit on idle time, which a relay that answers one byte at a time never reaches.
    maxPayload: frameMaxBytes,
    maxFragments: fragmentsMax,
    maxBufferedChunks: bufferedChunksMax,
    closeTimeout: timing.closeTimeoutMs,
    // Text is dropped and close reasons are decoded leniently: neither is worth losing the connection for.
    skipUTF8Validation: true,
  };
  return options;
}

/** At most the 123 bytes that a close frame has room for. */
function closeReason(text: string): string {
  return new TextDecoder().decode(Buffer.from(text).subarray(0, 120)).replace(/\uFFFD+$/, '');
}

// Connections one after the other: when the next attempt is made, and when there is no point in one. What to ask for and
// what to do with messages is its host's, `EventStream`; one socket is Connection's.

import { retryDelayMs } from '../../lib/backoff.ts';
import { CodedError, UsageError } from '../../lib/errors.ts';
import { Connection, type ConnectionEnd, type EndReason } from './connection.ts';
import type { Request } from './filter.ts';
import type { Disconnected, StreamState } from './notice.ts';
import type { Platform } from './platform.ts';
import {
  askForRefusal,
  causeOf,
  isElsewhere,
  isFault,
  isLasting,
  type Refusal,
  refusedBy,
} from './refusal.ts';
import type { ClientTiming } from './timing.ts';

/** Who uses a link. */
export interface LinkHost {
  /** What to ask for now. A retryable CodedError counts as a failed attempt; what else it rejects with ends the link. */
  prepare(): Promise<Request>;
  /** The connection for `request` is open. */
  opened(request: Request): void;
  message(data: unknown): void;
  /** The connection is gone; called before anything else is done about it. True: the next is to be made at once. */
  lost(end: Pick<ConnectionEnd, 'code' | 'reason'>): boolean;
  /** After a connection that was ended as `paused`: fulfilled when the next is wanted. */
  room(): Promise<void>;
  /** The server does not have the dictionary that was asked for. False when there is no other to ask for. */
  forgetDictionary(): boolean;
  /** There is nothing to subscribe to at the address. False when there is no other to try. */
  fallBack(): boolean;
  disconnected(notice: Disconnected): void;
}

/** A server's words about a dictionary that it does not have (any more). */
const unknownDictionary = /^(unknown zstd dictionary|UnknownZstdDictionary)/;

/** A server's words about a bad `options_update`. */
const refusedUpdate = /^failed to parse subscriber options/;

/** Failures in a row, before any connection, after which answers such as 400 and 403 are believed: a minute or so. */
const refusalsMax = 8;

/** Connections that were ended here and whose sockets are still there: a server that never answers a close would get more and more. From here on one in five minutes. */
const lingeringMax = 16;

/** See the file comment. */
export class Link {
  readonly #host: LinkHost;
  readonly #platform: Platform;
  readonly #timing: ClientTiming;
  #state: StreamState = 'idle';
  #connection: Connection | undefined;
  #lingering = 0;
  /** Ends the wait before an attempt. */
  #wake: (() => void) | undefined;
  /** Ends the wait for a socket that goes. */
  #wakeForSocket: (() => void) | undefined;
  /** Connections that were open. */
  connections = 0;
  /** Connections that were ended as `paused`. */
  pauses = 0;

  constructor(host: LinkHost, platform: Platform, timing: ClientTiming) {
    this.#host = host;
    this.#platform = platform;
    this.#timing = timing;
  }

  get state(): StreamState {
    return this.#state;
  }

  /**
   * Keeps connected until `stop()`. Rejects with what ends it: `CLIENT_REFUSED`, `CLIENT_CURSOR_TOO_OLD`, `CLIENT_NOT_UPGRADED`, an error of
   * `prepare`.
   */
  async run(): Promise<void> {
    let failures = 0;
    while (this.#state !== 'ended') {
      await this.#spareSocket();
      if (this.#isOver()) return;
      this.#enter('connecting');
      const end = await this.#attempt();
      const isNextAtOnce = this.#host.lost(end);
      if (this.#isOver()) return;
      if (end.why === 'paused') {
        this.#enter('paused');
        this.pauses++;
        await this.#host.room();
      } else if (end.why !== 'filter_changed' && !isNextAtOnce) {
        failures = end.healthy ? 0 : failures + 1;
        this.#enter('waiting');
        await this.#waitAfter(end, failures);
      }
    }
  }

  /** Ends the connection now; another follows, unless it is stopped. */
  end(why: EndReason, reason?: string): void {
    this.#connection?.end(why, reason);
  }

  /** Ends the connection, and makes no other. Idempotent. */
  stop(): void {
    this.#state = 'ended';
    this.#connection?.end('stopped');
    this.#wake?.();
    this.#wakeForSocket?.();
  }

  /** Sends a message if the connection is open. */
  send(text: string): void {
    this.#connection?.send(text);
  }

  /** Counts silence as an end of this connection. */
  watch(): void {
    this.#connection?.watch();
  }

  /** What `stop()` may have changed meanwhile. */
  #isOver(): boolean {
    return this.#state === 'ended';
  }

  #enter(state: StreamState): void {
    if (this.#state !== 'ended') this.#state = state;
  }

  #lingerUntil(gone: Promise<void>): void {
    this.#lingering++;
    void gone.then(() => {
      this.#lingering--;
      this.#wakeForSocket?.();
    });
  }

  /** Waits while too many sockets are there, for a time: the next connection may be to a server that is well again. */
  async #spareSocket(): Promise<void> {
    if (this.#lingering < lingeringMax) return;
    this.#enter('waiting');
    const { over, end } = this.#wait(this.#timing.retryAfterMaxMs);
    this.#wakeForSocket = end;
    await over;
  }

  #wait(ms: number): { readonly over: Promise<void>; end(): void } {
    let end!: () => void;
    const over = new Promise<void>((resolve) => {
      const timer = this.#platform.setTimeout(resolve, ms);
      end = () => {
        this.#platform.clearTimeout(timer);
        resolve();
      };
    });
    return { over, end };
  }

  async #attempt(): Promise<AttemptEnd> {
    let request: Request;
    try {
      request = await this.#host.prepare();
    } catch (error) {
      if (!(error instanceof CodedError && error.retryable)) throw error;
      return { why: 'no_dictionary', code: 1006, reason: error.message, healthy: false, url: undefined };
    }
    if (this.#isOver()) return { why: 'stopped', code: 1006, reason: '', healthy: false, url: undefined };
    this.#connection = new Connection(request.url, this.#platform, this.#timing, {
      opened: () => {
        this.#enter('open');
        this.connections++;
        this.#host.opened(request);
      },
      message: (data) => this.#host.message(data),
    });
    const { ended, gone } = this.#connection;
    const opened = this.connections;
    const end = await ended;
    this.#connection = undefined;
    // A handshake that is given up goes at once.
    if (this.connections > opened) this.#lingerUntil(gone);
    return { ...end, url: request.url };
  }

  /** Waits as long as is fitting after `failures` in a row. Rejects when no attempt will succeed. */
  async #waitAfter(end: AttemptEnd, failures: number): Promise<void> {
    const { code, reason, url } = end;
    let { why } = end;
    const unopened = why === 'not_connected' && url !== undefined;
    const answer = unopened
      ? await askForRefusal(url, this.#platform, this.#timing.connectTimeoutMs)
      : undefined;
    if (this.#isOver()) return;
    const refusal = answer !== undefined && 'status' in answer ? answer : undefined;
    if (refusal !== undefined && (isElsewhere(refusal.status) || refusal.status === 501)) {
      if (this.#host.fallBack()) return;
    }
    const cause = answer !== undefined && 'cause' in answer ? answer.cause : undefined;
    const fault = refusal?.fault ?? (isFinal(end) ? reason : undefined);
    if (fault !== undefined && unknownDictionary.test(fault) && this.#host.forgetDictionary())
      why = 'dictionary_changed';
    else if (fault !== undefined) throw refusedBy(fault);
    if (this.connections === 0 && refusal !== undefined) giveUpOn(refusal, url as string, failures);
    const backoffMs = retryDelayMs(failures, this.#platform.random, this.#timing);
    // Added, so that those who were told the same moment do not all come in it.
    const retryMs = Math.min(refusal?.retryAfterMs ?? 0, this.#timing.retryAfterMaxMs) + backoffMs;
    this.#host.disconnected({
      kind: 'disconnected',
      why,
      code,
      reason,
      status: refusal?.status,
      words: refusal?.words ?? '',
      cause,
      retryMs,
    });
    if (this.#isOver()) return;
    const { over, end: wake } = this.#wait(retryMs);
    this.#wake = wake;
    await over;
  }
}

/** Whether a server has ended a connection in a way that no new one would mend. */
function isFinal({ why, reason }: Pick<AttemptEnd, 'why' | 'reason'>): boolean {
  return refusedUpdate.test(reason) || (why === 'failed' && isFault(reason));
}

/** @throws CodedError `CLIENT_REFUSED`, `CLIENT_NOT_UPGRADED`, unless the answer may be another one soon. */
function giveUpOn({ status, words }: Refusal, url: string, failures: number): void {
  const answer = words === '' ? `${status}` : `${status} (${words})`;
  if (isElsewhere(status)) {
    const { origin, pathname } = new URL(url);
    throw new UsageError(
      'CLIENT_REFUSED',
      `there is no subscription at ${origin}${pathname}: the server answers ${answer}. Check the path of the address`,
    );
  }
  if (failures < refusalsMax || !isLasting(status)) return;
  throw new CodedError(
    'CLIENT_NOT_UPGRADED',
    `no connection in ${refusalsMax} attempts, and the server answers ${answer} to a plain request: ${causeOf(status)}`,
    { retryable: true },
  );
}

/** A connection's end, or that of an attempt which made none. `url` is what was asked, if anything was. */
type AttemptEnd = Omit<ConnectionEnd, 'why'> & {
  readonly why: Disconnected['why'];
  readonly url: string | undefined;
};

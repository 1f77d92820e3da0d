// Frames of one relay at a time: connects, reconnects without end, and reads no faster than asked. It knows
// nothing of what frames contain, keeps no sequence and counts nothing; the service composes it with a handler that
// does. There is no watchdog on frames: a quiet relay is a healthy one as long as it answers pings.

import { CodedError } from '../errors.ts';
import { Connection, type FrameSink } from './connection.ts';
import type { DisconnectReason } from './disconnect-reason.ts';
import { defaultTiming, type Timing } from './limits.ts';
import { type Attempt, firstAttempt, immediateAttempt, isDelivering, nextAttempt } from './reconnect-plan.ts';
import type { Relay } from './relay-url.ts';

/**
 * Right of the seam. All calls are synchronous; what they throw is not caught and ends the process. None comes after
 * `stop()` was called. Except from `cursorFor`, a handler may call any method of `Upstream` from inside.
 */
export interface UpstreamHandler extends FrameSink {
  /**
   * Sequence to resume after at this relay; undefined is live. Asked at every attempt. Frames handed over but not yet
   * stored come again unless the answer counts them.
   */
  cursorFor(relay: Relay): number | undefined;
  /** The WebSocket is open; no frame has come yet. */
  connected(relay: Relay, cursor: number | undefined): void;
  /**
   * An attempt ended, whether `connected` was called for it or not. `detail` holds text from the relay, cut to
   * `detailMaxChars`. The next attempt, `retryInMs` from now, may be at another relay. After `oversize` the same message
   * comes again while the cursor stays where it is.
   */
  disconnected(relay: Relay, why: DisconnectReason, detail: string, retryInMs: number): void;
}

/** What an upstream needs. */
export interface UpstreamOptions {
  /** At least one; tried in turn from the first. */
  readonly relays: readonly Relay[];
  readonly handler: UpstreamHandler;
  /** Sent to relays, so that their operators know whom to ask. */
  readonly userAgent: string;
  /** Replaces single intervals of `defaultTiming`. */
  readonly timing?: Partial<Timing>;
  /** Uniform in [0, 1), for the jitter. */
  readonly random?: () => number;
  /** Monotonic milliseconds. */
  readonly nowMs?: () => number;
}

/** `waiting` is between attempts; `idle` before `start()`; `stopped` for good. */
export type UpstreamState = 'idle' | 'connecting' | 'open' | 'waiting' | 'stopped';

/** Frames of one relay out of a list, from `start()` to `stop()`. */
export class Upstream {
  readonly #options: UpstreamOptions;
  readonly #timing: Timing;
  readonly #random: () => number;
  readonly #nowMs: () => number;
  #state: UpstreamState = 'idle';
  #paused = false;
  #attempt: Attempt = firstAttempt;
  #connection: Connection | undefined;
  #openedAtMs = 0;
  #retryTimer: NodeJS.Timeout | undefined;
  #stopped: Promise<void> | undefined;

  /** @throws CodedError UPSTREAM_NO_RELAY when the list is empty. */
  constructor(options: UpstreamOptions) {
    if (options.relays.length === 0) {
      throw new CodedError('UPSTREAM_NO_RELAY', 'the list of relays is empty: name at least one');
    }
    this.#options = options;
    this.#timing = { ...defaultTiming, ...options.timing };
    this.#random = options.random ?? Math.random;
    this.#nowMs = options.nowMs ?? (() => performance.now());
  }

  get state(): UpstreamState {
    return this.#state;
  }

  /** The relay that is connected, being tried, or next. */
  get relay(): Relay {
    return this.#options.relays[this.#attempt.relayIndex] as Relay;
  }

  get paused(): boolean {
    return this.#paused;
  }

  /** Dials the first relay. Does nothing when it has started. @throws CodedError UPSTREAM_STOPPED after `stop()`. */
  start(): void {
    if (this.#state === 'stopped') {
      throw new CodedError(
        'UPSTREAM_STOPPED',
        'an upstream that was stopped cannot start again: make a new one',
      );
    }
    if (this.#state === 'idle') this.#connect();
  }

  /**
   * Stops reading from the socket, so that TCP slows the relay down. Holds over reconnects: a connection that opens
   * while paused starts paused. Called from inside `frame()`, the rest of the chunk being parsed still arrives, at most
   * `framesAfterPauseMaxBytes`; called from elsewhere, nothing does. Node reads ahead another 128 KiB at most.
   * While paused, the end of a connection shows only when a ping cannot be written.
   */
  pause(): void {
    this.#paused = true;
    this.#connection?.pause();
  }

  resume(): void {
    this.#paused = false;
    this.#connection?.resume();
  }

  /**
   * Drops the connection, or the attempt, and connects to the same relay at once, from a timer: `cursorFor` is not asked
   * before the caller is done. The handler's `disconnected` is called before this returns. While waiting, cuts the wait
   * short. Once that was used and no connection has delivered since, further calls wait their turn like a failure.
   * @param why for the log and the relay's close frame.
   */
  reconnect(why: string): void {
    if (this.#state === 'open' || this.#state === 'connecting') {
      this.#connection?.drop(why);
      this.#ended('requested', why);
    } else if (this.#state === 'waiting') {
      const attempt = immediateAttempt(this.#attempt);
      if (attempt !== this.#attempt) this.#wait(attempt);
    }
  }

  /**
   * Drops an open connection and makes another one to the same relay at once, from a timer: `cursorFor` is asked again. It is
   * no end and counts as none; who calls it bounds how often.
   */
  redial(why: string): void {
    if (this.#state !== 'open') return;
    this.#connection?.drop(why);
    this.#connection = undefined;
    this.#wait({ ...this.#attempt, delayMs: 0 });
  }

  /** Drops an open connection that brings nothing new, as if it had failed: the next relay of the list has its turn. */
  giveWay(why: string): void {
    if (this.#state !== 'open') return;
    this.#connection?.drop(why);
    this.#ended('nothing_new', why);
  }

  /** Closes with 1000; resolves when the socket is gone, after `closeTimeoutMs` at most. From any state, any number of times. */
  stop(): Promise<void> {
    if (this.#stopped === undefined) {
      this.#state = 'stopped';
      clearTimeout(this.#retryTimer);
      this.#stopped = this.#connection?.close() ?? Promise.resolve();
      this.#connection = undefined;
    }
    return this.#stopped;
  }

  #connect(): void {
    const { handler, userAgent } = this.#options;
    const relay = this.relay;
    const cursor = handler.cursorFor(relay);
    this.#state = 'connecting';
    this.#connection = new Connection({
      relay,
      cursor,
      userAgent,
      timing: this.#timing,
      nowMs: this.#nowMs,
      paused: this.#paused,
      sink: handler,
      events: {
        opened: () => {
          this.#state = 'open';
          this.#openedAtMs = this.#nowMs();
          handler.connected(relay, cursor);
        },
        ended: (why, detail) => this.#ended(why, detail),
      },
    });
  }

  #ended(why: DisconnectReason, detail: string): void {
    const { relays, handler } = this.#options;
    const relay = this.relay;
    const frames = this.#connection?.frames ?? 0;
    const openForMs = this.#state === 'open' ? this.#nowMs() - this.#openedAtMs : 0;
    const delivered =
      why !== 'nothing_new' && isDelivering(frames, openForMs, this.#timing.deliveringAfterMs);
    this.#connection = undefined;
    this.#wait(
      nextAttempt(
        this.#attempt,
        { delivered, requested: why === 'requested' },
        relays.length,
        this.#random,
        this.#timing,
      ),
    );
    handler.disconnected(relay, why, detail, this.#attempt.delayMs);
  }

  #wait(attempt: Attempt): void {
    this.#state = 'waiting';
    this.#attempt = attempt;
    clearTimeout(this.#retryTimer);
    this.#retryTimer = setTimeout(() => this.#connect(), attempt.delayMs);
  }
}

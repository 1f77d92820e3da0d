// Ties the upstream to ingest: frames go through, what happens to the connection and to the relay's numbering is logged and
// counted, and a relay that brings nothing new gives way to the next. Holds no frames and decides nothing about events.

import { type FrameType, frameTypes } from '../decode/frame.ts';
import type { Logger } from '../logger.ts';
import type { DisconnectReason } from '../upstream/disconnect-reason.ts';
import type { Timing } from '../upstream/limits.ts';
import type { Relay } from '../upstream/relay-url.ts';
import { Upstream, type UpstreamHandler } from '../upstream/upstream.ts';
import type { Ingest, IngestLink } from './ingest.ts';
import type { IngestTotals } from './ingest-totals.ts';
import { type RelayOutcome, refusalsMsMin } from './relay-position.ts';

/** How long a relay may be connected without anything new before another one is tried, when there is one. As readiness. */
const nothingNewMsMax = 60_000;

const outcomeWords: Readonly<Record<RelayOutcome['name'], string>> = {
  relay_gap: 'the relay went on far above the last frame: what it numbered in between has not come',
  odd_sequence: 'the relay sent a number out of its order, and went on as before: the frame was taken',
  new_numbering: 'the relay goes on at lower numbers than before, and is followed there',
  started_over:
    'the relay keeps saying that it does not know our sequence, and is followed from where it is now',
  relay_changed: 'another relay than before: events can be missing or come again',
};

/** Intervals of the way in, in milliseconds. */
export interface LinkTiming extends Timing {
  /** How long a relay has to say that it does not know our sequence before it is believed. */
  readonly startOverAfterMs: number;
  readonly nothingNewMs: number;
}

/** What a link is made with. */
export interface LinkOptions {
  readonly relays: readonly Relay[];
  readonly userAgent: string;
  readonly totals: IngestTotals;
  readonly logger: Logger;
  /** Replaces single intervals. */
  readonly timing?: Partial<LinkTiming>;
}

/** See the file comment. `ingest` is set once both exist: each calls the other. */
export class RelayLink implements UpstreamHandler, IngestLink {
  readonly upstream: Upstream;
  readonly disconnects = new Map<DisconnectReason, number>();
  ingest!: Ingest;
  /** The relay that is connected, if one is. */
  relay: Relay | undefined;
  /** Since when, in microseconds since 1970. */
  connectedSinceUs: number | undefined;
  readonly #options: LinkOptions;
  readonly #nothingNewMs: number;
  #lastRelay: Relay | undefined;
  #connectedAtMs = 0;
  #watch: NodeJS.Timeout | undefined;

  constructor(options: LinkOptions) {
    const { relays, userAgent, timing = {} } = options;
    this.#options = options;
    this.#nothingNewMs = timing.nothingNewMs ?? nothingNewMsMax;
    this.upstream = new Upstream({ relays, userAgent, timing, handler: this });
  }

  cursorFor(relay: Relay): number | undefined {
    return this.ingest.positionOf(relay);
  }

  connected(relay: Relay, cursor: number | undefined): void {
    const { logger, relays, totals } = this.#options;
    this.relay = relay;
    this.connectedSinceUs = Date.now() * 1000;
    this.#connectedAtMs = performance.now();
    logger.info({ relay: relay.id, cursor: cursor ?? 'live' }, 'connected to the relay');
    if (this.#lastRelay !== undefined && this.#lastRelay !== relay) {
      totals.outcome('relay_changed');
      this.outcome(relay, { name: 'relay_changed', from: undefined, to: cursor });
    }
    this.#lastRelay = relay;
    if (relays.length < 2) return;
    this.#watch = setInterval(() => this.#giveWay(), this.#nothingNewMs / 4);
    this.#watch.unref();
  }

  frame(bytes: Uint8Array, relay: Relay): void {
    this.ingest.take(bytes, relay);
  }

  notAFrame(): void {
    this.#options.totals.drop('not_a_frame');
  }

  disconnected(relay: Relay, reason: DisconnectReason, detail: string, retryInMs: number): void {
    this.relay = undefined;
    this.connectedSinceUs = undefined;
    clearInterval(this.#watch);
    this.ingest.disconnected(relay);
    this.disconnects.set(reason, (this.disconnects.get(reason) ?? 0) + 1);
    this.#options.logger.warn({ relay: relay.id, reason, detail, retryInMs }, 'the relay is gone');
  }

  /** A relay's `#info` or error frame. */
  notice(relay: Relay, type: FrameType, name: string, message: string): void {
    const isError = type === frameTypes.error;
    const { logger, timing } = this.#options;
    logger.warn({ relay: relay.id, name, message }, isError ? 'relay error' : 'relay notice');
    if (!isError || name !== 'FutureCursor') return;
    // A replica that lags behind says so too: the place is tried again, with back-off, before it is given up.
    if (this.ingest.isRefusedForLong(relay, timing?.startOverAfterMs ?? refusalsMsMin))
      this.ingest.forget(relay);
    this.upstream.reconnect('future cursor');
  }

  /** Something happened to a relay's numbering. It has been counted. */
  outcome(relay: Relay, { name, from, to }: RelayOutcome): void {
    const gap =
      name === 'relay_gap' && from !== undefined && to !== undefined ? { missing: to - from - 1 } : {};
    this.#options.logger.warn({ relay: relay.id, name, from, to, ...gap }, outcomeWords[name]);
  }

  setPaused(paused: boolean): void {
    if (paused) this.upstream.pause();
    else this.upstream.resume();
  }

  #giveWay(): void {
    const { ingest } = this;
    // While the log waits, it is not the relay that brings nothing.
    if (ingest.isPaused || ingest.stalledBy !== undefined) return;
    const connectedMs = performance.now() - this.#connectedAtMs;
    if (Math.min(ingest.idleMs, connectedMs) < this.#nothingNewMs) return;
    this.upstream.giveWay(`nothing new for ${Math.round(this.#nothingNewMs / 1000)} s`);
  }
}

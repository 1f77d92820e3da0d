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
import type { PlaceSearch } from './place-search.ts';
import type { RelayOutcome } from './relay-outcome.ts';
import { refusalsMsMin } from './relay-position.ts';
import { RelaySearch } from './relay-search.ts';

/** How long a relay may be connected without anything new before another one is tried, when there is one. As readiness. */
const nothingNewMsMax = 60_000;

const outcomeWords: Readonly<Record<RelayOutcome['name'], string>> = {
  relay_gap: 'the relay continued far above the last frame: what it numbered in between did not arrive',
  odd_sequence: 'the relay sent a number out of order, and continued as before: the frame was taken',
  new_numbering: 'the relay continues at lower numbers than before, and is followed there',
  started_over: 'the relay no longer knows our sequence, and is followed at its new numbers',
  frame_skipped: 'a message of the relay ended every connection, and is skipped',
  relay_changed: 'a different relay is followed',
  set_back:
    'the relay starts below what the log has, because of --override-relay-cursor: events come again, with new times',
};

/** Intervals of the way in, in milliseconds. */
export interface LinkTiming extends Timing {
  /** How long a relay has to say that it does not know our sequence before it is believed. */
  readonly startOverAfterMs: number;
  readonly nothingNewMs: number;
  /** How long a relay that is searched may send nothing. */
  readonly searchQuietMs: number;
}

/** What a link is made with. */
export interface LinkOptions {
  readonly relays: readonly Relay[];
  readonly userAgent: string;
  readonly totals: IngestTotals;
  readonly logger: Logger;
  /** Replaces single intervals. */
  readonly timing?: Partial<LinkTiming>;
  /** Where ends of connections are counted, when that is to go on after this link. */
  readonly disconnects?: Map<DisconnectReason, number>;
}

/** The end of the last attempt, while no relay is connected. */
export interface LinkFailure {
  readonly relay: Relay;
  readonly reason: DisconnectReason;
  /** The relay that is tried next, and when: in microseconds since 1970. */
  readonly next: Relay;
  readonly retryAtUs: number;
}

/** See the file comment. `ingest` is set once both exist: each calls the other. */
export class RelayLink implements UpstreamHandler, IngestLink {
  readonly upstream: Upstream;
  readonly disconnects: Map<DisconnectReason, number>;
  ingest!: Ingest;
  /** The relay that is connected, if one is. */
  relay: Relay | undefined;
  /** Since when, in microseconds since 1970. */
  connectedSinceUs: number | undefined;
  /** Why none is connected; undefined while one is, and before the first attempt has ended. */
  failure: LinkFailure | undefined;
  readonly #options: LinkOptions;
  readonly #nothingNewMs: number;
  /** While our place at the relay is looked for: how, and on this connection. */
  #search: PlaceSearch | undefined;
  #searching: RelaySearch | undefined;
  #connectedAtMs = 0;
  #watch: NodeJS.Timeout | undefined;

  constructor(options: LinkOptions) {
    const { relays, userAgent, timing = {} } = options;
    this.#options = options;
    this.disconnects = options.disconnects ?? new Map();
    this.#nothingNewMs = timing.nothingNewMs ?? nothingNewMsMax;
    this.upstream = new Upstream({ relays, userAgent, timing, handler: this });
  }

  /** Ends the connection; resolves when it is gone. Nothing comes any more. */
  stop(): Promise<void> {
    clearInterval(this.#watch);
    this.#searching?.stop();
    return this.upstream.stop();
  }

  cursorFor(relay: Relay): number | undefined {
    this.#search ??= this.ingest.searchAt(relay);
    return this.#search === undefined ? this.ingest.positionOf(relay) : this.#search.cursor;
  }

  connected(relay: Relay, cursor: number | undefined): void {
    const { logger, relays } = this.#options;
    this.relay = relay;
    this.connectedSinceUs = Date.now() * 1000;
    this.failure = undefined;
    this.#connectedAtMs = performance.now();
    logger.info({ relay: relay.id, cursor: cursor ?? 'live' }, 'connected to the relay');
    if (this.#search !== undefined) this.#lookAround(relay, this.#search);
    if (relays.length < 2) return;
    this.#watch = setInterval(() => this.#giveWay(), this.#nothingNewMs / 4);
    this.#watch.unref();
  }

  frame(bytes: Uint8Array, relay: Relay, isTold: boolean): void {
    if (this.#searching === undefined) this.ingest.take(bytes, relay, isTold);
    else this.#searching.take(bytes);
  }

  notAFrame(relay: Relay): void {
    this.ingest.drop('not_a_frame', relay);
  }

  turnOver(isCaughtUp: boolean): void {
    this.ingest.turnOver(isCaughtUp);
  }

  disconnected(relay: Relay, reason: DisconnectReason, detail: string, retryInMs: number): void {
    const message =
      this.relay === undefined ? 'cannot reach the relay' : 'the connection to the relay has ended';
    this.relay = undefined;
    this.connectedSinceUs = undefined;
    this.failure = { relay, reason, next: this.upstream.relay, retryAtUs: (Date.now() + retryInMs) * 1000 };
    clearInterval(this.#watch);
    // The next connection may be to another relay.
    this.#searching?.stop();
    this.#searching = this.#search = undefined;
    if (reason === 'oversize' || reason === 'protocol') this.ingest.endedBy(relay);
    this.disconnects.set(reason, (this.disconnects.get(reason) ?? 0) + 1);
    this.#options.logger.warn({ relay: relay.id, reason, detail, retryInMs }, message);
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
  outcome(relay: Relay, { name, from, to, isHole }: RelayOutcome): void {
    const gap =
      name === 'relay_gap' && from !== undefined && to !== undefined ? { missing: to - from - 1 } : {};
    this.#options.logger.warn({ relay: relay.id, name, from, to, isHole, ...gap }, outcomeWords[name]);
  }

  setPaused(paused: boolean): void {
    if (paused) this.upstream.pause();
    else this.upstream.resume();
  }

  /** Looks at the first frames of this connection before any is taken. */
  #lookAround(relay: Relay, search: PlaceSearch): void {
    const { timing } = this.#options;
    const sink = {
      isPaused: () => this.upstream.paused,
      found: (frames: readonly Uint8Array[]) => {
        this.#searching = this.#search = undefined;
        this.ingest.join(relay, search);
        for (const bytes of frames) this.ingest.take(bytes, relay);
      },
      again: () => {
        this.#searching = undefined;
        clearInterval(this.#watch);
        this.upstream.redial('not our place');
      },
    };
    this.#searching = new RelaySearch(search, sink, timing?.searchQuietMs);
  }

  #giveWay(): void {
    const { isPaused, stalledBy, idleMs } = this.ingest.queue;
    // While the log waits, or our place is looked for, it is not the relay that brings nothing.
    if (isPaused || stalledBy !== undefined || this.#searching !== undefined) return;
    const connectedMs = performance.now() - this.#connectedAtMs;
    if (Math.min(idleMs, connectedMs) < this.#nothingNewMs) return;
    this.upstream.giveWay(`nothing new for ${Math.round(this.#nothingNewMs / 1000)} s`);
  }
}

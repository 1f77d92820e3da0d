// Ties the upstream to ingest: frames go through, what happens to the connection is logged and counted, and a relay that
// has lost its history is followed from where it is. Holds no frames and decides nothing about events.

import { type FrameType, frameTypes } from '../decode/frame.ts';
import type { Logger } from '../logger.ts';
import type { DisconnectReason } from '../upstream/disconnect-reason.ts';
import type { Relay } from '../upstream/relay-url.ts';
import { Upstream, type UpstreamHandler } from '../upstream/upstream.ts';
import type { Ingest, IngestTotals } from './ingest.ts';

/** See the file comment. `ingest` is set once both exist: each calls the other. */
export class RelayLink implements UpstreamHandler {
  readonly upstream: Upstream;
  readonly disconnects = new Map<DisconnectReason, number>();
  ingest!: Ingest;
  /** The relay that is connected, if one is. */
  relay: Relay | undefined;
  /** Since when, in microseconds since 1970. */
  connectedSinceUs: number | undefined;
  readonly #totals: IngestTotals;
  readonly #logger: Logger;

  constructor(relays: readonly Relay[], userAgent: string, totals: IngestTotals, logger: Logger) {
    this.#totals = totals;
    this.#logger = logger;
    this.upstream = new Upstream({ relays, userAgent, handler: this });
  }

  cursorFor(relay: Relay): number | undefined {
    return this.ingest.positionOf(relay);
  }

  connected(relay: Relay, cursor: number | undefined): void {
    this.relay = relay;
    this.connectedSinceUs = Date.now() * 1000;
    this.#logger.info({ relay: relay.id, cursor: cursor ?? 'live' }, 'connected to the relay');
  }

  frame(bytes: Uint8Array, relay: Relay): void {
    this.ingest.take(bytes, relay);
  }

  notAFrame(): void {
    this.#totals.drop('not_a_frame');
  }

  disconnected(relay: Relay, reason: DisconnectReason, detail: string, retryInMs: number): void {
    this.relay = undefined;
    this.connectedSinceUs = undefined;
    this.disconnects.set(reason, (this.disconnects.get(reason) ?? 0) + 1);
    this.#logger.warn({ relay: relay.id, reason, detail, retryInMs }, 'the relay is gone');
  }

  /** A relay's `#info` or error frame. */
  notice(relay: Relay, type: FrameType, name: string, message: string): void {
    const isError = type === frameTypes.error;
    this.#logger.warn({ relay: relay.id, name, message }, isError ? 'relay error' : 'relay notice');
    if (!isError || name !== 'FutureCursor') return;
    // The relay has started over, or lost its end: its numbers mean nothing to us any more.
    this.ingest.forget(relay);
    this.upstream.reconnect('future cursor');
  }
}

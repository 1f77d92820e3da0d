// One live subscriber that measures how late its events come. load-client.ts runs it, in place of a crowd.

import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { WebSocket } from '../lib/websocket.ts';

/**
 * How late live events came, in milliseconds: from their `time_us`, in which a millisecond is cut to its start, to their
 * arrival as text.
 */
export interface LatencyResult {
  readonly messages: number;
  /** Null when no event came. */
  readonly p50Ms: number | null;
  readonly p99Ms: number | null;
  /** From the relay on: of identity and account events, which carry the time at which it published them. Null without those. */
  readonly relayP50Ms: number | null;
  readonly relayP99Ms: number | null;
}

const published = /"kind":"(?:identity|account)".*"time":"([^"]+)"/;

/** Looks at the `time_us` of every event that comes while it is asked to. */
export class LatencyProbe {
  #latenciesMs: number[] | undefined;
  #sinceRelayMs: number[] = [];
  readonly #failed: Promise<never>;
  readonly #socket: WebSocket;

  private constructor(url: URL) {
    this.#socket = new WebSocket(url);
    this.#failed = new Promise((_, reject) => this.#socket.once('error', reject));
    this.#socket.on('message', (data) => {
      if (this.#latenciesMs === undefined) return;
      const nowMs = performance.timeOrigin + performance.now();
      const text = data.toString();
      const timeUs = /"time_us":(\d+)/.exec(text)?.[1];
      this.#latenciesMs.push(nowMs - Number(timeUs) / 1000);
      const time = published.exec(text)?.[1];
      if (time !== undefined) this.#sinceRelayMs.push(nowMs - Date.parse(time));
    });
  }

  static async open(url: URL): Promise<LatencyProbe> {
    const probe = new LatencyProbe(url);
    await Promise.race([once(probe.#socket, 'open'), probe.#failed]);
    return probe;
  }

  /** What comes within `seconds`. */
  async count(seconds: number): Promise<LatencyResult> {
    this.#latenciesMs = [];
    this.#sinceRelayMs = [];
    await Promise.race([delay(seconds * 1000), this.#failed]);
    const sorted = this.#latenciesMs.sort((a, b) => a - b);
    const sinceRelay = this.#sinceRelayMs.sort((a, b) => a - b);
    this.#latenciesMs = undefined;
    return {
      messages: sorted.length,
      ...{ p50Ms: quantile(sorted, 0.5), p99Ms: quantile(sorted, 0.99) },
      ...{ relayP50Ms: quantile(sinceRelay, 0.5), relayP99Ms: quantile(sinceRelay, 0.99) },
    };
  }
}

function quantile(sorted: readonly number[], share: number): number | null {
  return sorted[Math.floor(sorted.length * share)] ?? null;
}

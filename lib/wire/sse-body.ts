// The form of `GET /events`: server-sent events whose `id` is a position. A browser sends the last one when it connects
// again, so that it misses nothing and gets nothing twice; events themselves are made by lib/wire/text-encodings.ts.

import type { Gap } from '../event/coverage.ts';
import type { Progress } from '../fanout/transport.ts';
import { gapText, progressText } from './server-messages.ts';
import { type TextBody, textEncodings } from './text-encodings.ts';

/** How long a browser waits until it connects again. */
const retryMs = 3_000;

/** See the file comment. */
export class SseBody implements TextBody {
  readonly contentType = 'text/event-stream';
  /** Proxies that compress gather what they compress: an event would wait for those behind it. */
  readonly cacheControl = 'no-store, no-transform';
  readonly encoding = textEncodings.serverSentEvents;
  readonly keepsConnection = false;
  readonly firstText = `retry: ${retryMs}\n\n`;
  readonly isComplete = false;
  readonly wantsProgress: boolean;
  readonly #pingIntervalMs: number;
  #pingDueMs = 0;

  /** @param pingIntervalMs shortest time between two signs of life for a client that does not want progress. */
  constructor(wantsProgress: boolean, pingIntervalMs: number) {
    this.wantsProgress = wantsProgress;
    this.#pingIntervalMs = pingIntervalMs;
  }

  eventsOf(batch: Uint8Array): Uint8Array {
    return batch;
  }

  /**
   * A client that does not want it gets a comment once in a while, against proxies that end quiet connections, and with
   * it an id alone: a browser remembers the position and tells the page nothing. The first one, at once when a
   * subscription is live from its start, is for a client that loses the connection before its first event.
   */
  progressOf(report: Progress): string {
    const { positionUs } = report;
    if (this.wantsProgress) return `event: progress\nid: ${positionUs}\ndata: ${progressText(report)}\n\n`;
    const nowMs = performance.now();
    if (nowMs < this.#pingDueMs) return '';
    this.#pingDueMs = nowMs + this.#pingIntervalMs;
    return `: ping\nid: ${positionUs}\n\n`;
  }

  gapOf(gap: Gap): string {
    return `event: gap\nid: ${gap.toUs}\ndata: ${gapText(gap)}\n\n`;
  }

  closingText(reason: string): string {
    return `: ${reason}\n\n`;
  }
}

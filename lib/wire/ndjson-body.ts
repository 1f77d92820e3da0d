// The form of `GET /events.ndjson`: lines, up to a time, a number of events, or the newest event. It finds
// where delivery has to stop, inside a batch too. The lines are made by lib/wire/text-encodings.ts.

import type { Gap } from '../event/coverage.ts';
import type { Progress } from '../fanout/transport.ts';
import { gapText, progressText } from './server-messages.ts';
import { type TextBody, textEncodings } from './text-encodings.ts';

const newline = 0x0a;

/** What a pull is made from. */
export interface NdjsonOptions {
  /** Most events. */
  readonly limit: number;
  /** Events up to here, this one included. */
  readonly throughUs: number;
  readonly wantsProgress: boolean;
  /** Now, in microseconds, on the clock that events are stamped with. */
  readonly nowUs: () => number;
}

/** See the file comment. */
export class NdjsonBody implements TextBody {
  readonly contentType = 'application/x-ndjson';
  /** It may be compressed on the way: it ends, and nobody waits for one line of it. */
  readonly cacheControl = 'no-store';
  readonly encoding = textEncodings.ndjson;
  readonly keepsConnection = true;
  readonly firstText = '';
  readonly throughUs: number;
  readonly wantsProgress: boolean;
  isComplete = false;
  readonly #options: NdjsonOptions;
  #left: number;

  constructor(options: NdjsonOptions) {
    this.throughUs = options.throughUs;
    this.wantsProgress = options.wantsProgress;
    this.#options = options;
    this.#left = options.limit;
  }

  eventsOf(batch: Uint8Array): Uint8Array {
    const { throughUs } = this;
    const lastStart = batch.lastIndexOf(newline, batch.length - 2) + 1;
    const isPast = timeUsOf(batch, lastStart, batch.length) > throughUs;
    let start = 0;
    let end = 0;
    while (this.#left > 0 && end < batch.length) {
      const next = batch.indexOf(newline, end) + 1;
      if (isPast && timeUsOf(batch, end, next) > throughUs) break;
      start = end;
      end = next;
      this.#left--;
    }
    if (this.#left > 0 && !isPast) return batch;
    this.isComplete = true;
    const lines = batch.subarray(0, end);
    const positionUs = this.#left > 0 ? throughUs : timeUsOf(batch, start, end);
    // How far the newest event is, only the delivery loop knows: the clock is no less.
    const newestUs = Math.max(positionUs, this.#options.nowUs());
    return Buffer.concat([lines, Buffer.from(this.#line({ positionUs, newestUs, live: false }))]);
  }

  progressOf(report: Progress): string {
    const positionUs = Math.min(report.positionUs, this.throughUs);
    const isAtTip = report.live && report.positionUs === positionUs;
    this.isComplete = report.live || report.positionUs >= this.throughUs;
    return this.#line({ ...report, positionUs, live: isAtTip });
  }

  gapOf(gap: Gap): string {
    return `${gapText(gap)}\n`;
  }

  closingText(): undefined {
    return undefined;
  }

  #line(report: Progress): string {
    return this.wantsProgress ? `${progressText(report)}\n` : '';
  }
}

/** The `time_us` of an event. */
function timeUsOf(lines: Uint8Array, start: number, end: number): number {
  const { time_us } = JSON.parse(Buffer.prototype.utf8Slice.call(lines, start, end)) as { time_us: number };
  return time_us;
}

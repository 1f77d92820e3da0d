// A client of the delivery loop for tests: decodes what it is sent, in any of three encodings, and has a socket that fills
// up whenever it likes.

import type { Gap } from '../../lib/event/coverage.ts';
import type { Messages } from '../../lib/fanout/encodings.ts';
import { type Encoding, encodings } from '../../lib/fanout/encodings.ts';
import type { CloseReason, Progress, Subscription, Transport } from '../../lib/fanout/transport.ts';
import type { BlockIndex } from '../../lib/log/block.ts';
import { payloadsOf, unfake } from '../support/events.ts';

/** Events as lines of text: an encoding that is made from the stored one. */
export class Lines implements Encoding {
  readonly name = 'lines';
  readonly stored = 'json';
  recodes = 0;

  readonly recode = (index: BlockIndex, messages: Uint8Array): Messages => {
    this.recodes++;
    const lines = payloadsOf(messages, 0x81).map((payload) => Buffer.from(`${Buffer.from(payload)}\n`));
    if (lines.length !== index.count) throw new Error(`${lines.length} messages for ${index.count} events`);
    let end = 0;
    return {
      bytes: Buffer.concat(lines),
      ends: Uint32Array.from(lines, (line) => {
        end += line.length;
        return end;
      }),
    };
  };
}

export class FakeClient implements Transport {
  readonly encoding: Encoding;
  remoteAddress = '192.0.2.1';
  readonly wantsProgress: boolean;
  readonly wantsGaps: boolean;
  /** Events received, as JSON. */
  readonly texts: string[] = [];
  /** Writes, as the number of events in each. */
  readonly writes: number[] = [];
  readonly chunks: Uint8Array[] = [];
  /** Gaps it was told of, and after how many events. */
  readonly gaps: { readonly row: Gap; readonly received: number }[] = [];
  readonly reports: (Progress & { received: number })[] = [];
  closed: CloseReason | undefined;
  isFull = false;
  hasEnded = false;
  subscription: Subscription | undefined;
  readonly #fills: () => boolean;

  constructor(encoding: Encoding, fills: () => boolean = () => false, wantsProgress = false) {
    this.encoding = encoding;
    this.#fills = fills;
    this.wantsProgress = wantsProgress;
    this.wantsGaps = wantsProgress;
  }

  write(bytes: Uint8Array): boolean {
    if (this.isFull) throw new Error('written to while full');
    if (this.hasEnded) throw new Error('written to after the end');
    const texts = this.#decode(bytes);
    this.texts.push(...texts);
    this.writes.push(texts.length);
    this.chunks.push(bytes);
    this.isFull = this.#fills();
    return !this.isFull;
  }

  progress(report: Progress): void {
    if (this.isFull || this.hasEnded || !this.wantsProgress) throw new Error('a report that is not wanted');
    this.reports.push({ ...report, received: this.texts.length });
  }

  gap(row: Gap): boolean {
    if (this.isFull || this.hasEnded || !this.wantsGaps) throw new Error('a gap that is not wanted');
    this.gaps.push({ row, received: this.texts.length });
    this.isFull = this.#fills();
    return !this.isFull;
  }

  close(reason: CloseReason): void {
    this.closed = reason;
  }

  drain(): void {
    this.isFull = false;
    this.subscription?.drained();
  }

  end(): void {
    this.subscription?.end();
    this.hasEnded = true;
  }

  #decode(bytes: Uint8Array): string[] {
    if (this.encoding.name === 'lines') return Buffer.from(bytes).toString().trimEnd().split('\n');
    if (this.encoding === encodings.zstd) return payloadsOf(bytes, 0x82).map(unfake);
    return payloadsOf(bytes, 0x81).map((payload) => Buffer.from(payload).toString());
  }
}

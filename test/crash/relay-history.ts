// What a relay has made available, as sequences: the oracle of these tests. Epochs begin where the relay starts its
// numbers over; gaps are sequences that it never had, or no longer had when it was asked. Filled by the observed relay.

import type { FramePool } from '../../simulator/lib/frame-pool.ts';
import { DeliveryLedger } from '../support/delivery-ledger.ts';

/** Sequences from `fromSeq` to before `endSeq`. */
export interface SeqRange {
  readonly fromSeq: number;
  readonly endSeq: number;
}

/** Sequences between two restarts of the relay. Each epoch's are below those of the one before. */
export class Epoch {
  readonly firstSeq: number;
  /** After the newest published frame, or the last one of the epoch. */
  endSeq: number;
  readonly #gaps: SeqRange[] = [];

  constructor(firstSeq: number) {
    this.firstSeq = firstSeq;
    this.endSeq = firstSeq;
  }

  addGap(fromSeq: number, endSeq: number): void {
    if (endSeq > fromSeq) this.#gaps.push({ fromSeq, endSeq });
  }

  /** What is left of [fromSeq, endSeq) without the gaps, in order. */
  available(fromSeq: number, endSeq: number): SeqRange[] {
    const ranges: SeqRange[] = [];
    let at = fromSeq;
    for (const gap of this.#gaps.toSorted((one, other) => one.fromSeq - other.fromSeq)) {
      if (gap.endSeq <= at) continue;
      if (gap.fromSeq >= endSeq) break;
      if (gap.fromSeq > at) ranges.push({ fromSeq: at, endSeq: gap.fromSeq });
      at = gap.endSeq;
    }
    if (at < endSeq) ranges.push({ fromSeq: at, endSeq });
    return ranges;
  }
}

/** See the file comment. */
export class RelayHistory {
  readonly pool: FramePool;
  readonly epochs: Epoch[];

  constructor(pool: FramePool) {
    this.pool = pool;
    this.epochs = [new Epoch(pool.seqAt(0))];
  }

  get current(): Epoch {
    return this.epochs[this.epochs.length - 1];
  }

  /** Events that a daemon has to have taken by now. */
  get expectedEvents(): number {
    const { pool } = this;
    let events = 0;
    for (const epoch of this.epochs) {
      for (const { fromSeq, endSeq } of epoch.available(epoch.firstSeq, epoch.endSeq)) {
        events += pool.firstEventOf(endSeq) - pool.firstEventOf(fromSeq);
      }
    }
    return events;
  }

  /** Which epoch a sequence is of; -1 when none. */
  epochOf(seq: number): number {
    return this.epochs.findIndex((epoch) => seq >= epoch.firstSeq);
  }

  newLedger(epoch: number): DeliveryLedger {
    return new DeliveryLedger(this.pool, this.epochs[epoch].firstSeq);
  }

  /** The relay has started over at `seq`, having published up to before `endSeq`. */
  restart(endSeq: number, seq: number): void {
    this.current.endSeq = endSeq;
    this.epochs.push(new Epoch(seq));
  }
}

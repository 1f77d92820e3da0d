// Judges a stream of messages as it comes: every event known to the relay's history, in order, exactly once, `time_us`
// strictly rising. Says at once what is wrong, so that a failure points to the crash that caused it.

import { seqOfStampedRev } from '../../simulator/lib/stamped-rev.ts';
import type { DeliveryLedger, V1Message } from '../support/delivery-ledger.ts';
import type { RelayHistory } from './relay-history.ts';

/** How strict a check is. */
export type Delivery = 'exactly once' | 'at least once';

/** Where a stream has to begin: at the relay's first event, or anywhere, as a log whose front was deleted. */
export type Beginning = 'first event' | 'any event';

/** See the file comment. */
export class DeliveryCheck {
  /** The first thing that was wrong. */
  failure: string | undefined;
  /** Different events seen. */
  events = 0;
  /** Events seen again; only a check for `at least once` forgives them. */
  repeated = 0;
  readonly #history: RelayHistory;
  readonly #delivery: Delivery;
  readonly #beginning: Beginning;
  readonly #ledgers: DeliveryLedger[] = [];
  #epoch = 0;
  #seq = -1;
  #firstSeq = -1;
  #lastTimeUs = 0;

  constructor(
    history: RelayHistory,
    delivery: Delivery = 'exactly once',
    beginning: Beginning = 'first event',
  ) {
    this.#history = history;
    this.#delivery = delivery;
    this.#beginning = beginning;
  }

  /** Takes the next message; returns it, parsed. */
  take(json: Buffer): V1Message & { readonly time_us: number } {
    const message = JSON.parse(json.toString()) as V1Message & { readonly time_us: number };
    const problem = this.#problemOf(message);
    if (problem !== undefined) this.failure ??= `${problem}: ${json.toString().slice(0, 300)}`;
    return message;
  }

  /**
   * Whether everything has come that the relay made available. Numbers alone do not say it: events of a gap may have come, too,
   * when the relay sent them before it forgot them.
   */
  hasAll(): boolean {
    return this.events >= this.#history.expectedEvents && this.missing() === undefined;
  }

  /** What is missing of everything that the relay made available from the beginning on; undefined when nothing is. */
  missing(): string | undefined {
    const { epochs } = this.#history;
    const isAny = this.#beginning === 'any event' && this.#firstSeq >= 0;
    const firstEpoch = isAny ? this.#history.epochOf(this.#firstSeq) : 0;
    for (let at = firstEpoch; at < epochs.length; at++) {
      const { firstSeq, endSeq } = epochs[at];
      const problem = this.#missingIn(at, isAny && at === firstEpoch ? this.#firstSeq : firstSeq, endSeq);
      if (problem !== undefined) return problem;
    }
    return undefined;
  }

  #problemOf(message: V1Message & { readonly time_us: number }): string | undefined {
    const { commit, time_us: timeUs } = message;
    const lastTimeUs = this.#lastTimeUs;
    this.#lastTimeUs = timeUs;
    if (!(timeUs > lastTimeUs)) return `time_us does not rise, the last was ${lastTimeUs}`;
    const seq = commit ? seqOfStampedRev(commit.rev) : (message.identity ?? message.account)?.seq;
    const epoch = seq === undefined ? -1 : this.#history.epochOf(seq);
    if (seq === undefined || epoch < 0) return 'an event of no frame';
    if (this.#firstSeq < 0) {
      this.#firstSeq = seq;
      if (this.#beginning === 'any event') {
        this.#epoch = epoch;
        this.#seq = seq;
      }
    }
    const verdict = this.#ledger(epoch).take(message);
    if (verdict === 'duplicate' && this.#delivery === 'at least once') this.repeated++;
    else if (verdict !== 'new') return `a ${verdict} event (sequence ${seq}, after ${this.#seq})`;
    else this.events++;
    return this.#orderProblem(epoch, seq);
  }

  /** When an event of a later frame comes, those of the frames before it must have come. */
  #orderProblem(epoch: number, seq: number): string | undefined {
    const { firstSeq } = this.#history.epochs[epoch];
    const from = epoch === this.#epoch && this.#seq >= 0 ? this.#seq : firstSeq;
    this.#epoch = epoch;
    this.#seq = seq;
    if (seq < from) {
      return this.#delivery === 'at least once' ? undefined : `sequence ${seq} comes after ${from}`;
    }
    return this.#missingIn(epoch, from, seq);
  }

  #missingIn(epoch: number, fromSeq: number, endSeq: number): string | undefined {
    for (const range of this.#history.epochs[epoch].available(fromSeq, endSeq)) {
      const { count, firstSeq } = this.#ledger(epoch).missing(range.fromSeq, range.endSeq);
      if (count > 0) return `${count} events are missing, the first of sequence ${firstSeq}`;
    }
    return undefined;
  }

  #ledger(epoch: number): DeliveryLedger {
    this.#ledgers[epoch] ??= this.#history.newLedger(epoch);
    return this.#ledgers[epoch];
  }
}

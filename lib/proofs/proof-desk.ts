// Answers who asks for a proof: finds the event in the log, its commit among those that are kept, and has the proof cut out of it. What
// it gives is of that very event, whatever was kept under its time: account, revision, path and CID are compared. It owns whose turn it
// is, address by address, and the names of why there is no proof.

import { AddressQueue } from '../address-queue.ts';
import { CodedError } from '../errors.ts';
import type { LogReader } from '../log/event-log.ts';
import { type ProofFault, RecordProof } from '../verify/record-proof.ts';
import { EventFinder, type FoundEvent, type RecordName } from './event-finder.ts';
import type { CollectionTest } from './proof-queue.ts';
import type { ProofReader } from './proof-store.ts';

/** Requests that are answered at a time, in a thread; that wait, in all and of an address. */
const runningMax = 2;
const waitingMax = 256;
const waitingOfAddressMax = 16;

/** What is asked for; one of both, or both, which then have to agree. */
export interface ProofRequest {
  readonly timeUs: number | undefined;
  readonly record: RecordName | undefined;
}

/**
 * Why there is no proof.
 * - `no_event`: the log has no such event; `other_record`: the event at that time is of another record.
 * - `no_record`: events of that kind have none.
 * - `expired`: proofs of that time are not kept any more; `not_this_collection`: those of its collection are not.
 * - `not_kept`: this one is missing: more came than could be written, or the process was killed, or the disk has lost it.
 * - `incomplete`, `contradicted`, `unreadable`: what the relay sent is no proof of it (lib/verify/record-proof.ts).
 * - `too_many_events`: the account has written so much that its newest event of a record is not looked for.
 * - `log_unreadable`: the log cannot be read now. `busy`: too many ask.
 */
export const proofLacks = [
  'no_event',
  'other_record',
  'no_record',
  'expired',
  'not_this_collection',
  'not_kept',
  'incomplete',
  'contradicted',
  'unreadable',
  'too_many_events',
  'log_unreadable',
  'busy',
] as const;
export type ProofLack = (typeof proofLacks)[number];

interface Waiting {
  readonly address: string;
  readonly go: () => void;
}

/** See the file comment. One in each thread that serves. */
export class ProofDesk {
  readonly #finder: EventFinder;
  readonly #reader: ProofReader;
  readonly #isWanted: CollectionTest | undefined;
  readonly #proof = new RecordProof();
  readonly #queue = new AddressQueue<Waiting>();
  readonly #waitingOf = new Map<string, number>();
  #waiting = 0;
  #running = 0;

  /** @param isWanted which collections are kept, if not all. */
  constructor(log: LogReader, reader: ProofReader, isWanted: CollectionTest | undefined) {
    this.#finder = new EventFinder(log);
    this.#reader = reader;
    this.#isWanted = isWanted;
  }

  /** A CAR, or why there is none. Never rejects. @param address whose request it is. */
  async find(request: ProofRequest, address: string): Promise<Uint8Array | ProofLack> {
    if (!(await this.#enter(address))) return 'busy';
    try {
      return await this.#find(request);
    } catch (error) {
      if (error instanceof CodedError) return 'log_unreadable';
      throw error;
    } finally {
      this.#running--;
      this.#next();
    }
  }

  async #find({ timeUs, record }: ProofRequest): Promise<Uint8Array | ProofLack> {
    const event = await this.#event(timeUs, record);
    if (event === undefined) return 'no_event';
    if (event === 'too_many') return 'too_many_events';
    const { did, commit } = event;
    if (commit === undefined) return 'no_record';
    const { rev, collection, rkey, cid } = commit;
    if (
      record !== undefined &&
      (record.did !== did || record.collection !== collection || record.rkey !== rkey)
    )
      return 'other_record';
    const { blocks, oldestUs } = await this.#reader.blocksAt(event.timeUs);
    if (blocks === undefined) {
      if (this.#isWanted?.(collection) === false) return 'not_this_collection';
      return event.timeUs < oldestUs ? 'expired' : 'not_kept';
    }
    const proof = this.#proof.cut(blocks, { did, rev, path: `${collection}/${rkey}`, cid });
    return typeof proof === 'string' ? lackOf(proof) : proof;
  }

  async #event(
    timeUs: number | undefined,
    record: RecordName | undefined,
  ): Promise<FoundEvent | undefined | 'too_many'> {
    if (timeUs !== undefined || record === undefined) return this.#finder.at(timeUs ?? 0);
    const { oldestUs } = await this.#reader.blocksAt(0);
    return this.#finder.newestOf(record, Number.isFinite(oldestUs) ? oldestUs : 0);
  }

  /** Waits for a turn; false when too many do. */
  async #enter(address: string): Promise<boolean> {
    const ofAddress = this.#waitingOf.get(address) ?? 0;
    if (this.#waiting >= waitingMax || ofAddress >= waitingOfAddressMax) return false;
    await new Promise<void>((go) => {
      this.#waiting++;
      this.#waitingOf.set(address, ofAddress + 1);
      this.#queue.push(address, { address, go });
      this.#next();
    });
    return true;
  }

  #next(): void {
    if (this.#running >= runningMax) return;
    const next = this.#queue.shift();
    if (next === undefined) return;
    this.#running++;
    this.#waiting--;
    const left = (this.#waitingOf.get(next.address) as number) - 1;
    if (left === 0) this.#waitingOf.delete(next.address);
    else this.#waitingOf.set(next.address, left);
    next.go();
  }
}

/** What was kept under the time of another event is not kept. */
function lackOf(fault: ProofFault): ProofLack {
  return fault === 'other_commit' ? 'not_kept' : fault;
}

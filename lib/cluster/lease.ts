// Which node tries to write: the one that holds a value which expires unless it is renewed. That makes hand-overs orderly and
// nothing else: two holders do no harm, since the stream takes a block from one of them only. A holder gives up when another
// one has the value, never because it is unsure.

import { type ClusterCounts, count } from './cluster-counts.ts';
import type { LeaseStore } from './engine.ts';
import { machineClock, type WriterClock } from './stream-writer.ts';

/** Between renewals, and after one without an answer: the longest gap of a holder that the engine served was 8 s of the 10. */
const renewMs = 2_000;
const unsureMs = 250;
/** What stands there when nobody has it. */
export const free = '';

/** See the file comment. */
export class Lease {
  readonly #store: LeaseStore;
  readonly #nodeId: string;
  readonly #counts: ClusterCounts;
  readonly #clock: WriterClock;
  #revision = 0;
  /** While it is held. */
  #holding: AbortController | undefined;
  #renewing: Promise<void> | undefined;

  constructor(store: LeaseStore, nodeId: string, counts: ClusterCounts, clock: WriterClock = machineClock) {
    this.#store = store;
    this.#nodeId = nodeId;
    this.#counts = counts;
    this.#clock = clock;
  }

  /** Of the value when it was taken; rises with every holder. */
  get revision(): number {
    return this.#revision;
  }

  /**
   * Takes it, if nobody has it, and renews it until {@link release}. Never rejects.
   * @param lost another node has it; called once.
   * @returns `held` by another node; `unsure`: nobody has said so, it can be tried again.
   */
  async take(lost: () => void): Promise<'taken' | 'held' | 'unsure'> {
    const there = await this.#store.read();
    if (there === undefined) return 'unsure';
    const isOurs = there?.value === this.#nodeId;
    if (there !== null && there.value !== free && !isOurs) return 'held';
    if (!isOurs && !(await this.#write(there?.revision ?? 0))) return 'unsure';
    if (isOurs) this.#revision = there.revision;
    count(this.#counts.leases, isOurs ? 'settled' : 'taken');
    const holding = new AbortController();
    this.#holding = holding;
    this.#renewing = this.#renew(holding.signal, lost);
    return 'taken';
  }

  /** Lets go of it, so that another node can take it at once. Never rejects; what fails expires. */
  async release(): Promise<void> {
    if (this.#holding === undefined) return;
    this.#holding.abort();
    this.#holding = undefined;
    await this.#renewing;
    const { kind } = await this.#store.write(free, this.#revision);
    count(this.#counts.leases, kind === 'written' ? 'released' : 'unsure');
  }

  /** Whether our value is there, behind that revision. */
  async #write(revision: number): Promise<boolean> {
    const written = await this.#store.write(this.#nodeId, revision);
    if (written.kind === 'written') {
      this.#revision = written.revision;
      return true;
    }
    if (written.kind === 'unsure') count(this.#counts.leases, 'unsure');
    // An answer that was lost makes the next write fail, though the value is ours.
    const there = await this.#store.read();
    if (there?.value !== this.#nodeId) return false;
    count(this.#counts.leases, 'settled');
    this.#revision = there.revision;
    return true;
  }

  async #renew(signal: AbortSignal, lost: () => void): Promise<void> {
    let pauseMs = renewMs;
    for (;;) {
      await this.#clock.sleep(pauseMs, signal);
      if (signal.aborted) return;
      const written = await this.#store.write(this.#nodeId, this.#revision);
      if (written.kind === 'written') {
        this.#revision = written.revision;
        count(this.#counts.leases, 'renewed');
        pauseMs = renewMs;
        continue;
      }
      count(this.#counts.leases, 'unsure');
      pauseMs = unsureMs;
      if (written.kind === 'unsure') continue;
      const there = await this.#store.read();
      if (there === undefined) continue;
      if (there === null || there.value === free) {
        if (await this.#write(there?.revision ?? 0)) count(this.#counts.leases, 'taken_again');
        continue;
      }
      if (there.value === this.#nodeId) {
        this.#revision = there.revision;
        count(this.#counts.leases, 'settled');
        continue;
      }
      this.#holding = undefined;
      count(this.#counts.leases, 'lost');
      lost();
      return;
    }
  }
}

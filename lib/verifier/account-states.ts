// Where accounts are in their chains, for one batch of commits after the other: from memory, else from disk. It owns what is
// written when: a state only once the event that it came of is in the log, so that a process that is killed finds states of the past,
// never of a future that comes again.

import type { AccountState } from '../verify/chain.ts';
import type { AccountStore, StoredState } from './account-store.ts';

/** Accounts in memory, some 250 bytes each; the one that was silent longest goes first. */
const accountsMax = 32_768;
/** States that are written in one go, and that may wait for that. */
const unwrittenMax = 8_192;

interface Known extends StoredState {
  /** The batch of whose commits it is the state after. */
  readonly batch: number;
}

/** See the file comment. */
export class AccountStates {
  readonly #store: AccountStore;
  readonly #known = new Map<string, Known | undefined>();
  readonly #unwritten = new Map<string, Known>();
  #uncheckedUs: number;

  /** @param nowUs what was there before is not known to be all: others may have written the log, or nobody has checked. */
  constructor(store: AccountStore, nowUs: number) {
    this.#store = store;
    this.#uncheckedUs = nowUs;
  }

  /** States that are not on disk yet. */
  get unwritten(): number {
    return this.#unwritten.size;
  }

  /** Commits of any account may not have been checked, up to now: what does not go on from its state is no broken chain. */
  skipped(nowUs: number): void {
    this.#uncheckedUs = Math.max(this.#uncheckedUs, nowUs);
  }

  /** What came of batches behind that one is not in the log, and never will be: it comes again. */
  forget(storedBatch: number): void {
    for (const states of [this.#known, this.#unwritten])
      for (const [did, state] of states)
        if (state !== undefined && state.batch > storedBatch) states.delete(did);
  }

  /** Has the states of these accounts ready for {@link of}, until the next call. */
  async load(dids: ReadonlySet<string>): Promise<void> {
    const absent = [...dids].filter((did) => !this.#known.has(did));
    // First, so that loading does not push out what is about to be asked for.
    while (this.#known.size > accountsMax) this.#known.delete(this.#known.keys().next().value as string);
    if (absent.length === 0) return;
    const states = await this.#store.getMany(absent);
    for (const [at, did] of absent.entries()) {
      const waiting = this.#unwritten.get(did);
      const stored = states[at];
      this.#known.set(did, waiting ?? (stored && { ...stored, batch: 0 }));
    }
  }

  /** The state of an account that was loaded; undefined while nothing is known of it. */
  of(did: string): AccountState | undefined {
    const known = this.#known.get(did);
    if (known === undefined) return undefined;
    const { rev, data, hasUnchecked, checkedUs } = known;
    return { rev, data, hasUnchecked: hasUnchecked || checkedUs <= this.#uncheckedUs };
  }

  /** The state after a commit of that batch, checked at `nowUs`. */
  set(did: string, { rev, data, hasUnchecked }: AccountState, nowUs: number, batch: number): void {
    const known = { rev, data, hasUnchecked, checkedUs: nowUs, batch };
    this.#known.delete(did);
    this.#known.set(did, known);
    this.#unwritten.set(did, known);
  }

  /** Whether it is time to {@link write}, whatever the clock says. */
  get isFull(): boolean {
    return this.#unwritten.size >= unwrittenMax;
  }

  /** Writes states of the batches up to `storedBatch`, whose events are in the log. What cannot be written is forgotten. */
  async write(storedBatch: number): Promise<void> {
    const rows: [string, StoredState][] = [];
    for (const [did, state] of this.#unwritten) {
      if (state.batch > storedBatch) continue;
      this.#unwritten.delete(did);
      rows.push([did, state]);
    }
    await this.#store.putMany(rows);
    // Nothing is stored any more, or for very long.
    if (this.#unwritten.size > 2 * unwrittenMax) this.#unwritten.clear();
  }
}

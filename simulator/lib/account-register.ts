// Who the accounts of a network are to the outside: handles, and the public keys that they have had, with times. What a directory tells
// of them is made of it. It remembers accounts that are gone, in bounded number.

/** A public key, `did:key:…`, and from when on it was the account's. */
export interface KeyPeriod {
  readonly key: string;
  readonly fromMs: number;
}

export interface AccountRecord {
  readonly did: string;
  readonly handle: string;
  /** From the first to the one that it has. */
  readonly keys: readonly KeyPeriod[];
}

/** An operation, in the order in which the directory took them: the account got its key number `at`, from 0 on. */
export interface KeyOperation {
  /** Rises by one, from 1 on. */
  readonly seq: number;
  readonly did: string;
  readonly at: number;
}

/** All of them. */
export type KeyOperations = Pick<AccountRegister, 'operationsAfter' | 'onOperation'>;

/** Accounts remembered. */
const recordsMax = 100_000;
/** When the first account came to be; the others a millisecond each later. */
const registeredMs = Date.UTC(2025, 0, 1);

/** See the file comment. */
export class AccountRegister {
  readonly #records = new Map<string, AccountRecord>();
  #opened = 0;
  readonly #operations: KeyOperation[] = [];
  readonly #listeners = new Set<() => void>();

  get(did: string): AccountRecord | undefined {
    return this.#records.get(did);
  }

  /** An account, with its first key, unless it is known. */
  open(did: string, handle: string, key: string): void {
    if (this.#records.has(did)) return;
    this.#records.set(did, { did, handle, keys: [{ key, fromMs: registeredMs + this.#opened++ }] });
    this.#note(did, 0);
    if (this.#records.size > recordsMax) this.#records.delete(this.#records.keys().next().value ?? '');
  }

  rename(did: string, handle: string): void {
    const record = this.#records.get(did);
    if (record !== undefined) this.#records.set(did, { ...record, handle });
  }

  addKey(did: string, period: KeyPeriod): void {
    const record = this.#records.get(did);
    if (record === undefined) return;
    this.#records.set(did, { ...record, keys: [...record.keys, period] });
    this.#note(did, record.keys.length);
  }

  /** Operations behind that sequence. Those of accounts that are not remembered any more are among them. */
  operationsAfter(seq: number): readonly KeyOperation[] {
    return this.#operations.slice(seq);
  }

  /** Calls when there is another operation; returns what ends that. */
  onOperation(call: () => void): () => void {
    this.#listeners.add(call);
    return () => this.#listeners.delete(call);
  }

  #note(did: string, at: number): void {
    this.#operations.push({ seq: this.#operations.length + 1, did, at });
    for (const call of this.#listeners) call();
  }

  /** All that are known, in the order in which they were seen. */
  all(): Iterable<AccountRecord> {
    return this.#records.values();
  }
}

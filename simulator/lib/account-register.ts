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

/** Accounts remembered. */
const recordsMax = 100_000;
/** When the first account came to be; the others a millisecond each later. */
const registeredMs = Date.UTC(2025, 0, 1);

/** See the file comment. */
export class AccountRegister {
  readonly #records = new Map<string, AccountRecord>();
  #opened = 0;

  get(did: string): AccountRecord | undefined {
    return this.#records.get(did);
  }

  /** An account, with its first key, unless it is known. */
  open(did: string, handle: string, key: string): void {
    if (this.#records.has(did)) return;
    this.#records.set(did, { did, handle, keys: [{ key, fromMs: registeredMs + this.#opened++ }] });
    if (this.#records.size > recordsMax) this.#records.delete(this.#records.keys().next().value ?? '');
  }

  rename(did: string, handle: string): void {
    const record = this.#records.get(did);
    if (record !== undefined) this.#records.set(did, { ...record, handle });
  }

  addKey(did: string, period: KeyPeriod): void {
    const record = this.#records.get(did);
    if (record !== undefined) this.#records.set(did, { ...record, keys: [...record.keys, period] });
  }

  /** All that are known, in the order in which they were seen. */
  all(): Iterable<AccountRecord> {
    return this.#records.values();
  }
}

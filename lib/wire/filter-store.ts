// The filters that clients have stored, with the bounds on them: their number and bytes, in all and of one address, and how
// long one is kept that nobody uses. It lives in one thread and holds bytes; the others ask it (lib/worker/filter-port.ts).

import { createHmac, randomBytes } from 'node:crypto';
import type { FilterCounts, StoredFilter } from './stored-filter.ts';

/** How much is kept. */
export interface FilterStoreLimits {
  readonly filtersMax: number;
  readonly bytesMax: number;
  /** Of one client address: what more it stores takes the place of what has not been used for longest. */
  readonly filtersPerAddressMax: number;
  readonly bytesPerAddressMax: number;
  /** From the last use until it is forgotten, in milliseconds. A subscriber uses its filter for as long as it is there. */
  readonly unusedMs: number;
}

/** One address has a quarter of it: 450,000 DIDs. All of it is little enough for a machine with 1 GB. */
export const filterStoreLimits: FilterStoreLimits = {
  filtersMax: 8_000,
  bytesMax: 64 * 1024 * 1024,
  filtersPerAddressMax: 1_000,
  bytesPerAddressMax: 16 * 1024 * 1024,
  unusedMs: 24 * 60 * 60 * 1000,
};

/** What is told of a stored filter. */
export interface FilterDescription {
  readonly id: string;
  /** When it is forgotten unless it is used, in milliseconds since 1970. */
  readonly expiresMs: number;
  readonly counts: FilterCounts;
}

/** What became of a filter that was to be stored. There is no room where all that is stored is in use. */
export type PutResult =
  | { readonly outcome: 'stored' | 'known'; readonly description: FilterDescription }
  | { readonly outcome: 'no_room' | 'no_room_for_address' };

type Awaitable<T> = T | Promise<T>;

/** What others ask of the store, in its thread or from another. */
export interface Filters {
  /** Stores a filter, or uses the one that is there. `address` is the client's, as limits count it. */
  put(filter: StoredFilter, address: string): Awaitable<PutResult>;
  look(id: string): Awaitable<FilterDescription | undefined>;
  /** Whether there is such a filter, which is in use from now on. */
  hold(id: string): Awaitable<boolean>;
  /** The bytes of a filter that is in use; they are not to be written to. */
  bytesOf(id: string): Awaitable<Uint8Array>;
  /** To be called once for each filter that {@link hold} has found. */
  release(id: string): Awaitable<void>;
}

/** See the file comment. */
export class FilterStore implements Filters {
  /** Sums since start: forgotten because nobody used them, or because their room was needed. */
  readonly ended = { expired: 0, pushed_out: 0 };
  readonly #limits: FilterStoreLimits;
  readonly #nowMs: () => number;
  readonly #entries = new Map<string, Entry>();
  readonly #all: Shelf;
  readonly #shares = new Map<string, Shelf>();
  /** Addresses are known by hashes made with it. */
  readonly #addressKey = randomBytes(16);

  constructor(limits: FilterStoreLimits = filterStoreLimits, nowMs: () => number = Date.now) {
    this.#limits = limits;
    this.#nowMs = nowMs;
    this.#all = new Shelf('', limits.filtersMax, limits.bytesMax);
  }

  /** Filters that are stored, and their bytes. */
  stats(): { filters: number; bytes: number } {
    this.#expire();
    return { filters: this.#all.size, bytes: this.#all.bytes };
  }

  put({ id, bytes, counts }: StoredFilter, address: string): PutResult {
    this.#expire();
    const known = this.#entries.get(id);
    if (known !== undefined) {
      this.#use(known, 0);
      return { outcome: 'known', description: this.#describe(known) };
    }
    const share = this.#shareOf(address);
    if (!share.canTake(bytes.length)) return { outcome: 'no_room_for_address' };
    if (!this.#all.canTake(bytes.length)) return { outcome: 'no_room' };
    for (const shelf of [share, this.#all]) {
      while (!shelf.hasRoom(bytes.length)) {
        this.#remove(shelf.idlest as Entry);
        this.ended.pushed_out++;
      }
    }
    const entry: Entry = { id, bytes, counts, share, users: 0, usedAtMs: this.#nowMs() };
    this.#entries.set(id, entry);
    this.#shares.set(share.key, share);
    share.add(entry);
    this.#all.add(entry);
    return { outcome: 'stored', description: this.#describe(entry) };
  }

  look(id: string): FilterDescription | undefined {
    this.#expire();
    const entry = this.#entries.get(id);
    return entry && this.#describe(entry);
  }

  hold(id: string): boolean {
    this.#expire();
    const entry = this.#entries.get(id);
    if (entry !== undefined) this.#use(entry, 1);
    return entry !== undefined;
  }

  // What is in use is there.
  bytesOf(id: string): Uint8Array {
    return (this.#entries.get(id) as Entry).bytes;
  }

  release(id: string): void {
    this.#use(this.#entries.get(id) as Entry, -1);
  }

  #describe({ id, counts, users, usedAtMs }: Entry): FilterDescription {
    return { id, counts, expiresMs: (users > 0 ? this.#nowMs() : usedAtMs) + this.#limits.unusedMs };
  }

  #use(entry: Entry, moreUsers: number): void {
    const shelves = [entry.share, this.#all];
    for (const shelf of shelves) shelf.remove(entry);
    entry.users += moreUsers;
    entry.usedAtMs = this.#nowMs();
    for (const shelf of shelves) shelf.add(entry);
  }

  #remove(entry: Entry): void {
    const { id, share } = entry;
    this.#entries.delete(id);
    this.#all.remove(entry);
    share.remove(entry);
    if (share.size === 0) this.#shares.delete(share.key);
  }

  #expire(): void {
    const endMs = this.#nowMs() - this.#limits.unusedMs;
    for (let entry = this.#all.idlest; entry && entry.usedAtMs <= endMs; entry = this.#all.idlest) {
      this.#remove(entry);
      this.ended.expired++;
    }
  }

  #shareOf(address: string): Shelf {
    const { filtersPerAddressMax, bytesPerAddressMax } = this.#limits;
    const key = createHmac('sha256', this.#addressKey).update(address).digest('base64');
    return this.#shares.get(key) ?? new Shelf(key, filtersPerAddressMax, bytesPerAddressMax);
  }
}

interface Entry extends StoredFilter {
  readonly share: Shelf;
  users: number;
  usedAtMs: number;
}

/** Filters that have a bound together. */
class Shelf {
  readonly key: string;
  bytes = 0;
  readonly #filtersMax: number;
  readonly #bytesMax: number;
  /** Those that nobody uses, in the order of their last use. */
  readonly #idle = new Set<Entry>();
  #inUse = 0;
  #bytesInUse = 0;

  constructor(key: string, filtersMax: number, bytesMax: number) {
    this.key = key;
    this.#filtersMax = filtersMax;
    this.#bytesMax = bytesMax;
  }

  get size(): number {
    return this.#idle.size + this.#inUse;
  }

  /** The one that has not been used for longest. */
  get idlest(): Entry | undefined {
    return this.#idle.values().next().value;
  }

  hasRoom(bytes: number): boolean {
    return this.size < this.#filtersMax && this.bytes + bytes <= this.#bytesMax;
  }

  /** Whether there is room once those are gone that nobody uses. */
  canTake(bytes: number): boolean {
    return this.#inUse < this.#filtersMax && this.#bytesInUse + bytes <= this.#bytesMax;
  }

  add(entry: Entry): void {
    this.#count(entry, 1);
    if (entry.users === 0) this.#idle.add(entry);
  }

  remove(entry: Entry): void {
    this.#count(entry, -1);
    this.#idle.delete(entry);
  }

  #count({ users, bytes }: Entry, sign: 1 | -1): void {
    this.bytes += sign * bytes.length;
    if (users === 0) return;
    this.#inUse += sign;
    this.#bytesInUse += sign * bytes.length;
  }
}

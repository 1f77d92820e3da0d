// The addresses that subscribers come from: connections held and DIDs wanted, over all threads, and how many events each
// address has had. It lives in shared memory, so that limits are global; one thread uses it the same way. It does not know where an
// address comes from (lib/http) nor which subscribers are paced (subscriber.ts). Created by lib/worker.

import { randomFillSync } from 'node:crypto';
import { DidHasher, didHashKeyBytes } from '../event/did-hash.ts';
import { hasLittleMemory } from '../memory.ts';
import { DeliveryRate, type Pacing, type RateBasis } from './delivery-rate.ts';

/**
 * Most wanted DIDs and subjects of one address, over all its connections in all threads: ten of the longest filters, and a tenth
 * of what there is room for in one thread. Where memory is short it is a third.
 */
export const wantedDidsPerAddressMax = hasLittleMemory() ? 50_000 : 1_000_000;

/** What addresses may do; a limit of 0 is none, but for `subscribersMax`. */
export interface AddressLimits {
  /** Connections at a time, of all addresses together. */
  readonly subscribersMax: number;
  /** Connections at a time of one address. */
  readonly subscribersPerAddressMax: number;
  /** Events a second to one address, over all its connections. */
  readonly eventsPerSecond: number;
  /** Wanted DIDs and subjects of one address, over all its connections. */
  readonly wantedDidsMax: number;
}

/** The answer to a connection. */
export type Entry = 'entered' | 'too_many' | 'too_many_of_address';

/** Header: the words lock, connections, addresses in use; the key; the limits. */
const lockAt = 0;
const connectionsAt = 1;
const addressesAt = 2;
const keyAtByte = 16;
const limitsAtByte = 24;
const headerBytes = 64;

/** A slot in words: hash (2), references, connections, theoretical time (a float64), wanted DIDs and subjects, and one to spare. */
const slotWords = 8;
const lowWord = 0;
const highWord = 1;
const referencesWord = 2;
const connectionsWord = 3;
const timeWord = 4;
const wantedDidsWord = 6;

/** Values of `references` where there are none: a slot that ends a search, and one that does not. */
const neverUsed = 0;
const vacated = -1;

/** Values of the lock. */
const unlocked = 0;
const locked = 1;
const awaited = 2;

/**
 * See the file comment. Addresses are known by a keyed 64-bit hash, so that nobody can choose one that shares its slot's
 * limits. A slot does not move while its address is connected. Operations take about a microsecond under a lock. A
 * thread that ends without leaving takes its process with it, so counts need no repair.
 */
export class AddressTable {
  /** For `new AddressTable` in another thread. */
  readonly memory: SharedArrayBuffer;
  readonly limits: AddressLimits;
  /** Waits for the delivery rate that this thread was told, and how long they were together. */
  readonly pacing: Readonly<Pacing>;
  readonly #words: Int32Array;
  readonly #mask: number;
  readonly #hasher: DidHasher;
  readonly #basis: RateBasis;

  /**
   * @param memory from {@link memoryFor}; the same in every thread.
   * @param nowMs one clock for all threads, as `performance.now()` is in a process.
   */
  constructor(memory: SharedArrayBuffer, nowMs: () => number = () => performance.now()) {
    this.memory = memory;
    this.#words = new Int32Array(memory);
    this.#mask = (memory.byteLength - headerBytes) / (slotWords * 4) - 1;
    this.#hasher = new DidHasher(new Uint8Array(memory, keyAtByte, didHashKeyBytes));
    const [subscribersMax, subscribersPerAddressMax, eventsPerSecond, wantedDidsMax] = new Float64Array(
      memory,
      limitsAtByte,
      4,
    );
    this.limits = { subscribersMax, subscribersPerAddressMax, eventsPerSecond, wantedDidsMax };
    const pacing = { waits: 0, waitedMs: 0 };
    this.pacing = pacing;
    this.#basis = { times: new Float64Array(memory), eventMs: 1000 / eventsPerSecond, nowMs, pacing };
  }

  /** Memory for a table within those limits, with a secret of its own. */
  static memoryFor(limits: AddressLimits): SharedArrayBuffer {
    const { subscribersMax, subscribersPerAddressMax, eventsPerSecond, wantedDidsMax } = limits;
    let slots = 16;
    while (slots < subscribersMax * 2) slots *= 2;
    const memory = new SharedArrayBuffer(headerBytes + slots * slotWords * 4);
    randomFillSync(new Uint8Array(memory, keyAtByte, didHashKeyBytes));
    new Float64Array(memory, limitsAtByte).set([
      subscribersMax,
      subscribersPerAddressMax,
      eventsPerSecond,
      wantedDidsMax,
    ]);
    return memory;
  }

  /** Connections that have entered and not left, in all threads. */
  get connections(): number {
    return Atomics.load(this.#words, connectionsAt);
  }

  /** Connections that may still enter. */
  get placesFree(): number {
    return Math.max(0, this.limits.subscribersMax - this.connections);
  }

  /** Addresses connected, in all threads. */
  get addresses(): number {
    return Atomics.load(this.#words, addressesAt);
  }

  /** Counts a new connection, unless there are too many. Each that has entered leaves once. */
  enter(address: string): Entry {
    const { subscribersMax, subscribersPerAddressMax } = this.limits;
    const words = this.#words;
    this.#hash(address);
    return this.#locked(() => {
      if (words[connectionsAt] >= subscribersMax) return 'too_many';
      const connections = this.#find() + connectionsWord;
      if (subscribersPerAddressMax > 0 && words[connections] >= subscribersPerAddressMax) {
        return 'too_many_of_address';
      }
      this.#refer();
      words[connections]++;
      words[connectionsAt]++;
      return 'entered';
    });
  }

  /** The connection has ended. */
  leave(address: string): void {
    const words = this.#words;
    this.#hash(address);
    this.#locked(() => {
      words[this.#find() + connectionsWord]--;
      words[connectionsAt]--;
      this.#letGo();
    });
  }

  /** The rate of an address, held until {@link release}; undefined when there is no limit. */
  hold(address: string): DeliveryRate | undefined {
    if (this.limits.eventsPerSecond === 0) return undefined;
    this.#hash(address);
    const slot = this.#locked(() => this.#refer());
    return new DeliveryRate(this.#basis, (slot + timeWord) / 2);
  }

  /** Lets go of what {@link hold} gave. */
  release(address: string): void {
    if (this.limits.eventsPerSecond === 0) return;
    this.#hash(address);
    this.#locked(() => this.#letGo());
  }

  /**
   * Counts wanted DIDs and subjects of a connection, and no longer those that it wanted before; false, and nothing changes, when
   * its address would have too many. Each that wants any has to want none at its end.
   */
  want(address: string, dids: number, before = 0): boolean {
    if (dids === before) return true;
    const { wantedDidsMax } = this.limits;
    const words = this.#words;
    this.#hash(address);
    return this.#locked(() => {
      const found = this.#find();
      const others = words[found + referencesWord] > 0 ? words[found + wantedDidsWord] - before : 0;
      if (dids > before && wantedDidsMax > 0 && others + dids > wantedDidsMax) return false;
      const slot = before === 0 ? this.#refer() : found;
      words[slot + wantedDidsWord] = others + dids;
      if (dids === 0) this.#letGo();
      return true;
    });
  }

  #hash(address: string): void {
    const bytes = Buffer.from(address);
    this.#hasher.hash(bytes, 0, bytes.length);
  }

  /** One more reference to the address hashed last; returns its slot. */
  #refer(): number {
    const words = this.#words;
    const slot = this.#find();
    if (words[slot + referencesWord] > 0) {
      words[slot + referencesWord]++;
      return slot;
    }
    // An address that comes back to a slot that no other has had meanwhile still has its time.
    if (!this.#isHere(slot)) {
      words[slot + lowWord] = this.#hasher.low;
      words[slot + highWord] = this.#hasher.high;
      this.#basis.times[(slot + timeWord) / 2] = 0;
    }
    words[slot + connectionsWord] = 0;
    words[slot + wantedDidsWord] = 0;
    words[slot + referencesWord] = 1;
    words[addressesAt]++;
    return slot;
  }

  /** One reference less. The last one frees the slot, and all vacated ones before it if no search has to pass them. */
  #letGo(): void {
    const words = this.#words;
    let slot = this.#find();
    if (--words[slot + referencesWord] > 0) return;
    words[addressesAt]--;
    words[slot + referencesWord] = vacated;
    if (words[this.#neighbour(slot, 1) + referencesWord] !== neverUsed) return;
    while (words[slot + referencesWord] === vacated) {
      words[slot + referencesWord] = neverUsed;
      slot = this.#neighbour(slot, -1);
    }
  }

  /** Slot of the address hashed last, or, when it has none, the one that it may take. There is always one. */
  #find(): number {
    const words = this.#words;
    let free = -1;
    let slot = headerBytes / 4 + (this.#hasher.low & this.#mask) * slotWords;
    for (let searched = 0; searched <= this.#mask; searched++) {
      const references = words[slot + referencesWord];
      if (references > 0 ? this.#isHere(slot) : references === neverUsed) {
        return references > 0 || free === -1 ? slot : free;
      }
      if (references === vacated && free === -1) free = slot;
      slot = this.#neighbour(slot, 1);
    }
    if (free === -1) throw new Error('the address table is full: more addresses are held than may connect');
    return free;
  }

  #isHere(slot: number): boolean {
    const words = this.#words;
    return (
      words[slot + lowWord] === (this.#hasher.low | 0) && words[slot + highWord] === (this.#hasher.high | 0)
    );
  }

  #neighbour(slot: number, step: number): number {
    const index = (slot - headerBytes / 4) / slotWords;
    return headerBytes / 4 + ((index + step) & this.#mask) * slotWords;
  }

  /** Runs `work` while no other thread is in here. */
  #locked<T>(work: () => T): T {
    const words = this.#words;
    let was = Atomics.compareExchange(words, lockAt, unlocked, locked);
    while (was !== unlocked) {
      if (was === awaited || Atomics.compareExchange(words, lockAt, locked, awaited) !== unlocked) {
        Atomics.wait(words, lockAt, awaited);
      }
      was = Atomics.compareExchange(words, lockAt, unlocked, awaited);
    }
    try {
      return work();
    } finally {
      if (Atomics.exchange(words, lockAt, unlocked) === awaited) Atomics.notify(words, lockAt, 1);
    }
  }
}

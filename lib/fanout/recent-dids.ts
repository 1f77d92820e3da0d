// Where the newest events of an account are: an index over the end of the log, so that who comes back near its tip looks at no block that
// has nothing for it. Thousands of readers of a few accounts each come back at once, or once a minute: to look through the columns of
// the blocks that each has missed was a third of what it cost to have it back. It is made of the blocks in memory when it is first
// asked, and is brought up to date when it is asked again: without readers of accounts it costs nothing. Owned by the delivery loop.

import type { Block } from '../log/block.ts';

/** Events that it knows, the newest ones: more than are in memory, as a rule. Half a megabyte with the table. */
const eventsKept = 8_192;
/** Slots of the table of accounts: no more than half of them are used, and half of those are in use when it has just been cleaned. */
const slots = 4 * eventsKept;
/** A slot is three ints: the account's hash and the number of its newest event, from 1 on; 0 is free. */
const slotInts = 3;
/** Accounts above which asking for each is no quicker than looking through. */
const didsMax = 64;
/** Numbers of events that there are before it begins anew. */
const numbersMax = 2 ** 30;

/** What it is made from. */
export interface RecentBlocks {
  readonly lastTimeUs: number;
  recentAfter(timeUs: number): Block | undefined;
}

/** See the file comment. */
export class RecentDids {
  readonly #log: RecentBlocks;
  /** Of events by their number, which goes round: when they were made, and the number of the one before of the same account. */
  #timeUs = new Float64Array(0);
  #before = new Int32Array(0);
  #table = new Int32Array(0);
  /** Slots in use: of accounts that have no event here any more, too. */
  #used = 0;
  /** The number of the newest event; numbers begin anew with the index. */
  #newest = 0;
  /** It knows all events after the one and up to the other. */
  #afterUs = Number.POSITIVE_INFINITY;
  #throughUs = Number.NEGATIVE_INFINITY;

  constructor(log: RecentBlocks) {
    this.#log = log;
  }

  /**
   * When the first event after `afterUs` of any of these accounts was made; `Infinity` when the log has none, and undefined when that
   * is not known here. @param didHashes as of `hashDids`.
   */
  firstAfter(afterUs: number, didHashes: Uint32Array): number | undefined {
    const { length } = didHashes;
    if (length === 0 || length > 2 * didsMax || !this.#reaches(afterUs)) return undefined;
    let firstUs = Number.POSITIVE_INFINITY;
    const oldest = this.#newest - eventsKept;
    for (let at = 0; at < length; at += 2) {
      let event = this.#table[this.#slotOf(didHashes[at], didHashes[at + 1]) + 2];
      while (event > 0 && event > oldest) {
        const timeUs = this.#timeUs[event % eventsKept];
        if (timeUs <= afterUs) break;
        if (timeUs < firstUs) firstUs = timeUs;
        event = this.#before[event % eventsKept];
      }
    }
    return firstUs;
  }

  /** Whether it knows everything after `afterUs`, now that it is up to date. */
  #reaches(afterUs: number): boolean {
    if (this.#goOn()) {
      if (afterUs >= this.#afterUs) return true;
      // It has no room for more.
      if (this.#newest > eventsKept) return false;
    }
    // Anew, from there on, if memory has all of that.
    if (this.#log.recentAfter(afterUs) === undefined) return false;
    this.#clear(afterUs);
    return this.#goOn() && afterUs >= this.#afterUs;
  }

  /** Adds the blocks that have come since; false when some are not in memory any more, or there are none to go on from. */
  #goOn(): boolean {
    const log = this.#log;
    if (this.#afterUs === Number.POSITIVE_INFINITY || this.#newest > numbersMax) return false;
    while (this.#throughUs < log.lastTimeUs) {
      const block = log.recentAfter(this.#throughUs);
      if (block === undefined) return false;
      this.#add(block);
    }
    return true;
  }

  #clear(afterUs: number): void {
    if (this.#table.length === 0) {
      this.#timeUs = new Float64Array(eventsKept);
      this.#before = new Int32Array(eventsKept);
      this.#table = new Int32Array(slots * slotInts);
    }
    this.#table.fill(0);
    this.#used = 0;
    this.#newest = 0;
    this.#afterUs = afterUs;
    this.#throughUs = afterUs;
  }

  #add({ index }: Block): void {
    const { count, didHash, timeUs } = index;
    for (let at = 0; at < count; at++) {
      if (timeUs[at] > this.#throughUs) this.#addEvent(timeUs[at], didHash[at * 2], didHash[at * 2 + 1]);
    }
    this.#throughUs = index.lastTimeUs;
  }

  #addEvent(timeUs: number, low: number, high: number): void {
    if (this.#used >= slots / 2) this.#forget();
    const event = ++this.#newest;
    const place = event % eventsKept;
    if (event > eventsKept) this.#afterUs = this.#timeUs[place];
    const slot = this.#slotOf(low, high);
    if (this.#table[slot + 2] === 0) {
      this.#used++;
      this.#table[slot] = low;
      this.#table[slot + 1] = high;
    }
    this.#timeUs[place] = timeUs;
    this.#before[place] = this.#table[slot + 2];
    this.#table[slot + 2] = event;
  }

  /** Takes accounts out of the table that have no event here any more. */
  #forget(): void {
    const from = this.#table;
    const oldest = this.#newest - eventsKept;
    this.#table = new Int32Array(from.length);
    this.#used = 0;
    for (let at = 0; at < from.length; at += slotInts) {
      if (from[at + 2] === 0 || from[at + 2] <= oldest) continue;
      this.#table.set(from.subarray(at, at + slotInts), this.#slotOf(from[at], from[at + 1]));
      this.#used++;
    }
  }

  /** Where an account is in the table, or would be. */
  #slotOf(low: number, high: number): number {
    const table = this.#table;
    // The hash is a keyed one.
    for (let slot = low & (slots - 1); ; slot = (slot + 1) & (slots - 1)) {
      const at = slot * slotInts;
      if (table[at + 2] === 0 || (table[at] === (low | 0) && table[at + 1] === (high | 0))) return at;
    }
  }
}

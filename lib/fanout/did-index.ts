// Which groups want a DID: a hash table from 64-bit DID hashes to groups, in typed arrays, because it may hold millions of
// entries. The usual DID is wanted by one group and takes one slot; more of them are chained. The hash is keyed
// (lib/event/did-hash.ts), so nobody can choose DIDs that fall together. Keys of wanted subjects are made of such hashes, and
// fit too. Used by group-index.ts.

import { grow } from '../grow.ts';

/** The end of a chain, and what {@link DidIndex.find} returns for a DID that nobody wants. */
export const noLink = 0x7fffffff;

/** Ints of a slot: low, high, link. A link is an owner's number, or the complement of a node's; `noLink` is a free slot. */
const slotInts = 3;
const slotsMin = 64;
/** Ints of a node: an owner's number, and the link to the rest. */
const nodeInts = 2;
const nodesMin = 64;
/** Entries of owners that are gone which are never worth a rebuild. */
const goneMin = 64;

/**
 * See the file comment. What an owner that goes leaves behind stays, without an owner, until there is half as much of it as of
 * the rest: to take an entry out of its chain takes as long as the chain is, and 300 groups with the same 10,000 DIDs that
 * went at once took 12 s. So each entry costs three moves at most, whoever wants the same.
 */
export class DidIndex<Owner> {
  #slots = new Int32Array(slotsMin * slotInts).fill(noLink);
  #mask = slotsMin - 1;
  /** Slots in use. */
  #dids = 0;
  #nodes = new Int32Array(nodesMin * nodeInts);
  #nodesEnd = 0;
  /** By their numbers. */
  readonly #owners: (Owner | undefined)[] = [];
  /** Numbers that nothing here has. */
  #freeNumbers: number[] = [];
  /** Numbers of owners that are gone, which entries may still have. */
  #goneNumbers: number[] = [];
  #size = 0;
  /** Entries of owners that are gone. */
  #gone = 0;

  /** Entries: the wanted DIDs of all owners together. */
  get size(): number {
    return this.#size;
  }

  /** Bytes of its tables. */
  get bytes(): number {
    return this.#slots.byteLength + this.#nodes.byteLength;
  }

  /**
   * Returns the owner's number, for {@link remove}.
   * @param hashes two entries each: low, high.
   */
  add(hashes: Uint32Array, owner: Owner): number {
    const number = this.#freeNumbers.pop() ?? this.#owners.length;
    this.#owners[number] = owner;
    for (let at = 0; at < hashes.length; at += 2) this.#add(hashes[at] | 0, hashes[at + 1] | 0, number);
    return number;
  }

  /** Undoes {@link add}. */
  remove(hashes: Uint32Array, number: number): void {
    this.#owners[number] = undefined;
    this.#goneNumbers.push(number);
    this.#size -= hashes.length / 2;
    this.#gone += hashes.length / 2;
    if (this.#gone > Math.max(goneMin, this.#size / 2)) this.#rebuild();
  }

  /** The first link of a DID: `noLink`, or see {@link ownerOf} and {@link next}. Valid until the next change. */
  find(low: number, high: number): number {
    return this.#slots[this.#slotOf(low | 0, high | 0) + 2];
  }

  /** Undefined: it is gone. */
  ownerOf(link: number): Owner | undefined {
    return this.#owners[this.#numberOf(link)];
  }

  next(link: number): number {
    return link >= 0 ? noLink : this.#nodes[~link * nodeInts + 1];
  }

  #numberOf(link: number): number {
    return link >= 0 ? link : this.#nodes[~link * nodeInts];
  }

  /** Where the DID's slot begins, or the free one that it would take. */
  #slotOf(low: number, high: number): number {
    const slots = this.#slots;
    for (let slot = low & this.#mask; ; slot = (slot + 1) & this.#mask) {
      const at = slot * slotInts;
      if (slots[at + 2] === noLink || (slots[at] === low && slots[at + 1] === high)) return at;
    }
  }

  #add(low: number, high: number, number: number): void {
    // Searches that find nothing are the usual ones, and get long beyond two thirds.
    if ((this.#dids + 1) * 3 > (this.#mask + 1) * 2) this.#rebuild();
    const at = this.#slotOf(low, high);
    this.#prepend(at, number);
    this.#slots[at] = low;
    this.#slots[at + 1] = high;
    this.#size++;
  }

  /** Puts an owner in front of the chain of a slot, which is new when it has none. */
  #prepend(at: number, number: number): void {
    const rest = this.#slots[at + 2];
    if (rest === noLink) {
      this.#dids++;
      this.#slots[at + 2] = number;
      return;
    }
    const node = this.#nodesEnd++;
    if (node * nodeInts === this.#nodes.length) this.#nodes = grow(this.#nodes);
    this.#nodes[node * nodeInts] = number;
    this.#nodes[node * nodeInts + 1] = rest;
    this.#slots[at + 2] = ~node;
  }

  /** Moves all entries that have an owner into tables of the size that is needed. Takes about 30 ms for a million DIDs. */
  #rebuild(): void {
    const from = { slots: this.#slots, nodes: this.#nodes, nodesEnd: this.#nodesEnd };
    // As many as there may be, and one that is about to come: half of the slots at most, so that they last.
    const dids = Math.min(this.#dids, this.#size) + 1;
    let slotCount = slotsMin;
    while (slotCount < dids * 2) slotCount *= 2;
    this.#slots = new Int32Array(slotCount * slotInts).fill(noLink);
    this.#mask = slotCount - 1;
    this.#nodes = new Int32Array(Math.max(nodesMin, Math.min(from.nodesEnd, this.#size)) * nodeInts);
    this.#nodesEnd = 0;
    this.#dids = 0;
    for (let at = 0; at < from.slots.length; at += slotInts) {
      if (from.slots[at + 2] !== noLink) this.#move(from.slots, from.nodes, at);
    }
    this.#gone = 0;
    for (const number of this.#goneNumbers) this.#freeNumbers.push(number);
    this.#goneNumbers = [];
  }

  /** Moves a DID's chain, without what is gone. */
  #move(slots: Int32Array, nodes: Int32Array, from: number): void {
    const [low, high] = [slots[from], slots[from + 1]];
    let to = -1;
    for (let link = slots[from + 2]; link !== noLink; ) {
      const number = link >= 0 ? link : nodes[~link * nodeInts];
      if (this.#owners[number] !== undefined) {
        if (to === -1) to = this.#slotOf(low, high);
        this.#prepend(to, number);
      }
      link = link >= 0 ? noLink : nodes[~link * nodeInts + 1];
    }
    if (to === -1) return;
    this.#slots[to] = low;
    this.#slots[to + 1] = high;
  }
}

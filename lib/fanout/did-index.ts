// Which groups want a DID: a hash table from 64-bit DID hashes to group numbers, in typed arrays, because it may hold
// millions of entries. The usual DID is wanted by one group and takes one slot; more of them are chained. The hash is
// keyed (lib/event/did-hash.ts), so nobody can choose DIDs that fall together. Keys of wanted subjects are made of such
// hashes, and fit too. Used by group-index.ts.

import { grow } from '../grow.ts';

/** The end of a chain, and what {@link DidIndex.find} returns for a DID that nobody wants. */
export const noLink = 0x7fffffff;

/** Ints of a slot: low, high, link. A link is a group number, or the complement of a node's; `noLink` is a free slot. */
const slotInts = 3;
const slotsMin = 64;
/** Ints of a node: a group number, and the link to the rest. */
const nodeInts = 2;
const nodesMin = 64;

/** See the file comment. */
export class DidIndex {
  #slots = new Int32Array(slotsMin * slotInts).fill(noLink);
  #mask = slotsMin - 1;
  /** Slots in use. */
  #dids = 0;
  #nodes = new Int32Array(nodesMin * nodeInts);
  /** Nodes ever used since the last resize; those below it that are free are chained. */
  #nodesEnd = 0;
  #freeNode = noLink;
  #size = 0;

  /** Entries: the wanted DIDs of all groups together. */
  get size(): number {
    return this.#size;
  }

  /** Bytes of its tables. */
  get bytes(): number {
    return this.#slots.byteLength + this.#nodes.byteLength;
  }

  /** @param hashes two entries each: low, high. */
  add(hashes: Uint32Array, group: number): void {
    for (let at = 0; at < hashes.length; at += 2) this.#add(hashes[at] | 0, hashes[at + 1] | 0, group);
  }

  /** Undoes {@link add}. */
  remove(hashes: Uint32Array, group: number): void {
    for (let at = 0; at < hashes.length; at += 2) this.#remove(hashes[at] | 0, hashes[at + 1] | 0, group);
  }

  /** The first link of a DID: `noLink`, or see {@link groupOf} and {@link next}. Valid until the next change. */
  find(low: number, high: number): number {
    return this.#slots[this.#slotOf(low | 0, high | 0) + 2];
  }

  groupOf(link: number): number {
    return link >= 0 ? link : this.#nodes[~link * nodeInts];
  }

  next(link: number): number {
    return link >= 0 ? noLink : this.#nodes[~link * nodeInts + 1];
  }

  /** Where the DID's slot begins, or the free one that it would take. */
  #slotOf(low: number, high: number): number {
    const slots = this.#slots;
    for (let slot = low & this.#mask; ; slot = (slot + 1) & this.#mask) {
      const at = slot * slotInts;
      if (slots[at + 2] === noLink || (slots[at] === low && slots[at + 1] === high)) return at;
    }
  }

  #add(low: number, high: number, group: number): void {
    // Searches that find nothing are the usual ones, and get long beyond two thirds.
    if ((this.#dids + 1) * 3 > (this.#mask + 1) * 2) this.#resize((this.#mask + 1) * 2);
    const slots = this.#slots;
    const at = this.#slotOf(low, high);
    const rest = slots[at + 2];
    if (rest === noLink) this.#dids++;
    slots[at] = low;
    slots[at + 1] = high;
    slots[at + 2] = rest === noLink ? group : this.#newNode(group, rest);
    this.#size++;
  }

  #remove(low: number, high: number, group: number): void {
    const at = this.#slotOf(low, high);
    this.#slots[at + 2] = this.#without(this.#slots[at + 2], group);
    this.#size--;
    if (this.#slots[at + 2] !== noLink) return;
    this.#dids--;
    this.#closeGap(at / slotInts);
    if (this.#dids * 6 < this.#mask && this.#mask >= slotsMin) this.#resize((this.#mask + 1) / 2);
  }

  /** Returns the link of a new node. */
  #newNode(group: number, rest: number): number {
    let node = this.#freeNode;
    if (node !== noLink) this.#freeNode = this.#nodes[node * nodeInts + 1];
    else {
      node = this.#nodesEnd++;
      if (node * nodeInts === this.#nodes.length) this.#nodes = grow(this.#nodes);
    }
    this.#nodes[node * nodeInts] = group;
    this.#nodes[node * nodeInts + 1] = rest;
    return ~node;
  }

  /** The chain that begins with `head`, without one group; frees a node unless it was the only one. */
  #without(head: number, group: number): number {
    if (head >= 0) return head === group ? noLink : head;
    const nodes = this.#nodes;
    let linkAt = -1;
    for (let link = head; link < 0; ) {
      const at = ~link * nodeInts;
      const next = nodes[at + 1];
      if (nodes[at] === group || next === group) {
        // The last of a chain has no node: when it goes, the node before it has no need of one either.
        const rest = next === group ? nodes[at] : next;
        nodes[at + 1] = this.#freeNode;
        this.#freeNode = ~link;
        if (linkAt === -1) return rest;
        nodes[linkAt] = rest;
        return head;
      }
      linkAt = at + 1;
      link = next;
    }
    return head;
  }

  /** Moves entries behind a slot that became free to where a search finds them. */
  #closeGap(free: number): void {
    const slots = this.#slots;
    const mask = this.#mask;
    let gap = free;
    for (let slot = (gap + 1) & mask; slots[slot * slotInts + 2] !== noLink; slot = (slot + 1) & mask) {
      const home = slots[slot * slotInts] & mask;
      if (((slot - home) & mask) < ((slot - gap) & mask)) continue;
      slots.copyWithin(gap * slotInts, slot * slotInts, (slot + 1) * slotInts);
      slots[slot * slotInts + 2] = noLink;
      gap = slot;
    }
  }

  /** Moves everything into tables of the size that is needed. Takes about 30 ms for a million DIDs. */
  #resize(slotCount: number): void {
    const from = this.#slots;
    const nodes = this.#nodes;
    this.#slots = new Int32Array(slotCount * slotInts).fill(noLink);
    this.#mask = slotCount - 1;
    this.#nodes = new Int32Array(Math.max(nodesMin, (this.#size - this.#dids) * 2) * nodeInts);
    this.#nodesEnd = 0;
    this.#freeNode = noLink;
    for (let at = 0; at < from.length; at += slotInts) {
      if (from[at + 2] === noLink) continue;
      const to = this.#slotOf(from[at], from[at + 1]);
      this.#slots[to] = from[at];
      this.#slots[to + 1] = from[at + 1];
      this.#slots[to + 2] = this.#copyChain(nodes, from[at + 2]);
    }
  }

  #copyChain(from: Int32Array, head: number): number {
    const first = head < 0 ? ~this.#nodesEnd : head;
    for (let link = head; link < 0; link = from[~link * nodeInts + 1]) {
      const at = this.#nodesEnd++ * nodeInts;
      const next = from[~link * nodeInts + 1];
      this.#nodes[at] = from[~link * nodeInts];
      this.#nodes[at + 1] = next < 0 ? ~this.#nodesEnd : next;
    }
    return first;
  }
}

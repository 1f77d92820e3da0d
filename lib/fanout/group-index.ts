// All groups, and which of them an event concerns, so that a block costs what it delivers and not groups times events.
// A group with DIDs is found by them, another one with subjects by those, one with only collections by those; the others,
// which take most of what comes, are in a list. Owned by the delivery loop.

import type { DidHasher } from '../event/did-hash.ts';
import type { Filter } from '../event/filter.ts';
import { noPath, subjectInts } from '../event/subject.ts';
import { type BlockIndex, noCollection, type SubjectColumns, startOf } from '../log/block.ts';
import { noRun, Runs } from './batch.ts';
import { CollectionIndex } from './collection-index.ts';
import { DidIndex, noLink } from './did-index.ts';
import type { Encoding } from './encodings.ts';
import { Group } from './group.ts';
import { keysOf, lowKey } from './hash-lists.ts';
import { Selection } from './selection.ts';

/** See the file comment. */
export class GroupIndex {
  /** Groups without a condition on collections, DIDs or subjects. */
  readonly unfiltered = new Set<Group>();
  /** The events of the groups that {@link matched} returned. */
  readonly runs = new Runs();
  readonly #hasher: DidHasher;
  readonly #wantedDidsMax: number;
  readonly #groups = new Map<string, Group>();
  readonly #byCollection = new CollectionIndex<Group>();
  readonly #byDid = new DidIndex<Group>();
  /** By the keys of wanted subjects (hash-lists.ts), which are like DID hashes. */
  readonly #bySubject = new DidIndex<Group>();
  #matched: Group[] = [];
  #wantedDids = 0;

  /** @param wantedDidsMax most wanted DIDs and subjects of all groups together. */
  constructor(hasher: DidHasher, wantedDidsMax: number) {
    this.#hasher = hasher;
    this.#wantedDidsMax = wantedDidsMax;
  }

  get size(): number {
    return this.#groups.size;
  }

  /** Wanted DIDs and subjects of all groups together. */
  get wantedDids(): number {
    return this.#wantedDids;
  }

  /** The group for a filter, held until {@link release}; undefined when there is no room for its DIDs and subjects. */
  hold(filter: Filter, encoding: Encoding): Group | undefined {
    const selection = new Selection(filter, this.#hasher);
    const key = `${encoding.name} ${selection.key}`;
    let group = this.#groups.get(key);
    if (group === undefined) {
      if (this.#wantedDids + selection.wantedDids > this.#wantedDidsMax) return undefined;
      group = new Group(key, selection, encoding);
      this.#groups.set(key, group);
      this.#add(group);
    }
    group.holders++;
    return group;
  }

  release(group: Group): void {
    if (--group.holders > 0) return;
    this.#groups.delete(group.key);
    this.#remove(group);
  }

  /**
   * The groups with live members that want any of a block's events from index `from` on, each with the chain of those
   * events; unfiltered groups are not among them. The caller resets a chain that it takes to `noRun`. Valid until the next call.
   */
  matched(index: BlockIndex, from: number): readonly Group[] {
    this.#matched = [];
    this.runs.clear();
    if (this.#byCollection.owners.length > 0) this.#matchByCollection(index, from);
    if (this.#byDid.size > 0) this.#matchByDid(index, from);
    if (this.#bySubject.size > 0 && index.subjects !== undefined) {
      this.#matchBySubject(index, index.subjects, from);
    }
    return this.#matched;
  }

  #matchByCollection(index: BlockIndex, from: number): void {
    const { collection, count } = index;
    const { owners } = this.#byCollection;
    const found = index.collections.map((name) => this.#byCollection.find(name));
    for (let event = from; event < count; event++) {
      if (collection[event] === noCollection) {
        for (let at = 0; at < owners.length; at++) this.#match(owners[at], index, event);
        continue;
      }
      const lists = found[collection[event]];
      for (let list = 0; list < lists.length; list++) {
        const groups = lists[list];
        for (let at = 0; at < groups.length; at++) this.#match(groups[at], index, event);
      }
    }
  }

  #matchByDid(index: BlockIndex, from: number): void {
    const { count, didHash } = index;
    const byDid = this.#byDid;
    for (let event = from; event < count; event++) {
      let link = byDid.find(didHash[event * 2], didHash[event * 2 + 1]);
      for (; link !== noLink; link = byDid.next(link)) {
        const group = byDid.ownerOf(link);
        if (group === undefined) continue;
        if (group.selection.filtersSubjects && !group.selection.wantsSubjectOf(index, event)) continue;
        this.#matchIfCollection(group, index, event);
      }
    }
  }

  #matchBySubject(index: BlockIndex, { ends, subjectHashes }: SubjectColumns, from: number): void {
    let at = startOf(ends, from) * subjectInts;
    for (let event = from; event < index.count; event++) {
      for (const end = ends[event] * subjectInts; at < end; at += subjectInts) {
        const path = subjectHashes[at + 2];
        this.#matchByKey(subjectHashes[at], subjectHashes[at + 1], index, event);
        if (path !== noPath)
          this.#matchByKey(lowKey(subjectHashes[at], path), subjectHashes[at + 1], index, event);
      }
    }
  }

  #matchByKey(low: number, high: number, index: BlockIndex, event: number): void {
    const bySubject = this.#bySubject;
    for (let link = bySubject.find(low, high); link !== noLink; link = bySubject.next(link)) {
      const group = bySubject.ownerOf(link);
      if (group !== undefined) this.#matchIfCollection(group, index, event);
    }
  }

  #matchIfCollection(group: Group, index: BlockIndex, event: number): void {
    const name = index.collection[event];
    if (name === noCollection || group.selection.wantsCollection(index.collections[name])) {
      this.#match(group, index, event);
    }
  }

  #match(group: Group, index: BlockIndex, event: number): void {
    if (group.live.length === 0 || !group.selection.passes(index, event)) return;
    const last = group.lastRun;
    if (last === noRun) {
      this.#matched.push(group);
      group.firstRun = this.runs.add(noRun, event);
      group.lastRun = group.firstRun;
    } else if (this.runs.endOf(last) <= event) {
      // Else it has the event already, for another reason.
      group.lastRun = this.runs.add(last, event);
    }
  }

  #add(group: Group): void {
    const { selection } = group;
    this.#wantedDids += selection.wantedDids;
    if (selection.didHashes.length > 0) {
      group.number = this.#byDid.add(selection.didHashes, group);
    } else if (selection.filtersSubjects) {
      group.number = this.#bySubject.add(keysOf(selection.subjectHashes), group);
    } else if (selection.filtersCollections) {
      this.#byCollection.add(group, selection.collections, selection.prefixes);
    } else {
      this.unfiltered.add(group);
    }
  }

  #remove(group: Group): void {
    const { selection } = group;
    this.#wantedDids -= selection.wantedDids;
    if (selection.didHashes.length > 0) {
      this.#byDid.remove(selection.didHashes, group.number);
    } else if (selection.filtersSubjects) {
      this.#bySubject.remove(keysOf(selection.subjectHashes), group.number);
    } else if (selection.filtersCollections) {
      this.#byCollection.remove(group, selection.collections, selection.prefixes);
    } else {
      this.unfiltered.delete(group);
    }
  }
}

// Which groups want a collection: by its name, and by the prefixes of it that a filter has asked for. Nothing is kept
// per name of the network: those are without bound. Used by group-index.ts.

/** See the file comment. */
export class CollectionIndex<Owner> {
  /** All owners. */
  readonly owners: Owner[] = [];
  readonly #exact = new Map<string, Owner[]>();
  readonly #prefixes = new Map<string, Owner[]>();
  /** How many of the prefixes have a length, so that no other is tried. */
  readonly #lengths = new Map<number, number>();

  /**
   * @param collections exact names, each once.
   * @param prefixes with their final dot, each once.
   */
  add(owner: Owner, collections: Iterable<string>, prefixes: Iterable<string>): void {
    this.owners.push(owner);
    for (const collection of collections) addTo(this.#exact, collection, owner);
    for (const prefix of prefixes) {
      if (addTo(this.#prefixes, prefix, owner)) this.#countLength(prefix.length, 1);
    }
  }

  /** Undoes {@link add}. */
  remove(owner: Owner, collections: Iterable<string>, prefixes: Iterable<string>): void {
    removeFrom(this.owners, owner);
    for (const collection of collections) takeFrom(this.#exact, collection, owner);
    for (const prefix of prefixes) {
      if (takeFrom(this.#prefixes, prefix, owner)) this.#countLength(prefix.length, -1);
    }
  }

  /** Lists of the owners that want a collection; one that does for two reasons is in two. Valid until the next change. */
  find(collection: string): readonly (readonly Owner[])[] {
    const found: Owner[][] = [];
    const exact = this.#exact.get(collection);
    if (exact !== undefined) found.push(exact);
    if (this.#prefixes.size === 0) return found;
    for (let dot = collection.indexOf('.'); dot !== -1; dot = collection.indexOf('.', dot + 1)) {
      if (!this.#lengths.has(dot + 1)) continue;
      const owners = this.#prefixes.get(collection.slice(0, dot + 1));
      if (owners !== undefined) found.push(owners);
    }
    return found;
  }

  #countLength(length: number, change: 1 | -1): void {
    const count = (this.#lengths.get(length) ?? 0) + change;
    if (count === 0) this.#lengths.delete(length);
    else this.#lengths.set(length, count);
  }
}

/** Returns whether the list is new. */
function addTo<Owner>(lists: Map<string, Owner[]>, key: string, owner: Owner): boolean {
  const list = lists.get(key);
  if (list === undefined) lists.set(key, [owner]);
  else list.push(owner);
  return list === undefined;
}

/** Returns whether the list is gone. */
function takeFrom<Owner>(lists: Map<string, Owner[]>, key: string, owner: Owner): boolean {
  const list = lists.get(key) as Owner[];
  removeFrom(list, owner);
  return list.length === 0 && lists.delete(key);
}

/** The order of a list means nothing. */
function removeFrom<Owner>(list: Owner[], owner: Owner): void {
  const last = list.pop() as Owner;
  if (last !== owner) list[list.indexOf(owner)] = last;
}

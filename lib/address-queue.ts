// What waits for a turn, taken address by address: whoever asks often waits for itself. It does not know what the turns are
// at. Used by lib/fanout for reads and deliveries and by lib/session for what is long to read.

/** See the file comment. An address is in it only while something of it waits; each step takes the same time at any length. */
export class AddressQueue<Item> {
  /** By address, each oldest first; the address whose turn is next comes first. */
  readonly #waiting = new Map<string, Line<Item>>();

  get isEmpty(): boolean {
    return this.#waiting.size === 0;
  }

  push(address: string, item: Item): void {
    const line = this.#waiting.get(address);
    if (line === undefined) this.#waiting.set(address, { items: [item], taken: 0 });
    else line.items.push(item);
  }

  /**
   * Takes the oldest item of the next address, which then comes behind all others.
   * @param mayTake asked of one address after the other until it says yes.
   */
  shift(mayTake?: (address: string) => boolean): Item | undefined {
    for (const [address, line] of this.#waiting) {
      if (mayTake?.(address) === false) continue;
      const item = line.items[line.taken++];
      this.#waiting.delete(address);
      if (line.taken === line.items.length) return item;
      this.#waiting.set(address, line);
      // Taken ones are let go of in bulk: to move the rest at every step would take longer the more there are.
      if (line.taken * 2 > line.items.length) {
        line.items.splice(0, line.taken);
        line.taken = 0;
      }
      return item;
    }
    return undefined;
  }
}

/** What waits of one address. */
interface Line<Item> {
  readonly items: Item[];
  /** How many from the front are gone. */
  taken: number;
}

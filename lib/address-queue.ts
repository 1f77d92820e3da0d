// What waits for a turn, taken network by network, and in each address by address: whoever asks often waits for itself, and so does who
// has many addresses beside each other. It does not know what the turns are at. Used by lib/fanout for reads and deliveries, by
// lib/session for what is long to read, and by lib/proofs.

/** See the file comment. An address is in it only while something of it waits; each step takes the same time at any length. */
export class AddressQueue<Item> {
  /** By network, the one whose turn is next first; in it by address, the same; of each the oldest first. */
  readonly #networks = new Map<string, Map<string, Line<Item>>>();

  get isEmpty(): boolean {
    return this.#networks.size === 0;
  }

  push(address: string, item: Item): void {
    const network = networkOf(address);
    let lines = this.#networks.get(network);
    if (lines === undefined) {
      lines = new Map();
      this.#networks.set(network, lines);
    }
    const line = lines.get(address);
    if (line === undefined) lines.set(address, { items: [item], taken: 0 });
    else line.items.push(item);
  }

  /**
   * Takes the oldest item of the next address of the next network, which then come behind all others.
   * @param mayTake asked of one address after the other until it says yes.
   */
  shift(mayTake?: (address: string) => boolean): Item | undefined {
    for (const [network, lines] of this.#networks) {
      for (const [address, line] of lines) {
        if (mayTake?.(address) === false) continue;
        const item = line.items[line.taken];
        // What has had its turn is held by nobody here.
        line.items[line.taken++] = undefined;
        lines.delete(address);
        this.#networks.delete(network);
        if (line.taken < line.items.length) lines.set(address, withoutTaken(line));
        if (lines.size > 0) this.#networks.set(network, lines);
        return item;
      }
    }
    return undefined;
  }
}

/**
 * What somebody is given who is given many: a /24 of IPv4, a /48 of IPv6, whose addresses come as `a:b:c:d::/64`. What is no address is
 * a network of its own.
 */
function networkOf(address: string): string {
  const dot = address.lastIndexOf('.');
  if (dot >= 0) return address.slice(0, dot);
  let end = -1;
  for (let groups = 0; groups < 3; groups++) {
    end = address.indexOf(':', end + 1);
    if (end < 0) return address;
  }
  return address.slice(0, end);
}

/** Taken ones are let go of in bulk: to move the rest at every step would take longer the more there are. */
function withoutTaken<Item>(line: Line<Item>): Line<Item> {
  if (line.taken * 2 > line.items.length) {
    line.items.splice(0, line.taken);
    line.taken = 0;
  }
  return line;
}

/** What waits of one address. */
interface Line<Item> {
  readonly items: (Item | undefined)[];
  /** How many from the front are gone. */
  taken: number;
}

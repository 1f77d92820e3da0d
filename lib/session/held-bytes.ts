// What clients make a thread hold, counted in one place: of each connection, of each address, and in all. It owns the bounds
// and says which connection has to go when one is passed: who holds most. What is held is reported by whoever holds it
// (lib/http, the sessions here), in sums per kind; what a wanted DID or a subscriber itself takes is the address table's.

/** What bytes are held as. */
export const heldKinds = [
  /** Of requests: a head that has not come to its end, and requests behind an answer that is under way. */
  'request',
  /** Messages and bodies that have begun and not ended, or wait to be read. */
  'message',
  /** What a client has been sent and has not taken. A batch that many wait for counts for each of them. */
  'answer',
] as const;
export type HeldKind = (typeof heldKinds)[number];

/** The bound for which a connection had to go. */
export const heldBounds = ['connection', 'address', 'all'] as const;
export type HeldBound = (typeof heldBounds)[number];

/** Bounds, in bytes. */
export interface HeldLimits {
  readonly connectionBytesMax: number;
  /** Of all connections of an address; a trusted proxy's own have none. */
  readonly addressBytesMax: number;
  readonly bytesMax: number;
}

/** A body of the longest kind in a piece of memory that doubles, and what comes behind it. */
const connectionBytesMax = 20 * 1024 * 1024;
/** Of the memory that there is, what all threads together may hold for clients. */
const memoryShare = 1 / 4;
const bytesLeast = 128 * 1024 * 1024;
const bytesMost = 2 * 1024 * 1024 * 1024;
/** Of that, what one address may have: at least a body of the longest kind, and never more than six of the longest messages. */
const addressShare = 1 / 16;
const addressBytesLeast = 32 * 1024 * 1024;
const addressBytesMost = 64 * 1024 * 1024;
/**
 * What the daemon takes by itself, with a dozen subscribers that catch up: 109 MiB at most were seen where there are 128. Of what is left
 * the third part is for this, the others for what reading a message takes, for subscribers and for garbage; it counts up to half a GB.
 */
const ownBytes = 104 * 1024 * 1024;
const spareShare = 1 / 3;
const spareBytesLeast = 4 * 1024 * 1024;
/** Of what all may have then, what one address or connection may have at most. */
const oneShare = 1 / 2;
/** How far below the bound room is made: else each further byte would cost a search for who holds most. */
const roomShare = 1 / 16;

/** Bytes that clients have sent after which it is worth while to look for what of it is garbage: a collection takes 30 ms. */
const turnoverBytesMax = 16 * 1024 * 1024;

/** The bounds of one of `threads` that listen, on a machine (or in a container) with so much memory. */
export function heldLimitsOf(memoryBytes: number, threads: number): HeldLimits {
  const spareBytes = Math.max(spareBytesLeast, (memoryBytes - ownBytes) * spareShare);
  const allBytes = Math.min(bytesMost, Math.max(bytesLeast, memoryBytes * memoryShare), spareBytes);
  const bytesMax = allBytes / threads;
  // Never more than a thread has.
  const oneBytesMax = Math.min(allBytes * oneShare, bytesMax);
  const usualAddressBytes = Math.min(addressBytesMost, Math.max(addressBytesLeast, bytesMax * addressShare));
  return {
    connectionBytesMax: Math.min(connectionBytesMax, oneBytesMax),
    addressBytesMax: Math.min(usualAddressBytes, oneBytesMax),
    bytesMax,
  };
}

/** What one address has: its connections, those that hold nothing too, and the sum. */
interface AddressSum {
  readonly address: string | undefined;
  readonly holdings: Set<Holding>;
  bytes: number;
}

/** See the file comment. */
export class HeldBytes {
  /** Held now. */
  readonly bytes: Record<HeldKind, number> = { request: 0, message: 0, answer: 0 };
  /** Connections that had to go, by the bound. */
  readonly shed: Record<HeldBound, number> = { connection: 0, address: 0, all: 0 };
  readonly limits: HeldLimits;
  /** Called whenever clients have sent as much as all may hold, 16 MiB at most: what of it was let go of is garbage by then. */
  turnedOver: () => void = () => {};
  #sentBytes = 0;
  readonly #addresses = new Map<string | undefined, AddressSum>();
  #sum = 0;

  constructor(limits: HeldLimits) {
    this.limits = limits;
  }

  /** Most that an address holds. */
  get mostOfAddress(): number {
    return this.#largestAddress()?.bytes ?? 0;
  }

  /** A connection is there. @param address undefined is one whose clients are not known yet. */
  open(address: string | undefined, letGo: (kind: HeldKind) => void): Holding {
    return new Holding(this, this.join(address), letGo);
  }

  /** For {@link Holding} alone: the sum of an address that has one more. */
  join(address: string | undefined): AddressSum {
    let sum = this.#addresses.get(address);
    if (sum === undefined) {
      sum = { address, holdings: new Set(), bytes: 0 };
      this.#addresses.set(address, sum);
    }
    return sum;
  }

  /** For {@link Holding} alone: it is not of that address any more. */
  leave(holding: Holding, sum: AddressSum): void {
    sum.holdings.delete(holding);
    if (sum.holdings.size === 0) this.#addresses.delete(sum.address);
  }

  /** For {@link Holding} alone: the sums have changed by so many bytes. */
  add(holding: Holding, kind: HeldKind, bytes: number): void {
    this.bytes[kind] += bytes;
    this.#sum += bytes;
    if (bytes <= 0) return;
    this.#keep(holding);
    if (kind !== 'answer') this.#noteSent(bytes);
  }

  #noteSent(bytes: number): void {
    this.#sentBytes += bytes;
    if (this.#sentBytes < Math.min(this.limits.bytesMax, turnoverBytesMax)) return;
    this.#sentBytes = 0;
    this.turnedOver();
  }

  #keep(holding: Holding): void {
    const { connectionBytesMax, addressBytesMax, bytesMax } = this.limits;
    const { sum } = holding;
    if (holding.bytes > connectionBytesMax) this.#shed(holding, 'connection');
    if (sum.bytes > addressBytesMax && sum.address !== undefined) {
      this.#shedDownTo(addressBytesMax, 'address', () => sum);
    }
    if (this.#sum > bytesMax) this.#shedDownTo(bytesMax, 'all', () => this.#largestAddress());
  }

  /** Sheds the largest of whom `next` says, until there is some room again. */
  #shedDownTo(bytesMax: number, bound: HeldBound, next: () => AddressSum | undefined): void {
    const bytesWanted = bytesMax * (1 - roomShare);
    for (let from = next(); from !== undefined; from = next()) {
      if ((bound === 'all' ? this.#sum : from.bytes) <= bytesWanted) return;
      const largest = largestOf(from);
      if (largest === undefined) return;
      this.#shed(largest, bound);
    }
  }

  #shed(holding: Holding, bound: HeldBound): void {
    this.shed[bound]++;
    holding.shed();
  }

  #largestAddress(): AddressSum | undefined {
    let largest: AddressSum | undefined;
    for (const sum of this.#addresses.values()) if (sum.bytes > (largest?.bytes ?? 0)) largest = sum;
    return largest;
  }
}

function largestOf({ holdings }: AddressSum): Holding | undefined {
  let largest: Holding | undefined;
  for (const holding of holdings) if (holding.bytes > (largest?.bytes ?? 0)) largest = holding;
  return largest;
}

/** What one connection holds. Whoever holds bytes for it says how many, each kind in one place; it is closed with the connection. */
export class Holding {
  /** Of all kinds. */
  bytes = 0;
  sum: AddressSum;
  /**
   * Told that there is no room for it: lets go of what it holds, and ends. It counts for nothing any more by then. Whoever
   * a connection is handed to puts its own here.
   */
  letGo: (kind: HeldKind) => void;
  readonly #all: HeldBytes;
  readonly #kinds: Record<HeldKind, number> = { request: 0, message: 0, answer: 0 };
  #isOver = false;

  constructor(all: HeldBytes, sum: AddressSum, letGo: (kind: HeldKind) => void) {
    this.#all = all;
    this.sum = sum;
    this.letGo = letGo;
    sum.holdings.add(this);
  }

  /** Notes how much it holds now. When that is too much, those that hold most are shed, this one or others. */
  set(kind: HeldKind, bytes: number): void {
    const more = bytes - this.#kinds[kind];
    if (more === 0 || this.#isOver) return;
    this.#kinds[kind] = bytes;
    this.bytes += more;
    this.sum.bytes += more;
    this.#all.add(this, kind, more);
  }

  /** Counts it for an address from now on; undefined is one whose clients are not known. */
  move(address: string | undefined): void {
    if (this.sum.address === address || this.#isOver) return;
    this.sum.bytes -= this.bytes;
    this.#all.leave(this, this.sum);
    this.sum = this.#all.join(address);
    this.sum.holdings.add(this);
    this.sum.bytes += this.bytes;
  }

  /** It counts for nothing any more, and its connection is told so. */
  shed(): void {
    const [kind] = [...heldKinds].sort((a, b) => this.#kinds[b] - this.#kinds[a]);
    this.close();
    this.letGo(kind);
  }

  /** The connection is over. */
  close(): void {
    if (this.#isOver) return;
    for (const kind of heldKinds) this.set(kind, 0);
    this.#isOver = true;
    this.#all.leave(this, this.sum);
  }
}

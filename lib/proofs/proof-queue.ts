// Commits on their way from ingest to the store of proofs: copied as they come, and written many at a time. It owns the bound on what
// waits: ingest never does, and what there is no room for is dropped and counted. Only where proofs are kept is there one.

import { type Frame, opInts } from '../decode/frame.ts';
import { keyOfTime, type ProofRow } from './proof-segment.ts';
import type { ProofStore } from './proof-store.ts';

/** Bytes that wait, at most: three seconds of the network. */
const waitingBytesMax = 16 * 1024 * 1024;
/** Memory is taken for so many bytes of commits at a time; larger ones have their own. */
const slabBytes = 512 * 1024;
/** What a row takes beside its blocks, and more: a frame can have thousands of events. */
const rowBytes = 256;
/** Less is lost by a kill, and one write takes the work of some rows. */
const gatherMs = 16;
const slash = 0x2f;
const noSlab = Buffer.alloc(0);

/** Since start. */
export interface ProofTotals {
  /** Commits that are kept, and the bytes of their blocks. */
  kept: number;
  keptBytes: number;
  /** Commits that were not: too many waited, the store could not take them. */
  overflow: number;
  failed: number;
}

/** Whether a collection is to be kept: named, or by a prefix that ends in `.*`. */
export type CollectionTest = (collection: string) => boolean;

/** Undefined: all. */
export function collectionTest(names: readonly string[]): CollectionTest | undefined {
  if (names.length === 0) return undefined;
  const whole = new Set(names.filter((name) => !name.endsWith('.*')));
  const prefixes = names.filter((name) => name.endsWith('.*')).map((name) => name.slice(0, -1));
  return (collection) => whole.has(collection) || prefixes.some((prefix) => collection.startsWith(prefix));
}

/** See the file comment. */
export class ProofQueue {
  readonly totals: ProofTotals = { kept: 0, keptBytes: 0, overflow: 0, failed: 0 };
  readonly #store: Pick<ProofStore, 'append' | 'isResting'>;
  readonly #isWanted: CollectionTest | undefined;
  #rows: ProofRow[] = [];
  /** Commits among the rows, their blocks, and times of the first and last row. */
  #commits = 0;
  #blocksBytes = 0;
  #bytes = 0;
  #fromUs = 0;
  #throughUs = 0;
  /** Of the rows that are being written. */
  #writingBytes = 0;
  #writing: Promise<void> | undefined;
  #timer: NodeJS.Timeout | undefined;
  #slab = noSlab;
  #slabEnd = 0;
  #isClosed = false;

  /** @param isWanted of a commit whose ops have several collections, one is enough. */
  constructor(store: Pick<ProofStore, 'append' | 'isResting'>, isWanted: CollectionTest | undefined) {
    this.#store = store;
    this.#isWanted = isWanted;
  }

  /** Bytes that wait, and are being written. */
  get waitingBytes(): number {
    return this.#bytes + this.#writingBytes;
  }

  /** A commit was taken. @param timesUs of its events. Its bytes are copied. */
  keep(frame: Frame, timesUs: Float64Array): void {
    const { length } = timesUs;
    if (length === 0 || this.#isClosed || (this.#isWanted !== undefined && !this.#hasWanted(frame))) return;
    const { bytes, blocksStart, blocksEnd } = frame;
    const count = blocksEnd - blocksStart;
    if (this.#store.isResting) {
      this.totals.failed++;
      return;
    }
    const heldBytes = count + length * rowBytes;
    if (this.waitingBytes + heldBytes > waitingBytesMax) {
      this.totals.overflow++;
      return;
    }
    const key = keyOfTime(timesUs[0]);
    const value = this.#room(count);
    value.set(bytes.subarray(blocksStart, blocksEnd));
    if (this.#rows.length === 0) this.#fromUs = timesUs[0];
    this.#rows.push({ type: 'put', key, value });
    for (let at = 1; at < length; at++)
      this.#rows.push({ type: 'put', key: keyOfTime(timesUs[at]), value: key });
    this.#throughUs = timesUs[length - 1];
    this.#commits++;
    this.#blocksBytes += count;
    this.#bytes += heldBytes;
    if (this.#writing === undefined) this.#timer ??= setTimeout(this.#write, gatherMs);
  }

  /** Writes what waits; takes no more. */
  async close(): Promise<void> {
    this.#isClosed = true;
    while (this.#writing !== undefined || this.#rows.length > 0) {
      if (this.#writing === undefined) this.#write();
      await this.#writing;
    }
  }

  readonly #write = (): void => {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const rows = this.#rows;
    const [commits, blocksBytes] = [this.#commits, this.#blocksBytes];
    this.#rows = [];
    this.#commits = this.#blocksBytes = 0;
    this.#writingBytes = this.#bytes;
    this.#bytes = 0;
    // The store may hold what is in it until it is written.
    this.#slab = noSlab;
    this.#slabEnd = 0;
    this.#writing = this.#store.append(rows, this.#fromUs, this.#throughUs).then((isKept) => {
      if (isKept) {
        this.totals.kept += commits;
        this.totals.keptBytes += blocksBytes;
      } else this.totals.failed += commits;
      this.#writingBytes = 0;
      this.#writing = undefined;
      if (this.#rows.length > 0 && !this.#isClosed) this.#timer ??= setTimeout(this.#write, gatherMs);
    });
  };

  #room(count: number): Buffer {
    if (count > slabBytes / 4) return Buffer.allocUnsafeSlow(count);
    if (this.#slabEnd + count > this.#slab.length) {
      this.#slab = Buffer.allocUnsafeSlow(slabBytes);
      this.#slabEnd = 0;
    }
    const start = this.#slabEnd;
    this.#slabEnd += count;
    return this.#slab.subarray(start, this.#slabEnd);
  }

  #hasWanted({ bytes, ops, opCount }: Frame): boolean {
    const isWanted = this.#isWanted as CollectionTest;
    for (let at = 0; at < opCount * opInts; at += opInts) {
      const start = ops[at + 1];
      const end = bytes.indexOf(slash, start);
      if (end > start && end < ops[at + 2] && isWanted(Buffer.prototype.latin1Slice.call(bytes, start, end)))
        return true;
    }
    return false;
  }
}

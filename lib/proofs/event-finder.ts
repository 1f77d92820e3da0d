// The event in the log that a proof is asked for: at a time, or the newest of a record. Every read is bounded; whose turn it is to
// read is proof-desk.ts.

import { DidHasher } from '../event/did-hash.ts';
import { headerBytesOf, payloadBytesOf } from '../event/websocket-frame.ts';
import { type BlockSlice, firstEventAfter, startOf } from '../log/block.ts';
import type { LogReader } from '../log/event-log.ts';

/** Reads of a search for a record, and bytes of each: an account can have written most of what the log has. */
const readsMax = 32;
const readBytesMax = 512 * 1024;

/** A record: `at://did/collection/rkey`. */
export interface RecordName {
  readonly did: string;
  readonly collection: string;
  readonly rkey: string;
}

/** What of an event matters here. */
export interface FoundEvent {
  readonly timeUs: number;
  readonly did: string;
  /** Undefined of an event that has no record. */
  readonly commit: FoundCommit | undefined;
}

/** Of a deletion there is no `cid`. */
export interface FoundCommit {
  readonly rev: string;
  readonly collection: string;
  readonly rkey: string;
  readonly cid: string | undefined;
}

/** See the file comment. */
export class EventFinder {
  readonly #log: LogReader;
  readonly #hasher: DidHasher;

  constructor(log: LogReader) {
    this.#log = log;
    this.#hasher = new DidHasher(log.didHashKey);
  }

  /** The event with exactly that time. @throws CodedError of a read. */
  async at(timeUs: number): Promise<FoundEvent | undefined> {
    const { slices } = await this.#log.read(timeUs - 1, 'json', 1);
    for (const slice of slices) {
      const event = firstEventAfter(slice.index, timeUs - 1);
      if (slice.index.timeUs[event] === timeUs) return eventOf(slice, event);
    }
    return undefined;
  }

  /**
   * The newest event of a record, of those from that time on; `too_many` when looking through them would take too long.
   * @throws CodedError of a read.
   */
  async newestOf(name: RecordName, fromUs: number): Promise<FoundEvent | undefined | 'too_many'> {
    const did = Buffer.from(name.did);
    this.#hasher.hash(did, 0, did.length);
    const { low, high } = this.#hasher;
    const filter = {
      wantsCollection: (collection: string) => collection === name.collection,
      didHashes: Uint32Array.of(low, high),
    };
    let found: FoundEvent | undefined;
    let afterUs = fromUs - 1;
    for (let reads = 0; afterUs < this.#log.lastTimeUs; reads++) {
      if (reads === readsMax) return 'too_many';
      const { slices, throughUs } = await this.#log.read(afterUs, 'json', readBytesMax, filter);
      for (const slice of slices) found = newestIn(slice, name, low, high, afterUs) ?? found;
      if (throughUs <= afterUs) break;
      afterUs = throughUs;
    }
    return found;
  }
}

function newestIn(
  slice: BlockSlice,
  { did, collection, rkey }: RecordName,
  low: number,
  high: number,
  afterUs: number,
): FoundEvent | undefined {
  const { index } = slice;
  const wanted = index.collections.indexOf(collection);
  if (wanted === -1) return undefined;
  for (let at = index.count - 1; at >= 0 && index.timeUs[at] > afterUs; at--) {
    const isOfAccount = index.didHash[at * 2] === low && index.didHash[at * 2 + 1] === high;
    if (!isOfAccount || index.collection[at] !== wanted) continue;
    const event = eventOf(slice, at);
    if (event.did === did && event.commit?.rkey === rkey) return event;
  }
  return undefined;
}

/** An event as it was written for the first wire. */
interface EventJson {
  readonly did: string;
  readonly time_us: number;
  readonly commit?: {
    readonly rev?: string;
    readonly collection?: string;
    readonly rkey?: string;
    readonly cid?: string;
  };
}

function eventOf({ index, messages }: BlockSlice, at: number): FoundEvent {
  const [start, end] = [startOf(index.jsonEnd, at), index.jsonEnd[at]];
  const headerBytes = headerBytesOf(payloadBytesOf(end - start));
  const text = Buffer.from(
    messages.buffer,
    messages.byteOffset + start + headerBytes,
    end - start - headerBytes,
  );
  const { did, time_us: timeUs, commit } = JSON.parse(text.toString()) as EventJson;
  if (commit === undefined) return { timeUs, did, commit };
  const { rev = '', collection = '', rkey = '', cid } = commit;
  return { timeUs, did, commit: { rev, collection, rkey, cid } };
}

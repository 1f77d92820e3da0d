// A filter in the form that is quick to apply: to one event, by the columns of its block, and to a whole block. Nothing
// is parsed. It holds no DIDs or subjects, only their hashes, because it lives as long as a subscriber has the filter.

import { createHash } from 'node:crypto';
import type { DidHasher } from '../event/did-hash.ts';
import { eventKinds, isV1OnlyIn, kindIn, operationIn, operations, v1Kinds } from '../event/event.ts';
import { type Filter, wantedDidsOf } from '../event/filter.ts';
import { subjectInts } from '../event/subject.ts';
import { isVouched, notAsked } from '../event/verdict.ts';
import { payloadBytesOf } from '../event/websocket-frame.ts';
import { type BlockIndex, noCollection, startOf } from '../log/block.ts';
import type { ReadFilter } from '../log/segment-index.ts';
import { type Batch, emptyBatch, gather, noRun, Runs, sliceOf } from './batch.ts';
import type { Messages } from './encodings.ts';
import { hasDidHash, hashDids, hashSubjects, hasSubject } from './hash-lists.ts';

const allBits = 0xffff;
/** Kinds that an account signs. */
const signedKinds = (1 << eventKinds.commit) | (1 << eventKinds.sync);

/** Reused by every {@link Selection.cut}. */
const scratch = new Runs();

/** See the file comment. */
export class Selection {
  readonly collections: ReadonlySet<string>;
  readonly prefixes: readonly string[];
  /** Whether there are collections whose events are all left out. */
  readonly filtersCollections: boolean;
  /** As of {@link hashDids}; empty when every DID is wanted. */
  readonly didHashes: Uint32Array;
  /** Wanted subjects, as of {@link hashSubjects}. */
  readonly subjectHashes: Uint32Array;
  /** Whether there is a condition on subjects. */
  readonly filtersSubjects: boolean;
  /** What it counts for where those are counted. */
  readonly wantedDids: number;
  /** Equal for filters of a wire that choose the same events, whatever the order they were given in. */
  readonly key: string;
  readonly #kinds: number;
  readonly #isV2: boolean;
  readonly #isVerified: boolean;
  /** Whether there is no condition beside the wire's own. */
  readonly #takesAll: boolean;
  readonly #operations: number;
  readonly #maxMessageSizeBytes: number;
  readonly #bytesMore: readonly number[] | undefined;

  constructor(filter: Filter, hasher: DidHasher) {
    this.#kinds = filter.kinds || v1Kinds;
    this.#isV2 = filter.isV2 === true;
    this.#isVerified = filter.isVerified === true;
    this.#operations = filter.operations === 0 ? allBits : filter.operations | (1 << operations.none);
    this.#maxMessageSizeBytes = filter.maxMessageSizeBytes;
    this.#bytesMore = filter.bytesMore;
    // Only commits have collections. A filter without commits wants no collection, and needs no other condition on them.
    const wantsCommits = (this.#kinds & (1 << eventKinds.commit)) !== 0;
    this.collections = wantsCommits ? filter.collections : new Set();
    this.prefixes = wantsCommits ? [...new Set(filter.prefixes)] : [];
    this.filtersCollections = !wantsCommits || this.collections.size > 0 || this.prefixes.length > 0;
    this.didHashes = hashDids(filter.dids, hasher);
    this.subjectHashes = hashSubjects(filter.subjects, hasher);
    this.filtersSubjects = this.subjectHashes.length > 0;
    this.wantedDids = wantedDidsOf(filter);
    this.#takesAll =
      !this.filtersCollections &&
      this.didHashes.length === 0 &&
      !this.filtersSubjects &&
      this.#operations === allBits &&
      !this.#isVerified &&
      this.#maxMessageSizeBytes === 0;
    this.key = this.#keyOf();
  }

  /** For the log, so that it can skip what this selection does not want; undefined when it wants nearly everything. */
  get readFilter(): ReadFilter | undefined {
    const { didHashes, filtersCollections, filtersSubjects, subjectHashes } = this;
    if (!filtersCollections && didHashes.length === 0 && !filtersSubjects) return undefined;
    return {
      ...(filtersCollections && { wantsCollection: (collection) => this.wantsCollection(collection) }),
      ...(didHashes.length > 0 && { didHashes }),
      ...(filtersSubjects && { subjectHashes }),
    };
  }

  /** Whether the condition on collections holds for one that is there. */
  wantsCollection(collection: string): boolean {
    if (this.collections.has(collection)) return true;
    for (const prefix of this.prefixes) if (collection.startsWith(prefix)) return true;
    return !this.filtersCollections;
  }

  /** Whether an event meets the conditions on kind, operation, verdict and size. */
  passes(index: BlockIndex, event: number): boolean {
    const entry = index.kindAndOperation[event];
    const kind = kindIn(entry);
    if (((this.#kinds >>> kind) & (this.#operations >>> operationIn(entry)) & 1) === 0) return false;
    if (this.#isV2 && isV1OnlyIn(entry)) return false;
    if (
      this.#isVerified &&
      ((signedKinds >>> kind) & 1) === 1 &&
      !isVouched(index.verdict?.[event] ?? notAsked)
    )
      return false;
    const maxBytes = this.#maxMessageSizeBytes;
    if (maxBytes === 0) return true;
    const storedBytes = payloadBytesOf(index.jsonEnd[event] - startOf(index.jsonEnd, event));
    // Not part of the key: the encoding is, and says as much.
    return storedBytes + (this.#bytesMore?.[kind] ?? 0) <= maxBytes;
  }

  /** Whether an event points at any of the wanted subjects. */
  wantsSubjectOf({ subjects }: BlockIndex, event: number): boolean {
    if (subjects === undefined) return false;
    const { ends, subjectHashes } = subjects;
    const end = ends[event] * subjectInts;
    for (let at = startOf(ends, event) * subjectInts; at < end; at += subjectInts) {
      if (hasSubject(this.subjectHashes, subjectHashes[at], subjectHashes[at + 1], subjectHashes[at + 2]))
        return true;
    }
    return false;
  }

  /** The chosen ones of a block's events from index `from` to `to` (exclusive). They may share memory with `messages`. */
  cut(index: BlockIndex, messages: Messages, from: number, to: number): Batch {
    if (from >= to) return emptyBatch;
    if (this.#takesAll && this.#takesWhole(index)) return sliceOf(messages, from, to);
    const wanted = this.filtersCollections ? this.#wantedCollections(index.collections) : undefined;
    if (wanted !== undefined && !wanted.includes(1) && !index.collection.includes(noCollection)) {
      return emptyBatch;
    }
    return gather(messages, scratch, this.#choose(index, wanted, from, to));
  }

  /** Whether any of a block's events from index `from` on is chosen: quicker than to cut it, when most blocks have none. */
  wantsAny(index: BlockIndex, from: number): boolean {
    if (this.#takesAll) return from < index.count;
    const wanted = this.filtersCollections ? this.#wantedCollections(index.collections) : undefined;
    for (let at = from; at < index.count; at++) if (this.#wants(index, wanted, at)) return true;
    return false;
  }

  /** Whether this wire shows every event of a block. */
  #takesWhole({ kindAndOperation }: BlockIndex): boolean {
    let kinds = 0;
    let entries = 0;
    for (let event = 0; event < kindAndOperation.length; event++) {
      const entry = kindAndOperation[event];
      kinds |= 1 << kindIn(entry);
      entries |= entry;
    }
    return (kinds & ~this.#kinds) === 0 && !(this.#isV2 && isV1OnlyIn(entries));
  }

  /** Which of a block's collections pass. */
  #wantedCollections(collections: readonly string[]): Uint8Array {
    return Uint8Array.from(collections, (collection) => (this.wantsCollection(collection) ? 1 : 0));
  }

  /** Puts the chosen events into `scratch`; returns their first run. */
  #choose(index: BlockIndex, wanted: Uint8Array | undefined, from: number, to: number): number {
    scratch.clear();
    let first = noRun;
    let last = noRun;
    for (let at = from; at < to; at++) {
      if (!this.#wants(index, wanted, at)) continue;
      last = scratch.add(last, at);
      if (first === noRun) first = last;
    }
    return first;
  }

  #wants(index: BlockIndex, wanted: Uint8Array | undefined, at: number): boolean {
    const { collection, didHash } = index;
    if (wanted !== undefined && collection[at] !== noCollection && wanted[collection[at]] === 0) return false;
    const { didHashes } = this;
    if (didHashes.length > 0 && !hasDidHash(didHashes, didHash[at * 2], didHash[at * 2 + 1])) return false;
    if (this.filtersSubjects && !this.wantsSubjectOf(index, at)) return false;
    return this.passes(index, at);
  }

  #keyOf(): string {
    const { collections, prefixes, didHashes, subjectHashes } = this;
    const numbers = [
      this.#kinds,
      this.#operations,
      this.#maxMessageSizeBytes,
      this.#isVerified ? 1 : 0,
      didHashes.length,
      subjectHashes.length,
    ];
    // A digest, because ten thousand DIDs would make a long key.
    const text = JSON.stringify([[...collections].sort(), [...prefixes].sort(), ...numbers]);
    return createHash('sha256').update(text).update(didHashes).update(subjectHashes).digest('base64');
  }
}

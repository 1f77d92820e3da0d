// What a subscriber wants, as data. Parsing it from a request is lib/wire; applying it to blocks is lib/fanout.

/**
 * A subscription filter (wire-v1 section 4). Collections and prefixes are one condition (either may match), DIDs
 * another, and so on; all must hold. An empty set is no condition. Events without a collection pass the first condition.
 */
export interface Filter {
  /** Exact NSIDs, case kept. */
  readonly collections: ReadonlySet<string>;
  /** Prefixes with their final dot: `app.bsky.graph.` of the wire's `app.bsky.graph.*`. */
  readonly prefixes: readonly string[];
  readonly dids: ReadonlySet<string>;
  /** DIDs and at-uris; only events that point at one of them, or at a record of one of the DIDs, are wanted. */
  readonly subjects: ReadonlySet<string>;
  /** Events whose JSON payload is longer are left out; 0 is no limit. */
  readonly maxMessageSizeBytes: number;
  /** By how many bytes messages are longer than their stored JSON, by kind, on a wire where they are. */
  readonly bytesMore?: readonly number[];
  /**
   * Whether commits and syncs are left out that have not been found to be signed, with all of their ops (lib/event/verdict.ts:
   * `verified` and `anchored` are). What nobody signs, identity and account events, passes.
   */
  readonly isVerified?: true;
  /** Whether what only the first wire shows is left out. */
  readonly isV2?: true;
  /** Bits of the wanted kinds, like `1 << eventKinds.identity`; 0 is all kinds of the first wire. */
  readonly kinds: number;
  /** Bits of the wanted operations, like `1 << operations.delete`; 0 is no condition. Events without one pass. */
  readonly operations: number;
}

/** Bytes that a wanted DID or subject takes in the index of filters, at most. */
export const wantedDidBytes = 48;
/** What a wanted collection counts for beside its length, in wanted DIDs: a name, a list and their places in two tables. */
const collectionWeight = 4;

/** What a filter counts for where wanted DIDs and subjects are counted: one for each, and a few for a collection. */
export function wantedDidsOf({ dids, subjects, collections, prefixes }: Filter): number {
  let wanted = dids.size + subjects.size;
  for (const name of collections) wanted += collectionWeight + Math.ceil(name.length / wantedDidBytes);
  for (const name of prefixes) wanted += collectionWeight + Math.ceil(name.length / wantedDidBytes);
  return wanted;
}

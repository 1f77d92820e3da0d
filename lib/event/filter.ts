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
  /** Bits of the wanted kinds, like `1 << eventKinds.identity`; 0 is no condition. */
  readonly kinds: number;
  /** Bits of the wanted operations, like `1 << operations.delete`; 0 is no condition. Events without one pass. */
  readonly operations: number;
}

/** What a filter counts for where wanted DIDs and subjects are counted. */
export function wantedDidsOf({ dids, subjects }: Filter): number {
  return dids.size + subjects.size;
}

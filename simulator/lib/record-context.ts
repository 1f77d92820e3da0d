// What a record maker may know of the network around it: who writes, when, and whom or what the record can point at.
// The network implements it; record makers read it.

import type { SeededRandom } from '../../lib/seeded-random.ts';

/** A record: any value that DAG-CBOR can hold, under string keys. */
export type RecordValue = { [key: string]: unknown };

/** Reference to one version of a record. */
export interface StrongRef {
  readonly uri: string;
  readonly cid: string;
}

/** The surroundings of one record. */
export interface RecordContext {
  readonly random: SeededRandom;
  /** DID of the author. */
  readonly did: string;
  /** ISO 8601 with milliseconds. */
  readonly createdAt: string;
  /** DID of an account of the network. */
  someDid(): string;
  /** A post of the network, or a plausible reference to one while there is none. */
  somePost(): StrongRef;
  /** Record key of a recent post of the author. */
  ownPostKey(): string | undefined;
}

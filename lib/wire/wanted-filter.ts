// The one place that turns wanted collections, DIDs, kinds, operations and subjects into a `Filter`: validation, limits, counting,
// and words for what is wrong, those of the v1 wire where it has them. Used for the query string and for updates sent by
// clients, which share all of it.

import { isDid } from '../event/did.ts';
import { eventKinds, operations } from '../event/event.ts';
import type { Filter } from '../event/filter.ts';
import { isNsid } from '../event/nsid.ts';
import { isSubject } from '../event/reference.ts';

/** Most collections in a filter: exact ones, each once, plus prefixes, repeated ones included. */
export const collectionsMax = 100;
/** Most distinct DIDs in a filter. */
export const didsMax = 10_000;
/** Most distinct subjects in a filter. */
export const subjectsMax = 10_000;

const invalidOptions = 'invalid subscriber options';

/** Words of the wire, and their bits in a filter. */
const kindBits = new Map(Object.entries(eventKinds).map(([word, kind]) => [word, 1 << kind]));
const operationBits = new Map(
  (['create', 'update', 'delete'] as const).map((word) => [word, 1 << operations[word]]),
);

/** Why no filter could be made: a closed list, for counting. */
export type FilterFaultReason =
  | 'bad_collection'
  | 'bad_did'
  | 'too_many_dids'
  | 'too_many_collections'
  | 'bad_kind'
  | 'bad_operation'
  | 'bad_subject'
  | 'too_many_subjects';

/** What is wrong with the wanted values; `text` is what the client is told. */
export interface FilterFault {
  readonly reason: FilterFaultReason;
  readonly text: string;
}

/** What a client wants, as it says so; nothing of a kind is no condition. */
export interface Wanted {
  readonly collections: Iterable<string>;
  readonly dids: Iterable<string>;
  readonly kinds: Iterable<string>;
  readonly operations: Iterable<string>;
  readonly subjects: Iterable<string>;
  readonly maxMessageSizeBytes: number;
}

/**
 * Makes a filter, or the first fault in the order of the wire: each collection, each DID, the number of DIDs, the number
 * of collections; then each kind, each operation, each subject and their number. The strings are kept. Holds no more than the limits, however many
 * values come.
 */
export function filterOf(wanted: Wanted): Filter | FilterFault {
  const collections = new Set<string>();
  const prefixes = new Set<string>();
  let prefixCount = 0;
  for (const value of wanted.collections) {
    if (value.endsWith('.*')) {
      // Repeated prefixes count, so that the limit is the wire's, but are kept once.
      if (++prefixCount <= collectionsMax) prefixes.add(value.slice(0, -1));
    } else if (!isNsid(value)) {
      return { reason: 'bad_collection', text: `${invalidOptions}: invalid collection: ${value}` };
    } else if (collections.size <= collectionsMax) {
      collections.add(value);
    }
  }
  const dids = new Set<string>();
  for (const value of wanted.dids) {
    if (!isDid(value)) return { reason: 'bad_did', text: invalidOptions };
    if (dids.size <= didsMax) dids.add(value);
  }
  if (dids.size > didsMax)
    return { reason: 'too_many_dids', text: `${invalidOptions}: too many wanted DIDs` };
  if (collections.size + prefixCount > collectionsMax) {
    return { reason: 'too_many_collections', text: `${invalidOptions}: too many wanted collections` };
  }
  const kinds = bitsOf(wanted.kinds, kindBits);
  if (typeof kinds === 'string')
    return { reason: 'bad_kind', text: `${invalidOptions}: invalid kind: ${kinds}` };
  const operations = bitsOf(wanted.operations, operationBits);
  if (typeof operations === 'string')
    return { reason: 'bad_operation', text: `${invalidOptions}: invalid operation: ${operations}` };
  const subjects = new Set<string>();
  for (const value of wanted.subjects) {
    if (!isSubject(value))
      return { reason: 'bad_subject', text: `${invalidOptions}: invalid subject: ${value}` };
    if (subjects.size <= subjectsMax) subjects.add(value);
  }
  if (subjects.size > subjectsMax)
    return { reason: 'too_many_subjects', text: `${invalidOptions}: too many wanted subjects` };
  const { maxMessageSizeBytes } = wanted;
  return { collections, prefixes: [...prefixes], dids, subjects, maxMessageSizeBytes, kinds, operations };
}

/** The bits of all words together, or the first word that has none. */
function bitsOf(words: Iterable<string>, bits: ReadonlyMap<string, number>): number | string {
  let sum = 0;
  for (const word of words) {
    const bit = bits.get(word);
    if (bit === undefined) return word;
    sum |= bit;
  }
  return sum;
}

/** Whether `filterOf` found a fault. */
export function isFilterFault(result: Filter | FilterFault): result is FilterFault {
  return 'reason' in result;
}

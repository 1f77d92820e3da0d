// The one place that turns wanted collections and DIDs into a `Filter`: validation, limits, counting, and the v1 wire's
// words for what is wrong. Used for the query string and for updates sent by clients, which share all of it.

import { isDid } from '../event/did.ts';
import type { Filter } from '../event/filter.ts';
import { isNsid } from '../event/nsid.ts';

/** Most collections in a filter: exact ones, each once, plus prefixes, repeated ones included. */
export const collectionsMax = 100;
/** Most distinct DIDs in a filter. */
export const didsMax = 10_000;

const invalidOptions = 'invalid subscriber options';

/** Why no filter could be made: a closed list, for counting. */
export type FilterFaultReason = 'bad_collection' | 'bad_did' | 'too_many_dids' | 'too_many_collections';

/** What is wrong with the wanted values; `text` is what the client is told. */
export interface FilterFault {
  readonly reason: FilterFaultReason;
  readonly text: string;
}

/**
 * Makes a filter, or the first fault in the order of the wire: each collection, each DID, the number of DIDs, the number
 * of collections. The strings are kept. Holds no more than the limits, however many values come.
 */
export function filterOf(
  wantedCollections: Iterable<string>,
  wantedDids: Iterable<string>,
  maxMessageSizeBytes: number,
): Filter | FilterFault {
  const collections = new Set<string>();
  const prefixes = new Set<string>();
  let prefixCount = 0;
  for (const value of wantedCollections) {
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
  for (const value of wantedDids) {
    if (!isDid(value)) return { reason: 'bad_did', text: invalidOptions };
    if (dids.size <= didsMax) dids.add(value);
  }
  if (dids.size > didsMax)
    return { reason: 'too_many_dids', text: `${invalidOptions}: too many wanted DIDs` };
  if (collections.size + prefixCount > collectionsMax) {
    return { reason: 'too_many_collections', text: `${invalidOptions}: too many wanted collections` };
  }
  return { collections, prefixes: [...prefixes], dids, maxMessageSizeBytes };
}

/** Whether `filterOf` found a fault. */
export function isFilterFault(result: Filter | FilterFault): result is FilterFault {
  return 'reason' in result;
}

// A filter that a client has stored, to use it by an id: its one form as bytes, and the id, which is a digest of them and
// so the same wherever and however often the filter is stored. Pure; filter-store.ts keeps them.

import { createHash } from 'node:crypto';
import type { Filter } from '../event/filter.ts';
import { type EachWanted, eachWanted, filterOf, type Wanted, wantedOf } from './wanted-filter.ts';

/** Most distinct DIDs, and most distinct subjects, of a stored filter: using one takes a thread about 0.1 s. */
export const storedDidsMax = 100_000;

/** Longest JSON of one: 100,000 DIDs take 3.5 MB, as many at-uris 7.5 MB. */
export const filterBodyBytesMax = 10_000_000;

/** In place of a filter: the one that is stored under this id. */
export interface StoredFilterId {
  readonly id: string;
}

/** How many a filter has of each, and its limit. */
export interface FilterCounts extends EachWanted<number> {
  readonly maxMessageSizeBytes: number;
}

/** A filter as it is kept. */
export interface StoredFilter extends StoredFilterId {
  /** In memory of their own. */
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly counts: FilterCounts;
}

/** 128 bits in base 36. */
const idChars = 25;
const idPattern = new RegExp(`^[0-9a-z]{${idChars}}$`);

/** Whether it can be an id. */
export function isFilterId(text: string): boolean {
  return idPattern.test(text);
}

/** The form in which a filter is kept. Takes 1 µs a DID. */
export function storedFormOf(filter: Filter): StoredFilter {
  const wanted = wantedOf(filter);
  const bytes = new TextEncoder().encode(JSON.stringify(wanted));
  const digest = createHash('sha256').update(bytes).digest('hex').slice(0, 32);
  const id = BigInt(`0x${digest}`).toString(36).padStart(idChars, '0');
  const { maxMessageSizeBytes } = wanted;
  return { id, bytes, counts: { ...eachWanted((name) => wanted[name].length), maxMessageSizeBytes } };
}

/** The filter again. */
export function filterFrom(bytes: Uint8Array): Filter {
  return filterOf(JSON.parse(new TextDecoder().decode(bytes)) as Wanted, storedDidsMax) as Filter;
}

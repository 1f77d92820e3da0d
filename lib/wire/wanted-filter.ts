// The one place that turns wanted collections, DIDs, kinds, operations and subjects into a `Filter`: validation, limits,
// counting, and error messages, those of the v1 wire where it has them. Used for the query string, for updates sent by
// clients and for bodies of requests, which share all of it.

import { isInt64 } from '../event/cursor.ts';
import { isDid } from '../event/did.ts';
import { eventKinds, operations, v1Kinds } from '../event/event.ts';
import type { Filter } from '../event/filter.ts';
import { isNsid, nsidBytesMax } from '../event/nsid.ts';
import { isSubject } from '../event/subject.ts';
import { hasLittleMemory } from '../memory.ts';

/** Most collections in a filter: exact ones, each once, plus prefixes, repeated ones included. */
export const collectionsMax = 100;
/** Most distinct DIDs in a filter, and most distinct subjects: reading so many takes a thread about 0.1 s. */
export const didsMax = 100_000;
/** The same of a filter in a query string, which is the wire's. */
export const queryDidsMax = 10_000;

const invalidOptions = 'invalid subscriber options';

/** Words for kinds, and their bits in a filter. */
export type KindWords = ReadonlyMap<string, number>;
/** Those that can be asked for over plain HTTP. Without a word it is all kinds of the first wire. */
export const textKindWords: KindWords = new Map(
  Object.entries(eventKinds).map(([word, kind]) => [word, 1 << kind]),
);
/** Those of the first wire, which has no `sync`. */
export const v1KindWords: KindWords = new Map([...textKindWords].filter(([, bit]) => (bit & v1Kinds) !== 0));
/** Words for operations, and their bits in a filter; of both wires. */
export const operationBits: ReadonlyMap<string, number> = new Map(
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
  | 'bad_verified'
  | 'too_many_subjects';

/** What is wrong with the wanted values; `text` is what the client is told, in which the wire leaves out a bad DID. */
export interface FilterFault {
  readonly reason: FilterFaultReason;
  readonly text: string;
  readonly did?: string;
}

/** The lists that a filter is made from, by their names on the wire. */
export const wantedNames = [
  'wantedCollections',
  'wantedDids',
  'wantedKinds',
  'wantedOperations',
  'wantedSubjects',
] as const;
export type WantedName = (typeof wantedNames)[number];

/** The name on the wire of the condition that is no list. */
export const limitName = 'maxMessageSizeBytes';

/** The name on the wire of the condition on verdicts. */
export const verifiedName = 'verified';

/**
 * Whether `text` asks for that condition; undefined when it says neither. What is not understood must not pass for no condition:
 * whoever asks for what is verified would get all.
 */
export function readVerified(text: string): boolean | undefined {
  if (text === 'true') return true;
  return text === '' || text === 'false' ? false : undefined;
}

/**
 * Longest text that holds a filter, in bytes, a body or a message: 100,000 DIDs take 3.5 MB, as many at-uris 7.5 MB. To read it takes some
 * five times as much memory for a moment, so where that is short it is a tenth: 28,000 DIDs fit, or 13,000 at-uris.
 */
export const filterTextBytesMax = hasLittleMemory() ? 1_000_000 : 10_000_000;

/** Something for each of the lists. */
export type EachWanted<T> = { readonly [Name in WantedName]: T };

export function eachWanted<T>(make: (name: WantedName) => T): EachWanted<T> {
  return Object.fromEntries(wantedNames.map((name) => [name, make(name)])) as EachWanted<T>;
}

/** What a client wants, as it says so; nothing of a kind is no condition. */
export interface Wanted extends EachWanted<Iterable<string>> {
  readonly maxMessageSizeBytes: number;
  readonly isVerified: boolean;
}

/**
 * Makes a filter, or the first fault in the order of the wire: each collection, each DID, the number of DIDs, the number
 * of collections; then each kind, each operation, each subject and their number. The strings are kept. Holds no more
 * than the limits, however many values come.
 * @param most distinct DIDs, and subjects, that there may be.
 */
export function filterOf(wanted: Wanted, most: number, kindWords: KindWords): Filter | FilterFault {
  const named = collectionsOf(wanted.wantedCollections, prefixOf);
  if (typeof named === 'string') {
    return { reason: 'bad_collection', text: `${invalidOptions}: invalid collection: ${named}` };
  }
  const dids = new Set<string>();
  for (const value of wanted.wantedDids) {
    if (!isDid(value)) return { reason: 'bad_did', text: invalidOptions, did: value };
    if (dids.size <= most) dids.add(value);
  }
  if (dids.size > most) return { reason: 'too_many_dids', text: `${invalidOptions}: too many wanted DIDs` };
  if (named.count > collectionsMax) {
    return { reason: 'too_many_collections', text: `${invalidOptions}: too many wanted collections` };
  }
  const kinds = bitsOf(wanted.wantedKinds, kindWords);
  if (typeof kinds === 'string')
    return { reason: 'bad_kind', text: `${invalidOptions}: invalid kind: ${kinds}` };
  const operations = bitsOf(wanted.wantedOperations, operationBits);
  if (typeof operations === 'string')
    return { reason: 'bad_operation', text: `${invalidOptions}: invalid operation: ${operations}` };
  const subjects = new Set<string>();
  for (const value of wanted.wantedSubjects) {
    if (!isSubject(value))
      return { reason: 'bad_subject', text: `${invalidOptions}: invalid subject: ${value}` };
    if (subjects.size <= most) subjects.add(value);
  }
  if (subjects.size > most)
    return { reason: 'too_many_subjects', text: `${invalidOptions}: too many wanted subjects` };
  const { maxMessageSizeBytes, isVerified } = wanted;
  const { collections, prefixes } = named;
  const conditions = { collections, prefixes, dids, subjects, kinds, operations };
  return { ...conditions, maxMessageSizeBytes, ...(isVerified && { isVerified }) };
}

/** Collections of a filter, and how many there were: exact ones each once, prefixes as often as they came. */
export type NamedCollections = Pick<Filter, 'collections' | 'prefixes'> & { readonly count: number };

/**
 * The collections that are wanted, or the first value that names none. Keeps no more than there may be, however many come.
 * @param prefixOf what a value that ends with `.*` asks for; undefined: nothing that could be.
 */
export function collectionsOf(
  values: Iterable<string>,
  prefixOf: (wildcard: string) => string | undefined,
): NamedCollections | string {
  const collections = new Set<string>();
  const prefixes = new Set<string>();
  let prefixCount = 0;
  for (const value of values) {
    if (value.endsWith('.*')) {
      const prefix = prefixOf(value);
      if (prefix === undefined) return value;
      // Repeated prefixes count, so that the limit is the wire's, but are kept once.
      if (++prefixCount <= collectionsMax) prefixes.add(prefix);
    } else if (!isNsid(value)) {
      return value;
    } else if (collections.size <= collectionsMax) {
      collections.add(value);
    }
  }
  return { collections, prefixes: [...prefixes], count: collections.size + prefixCount };
}

/** The bits of all words together, or the first word that has none. */
export function bitsOf(words: Iterable<string>, bits: ReadonlyMap<string, number>): number | string {
  let sum = 0;
  for (const word of words) {
    const bit = bits.get(word);
    if (bit === undefined) return word;
    sum |= bit;
  }
  return sum;
}

/** No collection begins with it. */
const noCollectionPrefix = '\0.';

/** The prefix that `text.*` asks for. One that is longer than any collection's name matches none, and is not kept. */
function prefixOf(text: string): string {
  return text.length > nsidBytesMax ? noCollectionPrefix : text.slice(0, -1);
}

/** Characters of a bad DID that are shown. */
const shownDidCharsMax = 100;

/** What is wrong, with the DID, for answers that are not the wire's. */
export function namedFault({
  text,
  did,
}: {
  readonly text: string;
  readonly did?: string | undefined;
}): string {
  if (did === undefined) return text;
  const hint = /^@?[a-z0-9-]+(\.[a-z0-9-]+)+$/i.test(did)
    ? ': this is a handle, give the DID of the account'
    : '';
  return `${text}: invalid DID: ${did.slice(0, shownDidCharsMax)}${hint}`;
}

/** Whether `filterOf` found a fault. */
export function isFilterFault(result: Filter | FilterFault): result is FilterFault {
  return 'reason' in result;
}

/** From here on a value is no limit: no message is that long, and the v1 server keeps 32 bits. */
const limitBytesEnd = 2 ** 32;

/**
 * The `maxMessageSizeBytes` that `text` spells, 0 for none: empty, malformed, negative, beyond 64 bits, or at least 2^32.
 * Never an error. The limit is compared with the JSON of an event, whatever the encoding it is sent in.
 */
export function messageSizeLimit(text: string): number {
  if (!isInt64(text)) return 0;
  const value = Number(text);
  return value > 0 && value < limitBytesEnd ? value : 0;
}

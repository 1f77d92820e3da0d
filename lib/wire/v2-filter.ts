// The filter of the second wire, from its lists by their names there: validation, limits, and what is wrong. Used for the query and
// for updates that clients send, which differ in how much there may be. Pure.

import { isDid } from '../event/did.ts';
import { eventKinds, v2Kinds } from '../event/event.ts';
import type { Filter } from '../event/filter.ts';
import { isNsid, nsidBytesMax } from '../event/nsid.ts';
import { isSubject } from '../event/subject.ts';
import { v2BytesMore } from '../event/v2-event.ts';
import {
  bitsOf,
  collectionsMax,
  collectionsOf,
  didsMax,
  type FilterFaultReason,
  operationBits,
  queryDidsMax,
  textKindWords,
} from './wanted-filter.ts';

/** The lists that a filter is made from; the last two are ours. */
export const v2ListNames = ['kinds', 'dids', 'collections', 'operations', 'subjects'] as const;
export type V2ListName = (typeof v2ListNames)[number];

/** Most values of each, repeated ones included. */
export type V2ValuesMax = Readonly<Record<V2ListName, number>>;
/** In a query. */
export const v2QueryValuesMax: V2ValuesMax = {
  kinds: 4,
  dids: queryDidsMax,
  collections: collectionsMax,
  operations: 3,
  subjects: queryDidsMax,
};
/** In an update, as on the first wire. */
export const v2UpdateValuesMax: V2ValuesMax = { ...v2QueryValuesMax, dids: didsMax, subjects: didsMax };

/** Why there is no filter. */
export interface V2FilterFault {
  readonly reason: FilterFaultReason;
  readonly message: string;
}

/** The values of the lists. */
export type V2Lists = Readonly<Record<V2ListName, Iterable<string>>>;

const commitBit = 1 << eventKinds.commit;

/** Whether a number of values is more than there may be. */
export function tooMany(
  name: V2ListName,
  count: number,
  { [name]: most }: V2ValuesMax,
): V2FilterFault | undefined {
  const reason = tooManyReasons[name];
  return count <= most ? undefined : { reason, message: `too many ${name}: ${count}, at most ${most}` };
}

const tooManyReasons: Readonly<Record<V2ListName, FilterFaultReason>> = {
  kinds: 'bad_kind',
  dids: 'too_many_dids',
  collections: 'too_many_collections',
  operations: 'bad_operation',
  subjects: 'too_many_subjects',
};

/**
 * Makes a filter, or says what is wrong first. An empty list is no condition. The strings are kept; how many there are is for the
 * caller to check before. @param maxMessageSizeBytes 0 is no limit.
 */
export function v2FilterOf(
  lists: V2Lists,
  maxMessageSizeBytes: number,
  isVerified: boolean,
): Filter | V2FilterFault {
  const kinds = bitsOf(lists.kinds, textKindWords);
  if (typeof kinds === 'string') {
    return fault('bad_kind', `invalid kinds: ${kinds}: give commit, identity, account or sync`);
  }
  const dids = new Set<string>();
  for (const value of lists.dids) {
    if (!isDid(value)) return fault('bad_did', `invalid dids: ${value} is no DID`);
    dids.add(value);
  }
  const named = collectionsOf(lists.collections, v2PrefixOf);
  if (typeof named === 'string') {
    const what = `${named} is no NSID, and no NSID with .* at its end`;
    return fault('bad_collection', `invalid collections: ${what}`);
  }
  if (named.count > 0 && kinds !== 0 && (kinds & commitBit) === 0) {
    return fault('bad_collection', 'collections can never apply: kinds has no commit');
  }
  const wantedOperations = bitsOf(lists.operations, operationBits);
  if (typeof wantedOperations === 'string') {
    return fault('bad_operation', `invalid operations: ${wantedOperations}: give create, update or delete`);
  }
  const subjects = new Set<string>();
  for (const value of lists.subjects) {
    if (!isSubject(value)) {
      return fault('bad_subject', `invalid subjects: ${value} is no DID, and no at-uri of a record`);
    }
    subjects.add(value);
  }
  const wire = { isV2: true, bytesMore: v2BytesMore, kinds: kinds || v2Kinds } as const;
  const { collections, prefixes } = named;
  const conditions = { collections, prefixes, dids, subjects, operations: wantedOperations };
  return { ...conditions, ...wire, maxMessageSizeBytes, ...(isVerified && { isVerified }) };
}

/** The prefix of a wildcard, which has to be the beginning of an NSID. The longest is one with room for a name of one letter. */
function v2PrefixOf(wildcard: string): string | undefined {
  const prefix = wildcard.slice(0, -1);
  return wildcard.length <= nsidBytesMax && isNsid(`${prefix}x`) ? prefix : undefined;
}

/** Whether `v2FilterOf` found a fault. */
export function isV2FilterFault(result: Filter | V2FilterFault): result is V2FilterFault {
  return 'reason' in result;
}

function fault(reason: FilterFaultReason, message: string): V2FilterFault {
  return { reason, message };
}

// A filter as the body of a request: JSON, the payload of an `options_update`, but strict, because what is
// misspelled and ignored would be no condition, and bring everything. Pure: text to a filter, or to what is wrong with it.

import { isInt64 } from '../event/cursor.ts';
import type { Filter } from '../event/filter.ts';
import { JsonReader, stringsAt } from './json-reader.ts';
import { jsonSyntaxError } from './json-syntax.ts';
import {
  didsMax,
  eachWanted,
  type FilterFaultReason,
  filterOf,
  isFilterFault,
  limitName,
  messageSizeLimit,
  namedFault,
  textKindWords,
  verifiedName,
  wantedNames,
} from './wanted-filter.ts';

/** What is wrong. */
export interface DocumentFault {
  /** Of a closed list, for counting. */
  readonly reason: FilterFaultReason | 'bad_filter';
  /** For people. */
  readonly problem: string;
}

/** Characters of a value that are shown in a problem. */
const shownCharsMax = 100;

/** Reads a filter. Linear in the text, of which it builds nothing but wanted values; they are not kept beyond the limits. */
export function readFilterDocument(text: string): Filter | DocumentFault {
  const syntaxError = jsonSyntaxError(text);
  if (syntaxError !== undefined) return fault(`invalid JSON: ${syntaxError}`);
  const members = readMembers(new JsonReader(text), wantedNames);
  if (isDocumentFault(members)) return members;
  const { at, maxMessageSizeBytes, isVerified } = members;
  const filter = filterOf(
    { ...eachWanted((name) => stringsAt(text, at.get(name))), maxMessageSizeBytes, isVerified },
    didsMax,
    textKindWords,
  );
  if (!isFilterFault(filter)) return filter;
  return {
    reason: filter.reason,
    problem: filter.did === undefined ? shown(filter.text) : namedFault(filter),
  };
}

/** Whether `readFilterDocument` found a fault. */
export function isDocumentFault(result: object): result is DocumentFault {
  return 'problem' in result;
}

function fault(problem: string): DocumentFault {
  return { reason: 'bad_filter', problem };
}

/** Where the arrays are, how many strings each has, the limit, and whether only what is verified is wanted; what is not there is no condition. */
export interface Members<Name extends string> {
  readonly at: ReadonlyMap<Name, number>;
  readonly counts: ReadonlyMap<Name, number>;
  readonly maxMessageSizeBytes: number;
  readonly isVerified: boolean;
}

/** Reads the object that `reader` is at, which may have arrays of those names, and the conditions that are no lists. */
export function readMembers<Name extends string>(
  reader: JsonReader,
  arrayNames: readonly Name[],
): Members<Name> | DocumentFault {
  if (reader.kind() !== 'object') return fault(`a filter is an object, and this is ${reader.kind()}`);
  const names = new Set<string>();
  const at = new Map<Name, number>();
  const counts = new Map<Name, number>();
  const isArrayName = (name: string): name is Name => (arrayNames as readonly string[]).includes(name);
  let maxMessageSizeBytes = 0;
  let isVerified = false;
  for (reader.enter(); reader.more(); ) {
    const name = reader.name();
    if (name !== limitName && name !== verifiedName && !isArrayName(name)) {
      const known = [...arrayNames, limitName].join(', ');
      return fault(`unknown name ${shown(name)}: give ${known} or ${verifiedName}`);
    }
    if (names.has(name)) return fault(`${name} is there twice`);
    names.add(name);
    if (name === limitName) {
      const spelling = reader.kind() === 'number' ? reader.spelling() : '';
      if (!isInt64(spelling)) return fault(`${name} has to be an integer`);
      if (spelling.startsWith('-')) return fault(`${name} is negative: leave it out if there is no limit`);
      maxMessageSizeBytes = messageSizeLimit(spelling);
    } else if (name === verifiedName) {
      if (reader.kind() !== 'bool') return fault(`${name} has to be true or false`);
      isVerified = reader.spelling() === 'true';
    } else if (isArrayName(name)) {
      at.set(name, reader.at);
      const strings = countStrings(reader);
      if (strings === undefined) return fault(`${name} has to be an array of strings`);
      // No value would be no condition, as in an update: whoever made an empty list of what they want wants nothing.
      if (strings === 0) return fault(`${name} is empty: leave it out if there is no such condition`);
      counts.set(name, strings);
    }
  }
  return { at, counts, maxMessageSizeBytes, isVerified };
}

/** Passes the next value if it is an array of strings; how many there are. */
function countStrings(reader: JsonReader): number | undefined {
  if (reader.kind() !== 'array') return undefined;
  let count = 0;
  for (reader.enter(); reader.more(); reader.skip()) {
    if (reader.kind() !== 'string') return undefined;
    count++;
  }
  return count;
}

function shown(text: string): string {
  return text.length > shownCharsMax ? `${text.slice(0, shownCharsMax)}…` : text;
}

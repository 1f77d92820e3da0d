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
  type WantedName,
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
  const members = readMembers(text);
  if (isDocumentFault(members)) return members;
  const { at, maxMessageSizeBytes } = members;
  const filter = filterOf(
    { ...eachWanted((name) => stringsAt(text, at.get(name))), maxMessageSizeBytes },
    didsMax,
  );
  if (!isFilterFault(filter)) return filter;
  const { reason, did, text: words } = filter;
  return { reason, problem: shown(did === undefined ? words : `${words}: invalid DID: ${did}`) };
}

/** Whether `readFilterDocument` found a fault. */
export function isDocumentFault(result: object): result is DocumentFault {
  return 'problem' in result;
}

function fault(problem: string): DocumentFault {
  return { reason: 'bad_filter', problem };
}

/** Where the arrays are, and the limit; what is null is not there. */
interface Members {
  readonly at: ReadonlyMap<WantedName, number>;
  readonly maxMessageSizeBytes: number;
}

function readMembers(text: string): Members | DocumentFault {
  const reader = new JsonReader(text);
  if (reader.kind() !== 'object') return fault(`a filter is an object, and this is ${reader.kind()}`);
  const names = new Set<string>();
  const at = new Map<WantedName, number>();
  let maxMessageSizeBytes = 0;
  for (reader.enter(); reader.more(); ) {
    const name = reader.name();
    if (name !== limitName && !isWantedName(name)) {
      return fault(`unknown name ${shown(name)}: give ${wantedNames.join(', ')} or ${limitName}`);
    }
    if (names.has(name)) return fault(`${name} is there twice`);
    names.add(name);
    const kind = reader.kind();
    if (kind === 'null') {
      reader.skip();
    } else if (name === limitName) {
      const spelling = kind === 'number' ? reader.spelling() : '';
      if (!isInt64(spelling)) return fault(`${name} has to be an integer`);
      maxMessageSizeBytes = messageSizeLimit(spelling);
    } else {
      at.set(name, reader.at);
      if (!areStrings(reader)) return fault(`${name} has to be an array of strings`);
    }
  }
  return { at, maxMessageSizeBytes };
}

function isWantedName(name: string): name is WantedName {
  return (wantedNames as readonly string[]).includes(name);
}

/** Passes the next value if it is an array of strings. */
function areStrings(reader: JsonReader): boolean {
  if (reader.kind() !== 'array') return false;
  for (reader.enter(); reader.more(); reader.skip()) if (reader.kind() !== 'string') return false;
  return true;
}

function shown(text: string): string {
  return text.length > shownCharsMax ? `${text.slice(0, shownCharsMax)}…` : text;
}

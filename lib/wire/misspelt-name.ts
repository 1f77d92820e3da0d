// Whether the name of a parameter is nearly that of a part of a filter: another case, `[]` behind it, without its `s` or
// its `wanted`, or with a typing error. Such a name is meant, and ignored it would bring everything. What follows from it
// is for each route to say: the v1 wire ignores all names that it does not know.

import { lettersOf, typingErrors } from '../near-name.ts';
import { limitName, verifiedName, wantedNames } from './wanted-filter.ts';

/** The parts of a filter, by their names on the wire. */
export const filterNames = [...wantedNames, limitName, verifiedName] as const;
export type FilterName = (typeof filterNames)[number];

/** Longest name that is looked at, in characters. */
const nameCharsMax = 40;
/** Letters that may be wrong, missing or too many. */
const typingErrorsMax = 2;

/** Short forms of the names, which are too short for typing errors. */
const shortForms = new Map<string, FilterName>(
  wantedNames.flatMap((name) => {
    const plural = name.slice('wanted'.length).toLowerCase();
    return [plural, plural.slice(0, -1)].map((form) => [form, name] as const);
  }),
);
shortForms.set('maxmessagesize', limitName);
shortForms.set('maxsizebytes', limitName);

/** The part of a filter that `name`, which is none, nearly names. */
export function meantBy(name: string): FilterName | undefined {
  if (name.length > nameCharsMax) return undefined;
  const letters = lettersOf(name);
  const short = shortForms.get(letters);
  if (short !== undefined) return short;
  let nearest: FilterName | undefined;
  let errors = typingErrorsMax + 1;
  for (const known of filterNames) {
    const between = typingErrors(letters, known.toLowerCase());
    if (between >= errors) continue;
    nearest = known;
    errors = between;
  }
  return nearest;
}

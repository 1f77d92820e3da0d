// Whether the name of a parameter is nearly that of a part of a filter: another case, `[]` behind it, without its `s` or
// its `wanted`, or with a typing error. Such a name is meant, and ignored it would bring everything. What follows from it
// is for each route to say: the v1 wire ignores all names that it does not know.

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
  const letters = name.toLowerCase().replace(/[^a-z]/g, '');
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

/** How many letters have to be put in, taken out or changed to make one text of the other; their lengths alone may say it. */
function typingErrors(one: string, other: string): number {
  const longer = Math.abs(one.length - other.length);
  if (longer > typingErrorsMax) return longer;
  let row = Array.from({ length: other.length + 1 }, (_, at) => at);
  for (let at = 0; at < one.length; at++) {
    const next = [at + 1];
    for (let to = 0; to < other.length; to++) {
      const changed = row[to] + (one[at] === other[to] ? 0 : 1);
      next.push(Math.min(changed, row[to + 1] + 1, next[to] + 1));
    }
    row = next;
  }
  return row[other.length];
}

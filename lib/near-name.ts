// Which of the names that there are a wrong one is meant for: with a typing error, in another case, or a part of it. What follows from
// that is for each caller to say. Pure.

/** Longest name that is looked at, in characters. */
const nameCharsMax = 40;
/** Letters that may be wrong, missing or too many; half as many as a short name has at most. */
const typingErrorsMax = 2;
/** Shortest name that counts as a part of another. */
const partCharsMin = 4;

/** The nearest of `known`, as it is there. */
export function nearName(name: string, known: readonly string[]): string | undefined {
  if (name.length > nameCharsMax) return undefined;
  const letters = lettersOf(name);
  const errorsMax = Math.min(typingErrorsMax, Math.floor(letters.length / 3));
  let nearest: string | undefined;
  let errors = errorsMax + 1;
  for (const each of known) {
    const between = typingErrors(letters, lettersOf(each));
    if (between >= errors) continue;
    nearest = each;
    errors = between;
  }
  return (
    nearest ?? known.find((each) => isPart(lettersOf(each), letters) || isPart(letters, lettersOf(each)))
  );
}

/** A name without what is often written otherwise. */
export function lettersOf(name: string): string {
  return name.toLowerCase().replace(/[^a-z]/g, '');
}

/** How many letters have to be put in, taken out or changed to make one text of the other; their lengths alone may say it. */
export function typingErrors(one: string, other: string): number {
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

function isPart(part: string, whole: string): boolean {
  return part.length >= partCharsMin && (whole.startsWith(part) || whole.endsWith(part));
}

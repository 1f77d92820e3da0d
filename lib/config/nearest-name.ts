// "Did you mean": the known name that a mistyped one is closest to. Pure; config.ts asks.

/** The known name nearest to `name`, or undefined when none is near. Case and `_` for `-` do not count. */
export function nearestName(name: string, known: readonly string[]): string | undefined {
  const wanted = fold(name);
  let nearest: string | undefined;
  let least = Math.max(1, Math.floor(wanted.length / 3)) + 0.5;
  for (const candidate of known) {
    const folded = fold(candidate);
    // A name cut short, or given without its first word, is nearer than one with a letter wrong elsewhere.
    const part = wanted.length > 3 && (folded.startsWith(wanted) || folded.endsWith(wanted));
    const distance = part ? 0.5 : editDistance(wanted, folded);
    if (distance >= least) continue;
    least = distance;
    nearest = candidate;
  }
  return nearest;
}

function fold(name: string): string {
  return name.toLowerCase().replaceAll('_', '-');
}

/** Insertions, deletions, replacements and swaps of neighbours that make `a` into `b`. */
function editDistance(a: string, b: string): number {
  let before: number[] = [];
  let previous = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1];
      row[j] = Math.min(previous[j] + 1, row[j - 1] + 1, previous[j - 1] + (same ? 0 : 1));
      const swapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
      if (swapped) row[j] = Math.min(row[j], before[j - 2] + 1);
    }
    before = previous;
    previous = row;
  }
  return previous[b.length];
}

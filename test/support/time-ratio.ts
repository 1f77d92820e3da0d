// How much longer one piece of work takes than another, in one run on one machine: growth can be tested where absolute
// times cannot. Both take turns, and the quickest round of each counts, so that other load on the machine does not.

/** Rounds of each. */
const rounds = 7;

/** The time of `large` as a multiple of that of `small`, which should take at least a tenth of a millisecond. */
export function timeRatio(small: () => void, large: () => void): number {
  let smallMs = Number.POSITIVE_INFINITY;
  let largeMs = Number.POSITIVE_INFINITY;
  for (let round = 0; round < rounds; round++) {
    smallMs = Math.min(smallMs, timeOf(small));
    largeMs = Math.min(largeMs, timeOf(large));
  }
  return largeMs / smallMs;
}

function timeOf(work: () => void): number {
  const startedMs = performance.now();
  work();
  return performance.now() - startedMs;
}

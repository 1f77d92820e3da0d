// How much longer one piece of work takes than another, in one run on one machine: growth can be tested where absolute
// times cannot. It is CPU time of this process, both take turns, and the quickest round of each counts, so that other load
// on the machine does not.

/** Rounds of each. */
const rounds = 9;

/** The time of `large` as a multiple of that of `small`, which should take half a millisecond or more. */
export function timeRatio(small: () => void, large: () => void): number {
  let smallUs = Number.POSITIVE_INFINITY;
  let largeUs = Number.POSITIVE_INFINITY;
  for (let round = 0; round < rounds; round++) {
    smallUs = Math.min(smallUs, cpuUsOf(small));
    largeUs = Math.min(largeUs, cpuUsOf(large));
  }
  return largeUs / smallUs;
}

function cpuUsOf(work: () => void): number {
  const before = process.cpuUsage();
  work();
  const { user, system } = process.cpuUsage(before);
  return user + system;
}

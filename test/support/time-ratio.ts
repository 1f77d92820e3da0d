// How much longer one piece of work takes than another, in one run on one machine: growth can be tested where absolute
// times cannot. It is CPU time of this process, both take turns, and the quickest round of each counts, so that neither other
// load on the machine nor a collection of garbage does. A thread's own time is counted in ticks of 4 ms on some systems.

/** Rounds of each. */
const rounds = 5;

/** The time of `large` as a multiple of that of `small`, which should take half a millisecond or more. */
export function timeRatio(small: () => unknown, large: () => unknown): number {
  let smallUs = Number.POSITIVE_INFINITY;
  let largeUs = Number.POSITIVE_INFINITY;
  for (let round = 0; round < rounds; round++) {
    smallUs = Math.min(smallUs, cpuUsOf(small));
    largeUs = Math.min(largeUs, cpuUsOf(large));
  }
  return largeUs / smallUs;
}

/** How much longer 8 n take than n: about 8 when the time is linear, 64 when it is quadratic. */
export function growth(n: number, prepare: (n: number) => () => unknown): number {
  const [small, large] = [prepare(n), prepare(8 * n)];
  const eightSmall = (): void => {
    for (let round = 0; round < 8; round++) small();
  };
  return 8 * timeRatio(eightSmall, large);
}

/** Below it time is taken for linear: three times what it should be. */
export const linearGrowthMax = 24;

function cpuUsOf(work: () => unknown): number {
  const before = process.cpuUsage();
  work();
  const { user, system } = process.cpuUsage(before);
  return Math.max(1, user + system);
}

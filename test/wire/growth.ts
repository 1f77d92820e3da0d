// How the time that something takes grows with what it is given: a ratio of two times of one run, so that the speed of the
// machine is not in it; times of this thread's processor, so that what else runs there is not either.

/** How much longer 8 n take than n: about 8 when the time is linear, 64 when it is quadratic. */
export function growth(n: number, prepare: (n: number) => () => unknown): number {
  const [small, large] = [prepare(n), prepare(8 * n)];
  const eightSmall = (): void => {
    for (let round = 0; round < 8; round++) small();
  };
  let [smallUs, largeUs] = [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY];
  // By turns, and the best of each: collections of garbage are in neither.
  for (let round = 0; round < 4; round++) {
    smallUs = Math.min(smallUs, cpuUsOf(eightSmall));
    largeUs = Math.min(largeUs, cpuUsOf(large));
  }
  return (8 * largeUs) / smallUs;
}

/** Below it time is taken for linear: three times what it should be. */
export const linearGrowthMax = 24;

function cpuUsOf(work: () => unknown): number {
  const before = process.threadCpuUsage();
  work();
  const { user, system } = process.threadCpuUsage(before);
  return Math.max(1, user + system);
}

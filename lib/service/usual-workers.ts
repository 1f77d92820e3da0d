// How many worker threads serve subscribers unless it is set.

import { availableParallelism } from 'node:os';

/** One core is for ingest, and more than these have not been needed. */
const workersMax = 4;
/** Systems that spread the connections of one port over several listeners; elsewhere one worker is all there can be. */
const portSharers: readonly NodeJS.Platform[] = ['linux', 'freebsd', 'sunos', 'aix'];

/** See the file comment. */
export function usualWorkers(): number {
  const most = portSharers.includes(process.platform) ? workersMax : 1;
  return Math.min(most, availableParallelism() - 1);
}
